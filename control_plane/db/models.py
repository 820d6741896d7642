"""The tables of the database. Times are milliseconds since the epoch; JSON is kept as text.

Documents are text rather than the database's own JSON type: they are read and written whole, and
the canonical form of the core has to come back byte for byte.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from sqlalchemy import BigInteger, Dialect, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class Json(TypeDecorator[Any]):
    """JSON as text, decoded on its way out."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """What is stored."""
        return orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """What was stored."""
        return None if value is None else orjson.loads(value)


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
    summary: Mapped[list[str]] = mapped_column(Json)
    """A few lines for lists."""
    actor: Mapped[Name]
    reason: Mapped[Document]
    source: Mapped[str] = mapped_column(String(40))
    created_ms: Mapped[BigInt]
    change_id: Mapped[str] = mapped_column(String(36), server_default="")
    """Made by whoever made the change: finds out whether an unanswered commit was one."""
    undoes: Mapped[int | None] = mapped_column(BigInteger)
    """The revision that it takes back."""

    __table_args__ = (Index("revisions_change", "change_id"),)


class InstallationRow(Base):
    """Which installation this database is; one row."""

    __tablename__ = "installation"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    created_ms: Mapped[BigInt]
    adopts: Mapped[list[str]] = mapped_column(Json)
    """Installations whose proxies may follow this one."""


class KillRow(Base):
    """The kill switch; one row, or none while it was never pressed. It is no part of the table."""

    __tablename__ = "kill_switch"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    on: Mapped[bool]
    number: Mapped[BigInt]
    """Goes up with every press."""
    changed_ms: Mapped[BigInt]
    actor: Mapped[Name]
    reason: Mapped[Document]


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
    details: Mapped[dict[str, Any]] = mapped_column(Json)
    """What changed, where no revision says it."""

    __table_args__ = (
        Index("audit_subject", "subject"),
        Index("audit_actor", "actor"),
        Index("audit_action", "action", "id"),
        Index("audit_at", "at_ms"),
    )


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
    """JSON of counts by bucket of `figway.evidence.histogram`."""

    __table_args__ = (Index("traffic_route", "route", "step_s", "bucket_ms"),)


class OperationRow(Base):
    """An operation inside a path, as it was asked for on one day (of UTC)."""

    __tablename__ = "operations"

    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """Days since the epoch."""
    key: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Digest of place, kind, field, type, name, route and side."""
    place: Mapped[str] = mapped_column(String(2_000))
    """The path template of the routes that have operations read."""
    kind: Mapped[str] = mapped_column(String(40))
    field: Mapped[Name]
    type: Mapped[str] = mapped_column(String(40))
    name: Mapped[Name]
    route: Mapped[Name]
    side: Mapped[str] = mapped_column(String(10))
    requests: Mapped[BigInt]
    errors: Mapped[BigInt]
    faults: Mapped[BigInt]
    head_us: Mapped[BigInt]
    first_ms: Mapped[BigInt]
    last_ms: Mapped[BigInt]


class ReportRow(Base):
    """A report that was counted already."""

    __tablename__ = "reports_seen"

    boot: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at_ms: Mapped[BigInt]
    serves: Mapped[str | None] = mapped_column(String(64))
    """ETag of the table that a sandbox serves; none for proxies that acknowledge."""

    __table_args__ = (Index("reports_seen_at", "at_ms"),)


class EventRow(Base):
    """Something that happened at a proxy: a breaker that opened, a URL that was ejected."""

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
    member: Mapped[str] = mapped_column(String(2_000), server_default="")

    __table_args__ = (Index("events_at", "at_ms"), Index("events_route", "route"))


class ComparedRouteRow(Base):
    """Which evidence window of a route is the current one."""

    __tablename__ = "compared_routes"

    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    window: Mapped[str] = mapped_column(String(64))
    revision: Mapped[BigInt]
    last_ms: Mapped[BigInt]


class ComparedWindowRow(Base):
    """What was compared of a route while nothing changed that comparisons depend on."""

    __tablename__ = "compared_windows"

    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    window: Mapped[str] = mapped_column(String(64), primary_key=True)
    revision: Mapped[BigInt]
    """The newest revision that it was seen with."""
    first_ms: Mapped[BigInt]
    last_ms: Mapped[BigInt]
    captured: Mapped[BigInt]
    noise_pairs: Mapped[BigInt]
    """Pairs of legacy with itself."""
    counts: Mapped[Document]
    """Verdicts, skipped, dropped, errors of both sides: JSON of counters by name."""
    latency: Mapped[Document]
    """JSON of counts by bucket of `figway.evidence.histogram`, by side."""

    __table_args__ = (Index("compared_windows_last", "last_ms"),)


class ComparedBuildRow(Base):
    """What was compared of a route with one build of new: counts by what differed.

    The parts of `figway.evidence.window.BuildEvidence`, apart by how often they change.
    """

    __tablename__ = "compared_builds"

    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    window: Mapped[str] = mapped_column(String(64), primary_key=True)
    build: Mapped[str] = mapped_column(String(200), primary_key=True)
    """Empty where new names none."""
    version: Mapped[BigInt]
    """Goes up with every change of the row."""
    first_ms: Mapped[BigInt]
    last_ms: Mapped[BigInt]
    counts: Mapped[Document]
    places: Mapped[Document]
    requests: Mapped[Document]


class ComparedMinuteRow(Base):
    """The verdicts of a minute."""

    __tablename__ = "compared_minutes"

    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    bucket_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    window: Mapped[str] = mapped_column(String(64), primary_key=True)
    verdict: Mapped[str] = mapped_column(String(20), primary_key=True)
    """A verdict, or `captured`, or `dropped`."""
    pairs: Mapped[BigInt]

    __table_args__ = (Index("compared_minutes_bucket", "bucket_ms"),)


class ComparedFieldRow(Base):
    """A field that differed within a window."""

    __tablename__ = "compared_fields"

    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    window: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Digest of `field`, which may be longer than an index takes."""
    field: Mapped[Document]
    path: Mapped[Document]
    kind: Mapped[str] = mapped_column(String(80))
    detector: Mapped[str] = mapped_column(String(80))
    differing: Mapped[BigInt]
    """Pairs of legacy and new that differ there."""
    ignored: Mapped[BigInt]
    self_differing: Mapped[BigInt]
    """Pairs of legacy with itself that differ there."""
    rule: Mapped[Document]
    proposed: Mapped[Document]
    """The rule that would cover it, as JSON; empty for none."""
    first_ms: Mapped[BigInt]
    last_ms: Mapped[BigInt]


class ExampleRow(Base):
    """A stored pair of answers, redacted."""

    __tablename__ = "compared_examples"

    number: Mapped[Serial]
    """In the order of arrival."""
    id: Mapped[str] = mapped_column(String(64), unique=True)
    at_ms: Mapped[BigInt]
    received_ms: Mapped[BigInt]
    route: Mapped[Name]
    window: Mapped[str] = mapped_column(String(64))
    revision: Mapped[BigInt]
    instance: Mapped[Name]
    verdict: Mapped[str] = mapped_column(String(20))
    signature: Mapped[str] = mapped_column(String(64))
    served: Mapped[str] = mapped_column(String(10))
    size: Mapped[BigInt]
    """Bytes of the document."""
    summary: Mapped[Document]
    """What lists show, as JSON."""
    document: Mapped[Document]
    """The pair, whole, as JSON."""

    __table_args__ = (
        Index("compared_examples_route", "route", "number"),
        Index("compared_examples_verdict", "route", "verdict", "number"),
        Index("compared_examples_signature", "route", "verdict", "signature", "number"),
        Index("compared_examples_received", "received_ms"),
        Index("compared_examples_of_verdict", "verdict", "number"),
        Index("compared_examples_of_signature", "signature", "number"),
        Index("compared_examples_of_window", "window", "number"),
    )


class ExampleFieldRow(Base):
    """Where an example differs: by the digests of its fields, and of their paths."""

    __tablename__ = "compared_example_fields"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(32), primary_key=True)

    __table_args__ = (Index("compared_example_fields_key", "key", "number"),)


class ExampleUsageRow(Base):
    """How much the examples of a route take, so that nobody has to add them up."""

    __tablename__ = "compared_usage"

    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    examples: Mapped[BigInt]
    size: Mapped[BigInt]


class BatchRow(Base):
    """A batch of comparisons that was counted already."""

    __tablename__ = "compared_batches"

    boot: Mapped[str] = mapped_column(String(64), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at_ms: Mapped[BigInt]

    __table_args__ = (Index("compared_batches_at", "at_ms"),)


class ShadowWorkerRow(Base):
    """A shadow worker as it last described itself."""

    __tablename__ = "shadow_workers"

    instance: Mapped[str] = mapped_column(String(200), primary_key=True)
    boot: Mapped[str] = mapped_column(String(64))
    seen_ms: Mapped[BigInt]
    document: Mapped[Document]


class ReplayRow(Base):
    """Stored requests that are to be sent once more."""

    __tablename__ = "replays"

    number: Mapped[Serial]
    id: Mapped[str] = mapped_column(String(64), unique=True)
    route: Mapped[Name]
    actor: Mapped[Name]
    created_ms: Mapped[BigInt]
    status: Mapped[str] = mapped_column(String(20))
    instance: Mapped[Name]
    """The proxy that works on it."""
    leased_ms: Mapped[BigInt]
    """Until then nobody else gets it."""
    finished_ms: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        Index("replays_status", "status", "number"),
        Index("replays_route", "route", "number"),
    )


class ReplayItemRow(Base):
    """One example of a replay, and what came of it."""

    __tablename__ = "replay_items"

    replay: Mapped[str] = mapped_column(String(64), primary_key=True)
    example: Mapped[str] = mapped_column(String(64), primary_key=True)
    was: Mapped[str] = mapped_column(String(20))
    """The stored verdict."""
    verdict: Mapped[str] = mapped_column(String(20))
    """Empty until it was replayed; `not_replayable` besides the verdicts."""
    at_ms: Mapped[BigInt]
    document: Mapped[Document]
    """Reason, differences and the new answer, as JSON."""

    __table_args__ = (Index("replay_items_example", "example"),)


class SessionRow(Base):
    """A console session, or a one-time link to one; of its token only a hash."""

    __tablename__ = "sessions"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    """`link` or `session`."""
    name: Mapped[Name]
    prefix: Mapped[str] = mapped_column(String(16))
    """Prefix of the key that it was made with; it ends with that key. Empty for none."""
    role: Mapped[str] = mapped_column(String(20))
    created_ms: Mapped[BigInt]
    expires_ms: Mapped[BigInt]
    id: Mapped[str] = mapped_column(String(16), server_default="")
    """Names it in lists; it gives access to nothing."""
    address: Mapped[str] = mapped_column(String(64), server_default="")
    """Where it was begun."""

    __table_args__ = (Index("sessions_expires", "expires_ms"),)
