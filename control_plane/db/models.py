"""The tables of the database. Times are milliseconds since the epoch; JSON is kept as text.

Documents are text rather than the database's own JSON type: they are read and written whole, and
the canonical form of the core has to come back byte for byte.
"""

from __future__ import annotations

from typing import Annotated

from sqlalchemy import BigInteger, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

BigInt = Annotated[int, mapped_column(BigInteger)]
Name = Annotated[str, mapped_column(String(200))]
Document = Annotated[str, mapped_column(Text)]
# SQLite numbers rows by itself only where the key is exactly INTEGER.
Serial = Annotated[
    int,
    mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
]


class Base(DeclarativeBase):
    """All tables."""


class ItemRow(Base):
    """An item of the current table: backend, capability, route or setting."""

    __tablename__ = "items"

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    document: Mapped[Document]
    etag: Mapped[str] = mapped_column(String(32))
    revision: Mapped[BigInt]
    """The revision that last wrote it."""


class RevisionRow(Base):
    """A numbered table, as the changes that made it and those that undo it."""

    __tablename__ = "revisions"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    etag: Mapped[str] = mapped_column(String(32))
    base_etag: Mapped[str] = mapped_column(String(32))
    changes: Mapped[Document]
    inverse: Mapped[Document]
    summary: Mapped[Document]
    """A few lines for lists, as JSON."""
    actor: Mapped[Name]
    reason: Mapped[Document]
    source: Mapped[str] = mapped_column(String(40))
    created_ms: Mapped[BigInt]


class AuditRow(Base):
    """Who did what, when, why."""

    __tablename__ = "audit"

    id: Mapped[Serial]
    at_ms: Mapped[BigInt]
    actor: Mapped[Name]
    address: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[Name]
    revision: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[Document]
    details: Mapped[Document]
    """What changed, where no revision says it."""

    __table_args__ = (Index("audit_subject", "subject"), Index("audit_actor", "actor"))


class KeyRow(Base):
    """An API key; of its secret only a hash."""

    __tablename__ = "api_keys"

    prefix: Mapped[str] = mapped_column(String(16), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64))
    name: Mapped[Name]
    role: Mapped[str] = mapped_column(String(20))
    created_ms: Mapped[BigInt]
    created_by: Mapped[Name]
    expires_ms: Mapped[int | None] = mapped_column(BigInteger)
    revoked_ms: Mapped[int | None] = mapped_column(BigInteger)
    last_used_ms: Mapped[int | None] = mapped_column(BigInteger)


class InstanceRow(Base):
    """A proxy as it last described itself."""

    __tablename__ = "instances"

    instance: Mapped[str] = mapped_column(String(200), primary_key=True)
    boot: Mapped[str] = mapped_column(String(64))
    revision: Mapped[BigInt]
    etag: Mapped[str] = mapped_column(String(32))
    since_ms: Mapped[BigInt]
    """When it was first heard to serve this revision."""
    first_seen_ms: Mapped[BigInt]
    seen_ms: Mapped[BigInt]
    stopping: Mapped[bool]
    document: Mapped[Document]
    """Its last acknowledgement, whole."""


class TrafficRow(Base):
    """What one side of one route did in one bucket of time, over all proxies."""

    __tablename__ = "traffic"

    step_s: Mapped[int] = mapped_column(Integer, primary_key=True)
    """Seconds a bucket covers: 10 (recent) or 60."""
    bucket_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    side: Mapped[str] = mapped_column(String(10), primary_key=True)
    backend: Mapped[str] = mapped_column(String(200), primary_key=True)
    requests: Mapped[BigInt]
    errors: Mapped[BigInt]
    """Answers of class 5xx."""
    client_gone: Mapped[BigInt]
    request_bytes: Mapped[BigInt]
    response_bytes: Mapped[BigInt]
    counts: Mapped[Document]
    """Statuses, fallbacks, failures, problems: JSON of counters by name."""
    latency: Mapped[Document]
    """JSON of counts by bucket of `figway.histogram`."""

    __table_args__ = (Index("traffic_route", "route", "step_s", "bucket_ms"),)


class ReportRow(Base):
    """A report that was counted already."""

    __tablename__ = "reports_seen"

    boot: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at_ms: Mapped[BigInt]

    __table_args__ = (Index("reports_seen_at", "at_ms"),)


class EventRow(Base):
    """Something that happened at a proxy, such as a breaker that opened."""

    __tablename__ = "events"

    id: Mapped[Serial]
    at_ms: Mapped[BigInt]
    kind: Mapped[str] = mapped_column(String(40))
    instance: Mapped[Name]
    worker: Mapped[int] = mapped_column(Integer)
    route: Mapped[Name]
    backend: Mapped[Name]
    was: Mapped[str] = mapped_column(String(40))
    becomes: Mapped[str] = mapped_column(String(40))

    __table_args__ = (Index("events_at", "at_ms"), Index("events_route", "route"))
