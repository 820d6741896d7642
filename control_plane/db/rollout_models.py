"""Tables of rollouts, of events sent out, and of approvals."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.models import Base, BigInt, Document, Name, Serial


class RolloutRow(Base):
    """A plan, and where its rollout stands. Stored apart from the table: proxies never see it."""

    __tablename__ = "rollouts"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    plan: Mapped[Document]
    """As `figway.rollout.parsing.plan_to_data` writes it, as JSON."""
    plan_hash: Mapped[str] = mapped_column(String(32))
    state: Mapped[Document]
    """As `figway.rollout.state.state_to_data` writes it; empty before the first start."""
    phase: Mapped[str] = mapped_column(String(20))
    """The state's phase; `planned` before the first start."""
    phase_ms: Mapped[BigInt]
    """Since when it stands for what it stands for: phase, step and what it waits for."""
    version: Mapped[BigInt]
    """Rises with every write: who wrote last wins nothing, who read last does."""
    look: Mapped[Document]
    """The last look: reasons, gates and guards with their figures."""
    looked_ms: Mapped[BigInt]
    created_ms: Mapped[BigInt]
    created_by: Mapped[Name]

    __table_args__ = (Index("rollouts_phase", "phase"),)


class RolloutEventRow(Base):
    """One line of a rollout's timeline. Only ever added."""

    __tablename__ = "rollout_events"

    id: Mapped[Serial]
    rollout: Mapped[str] = mapped_column(String(64))
    at_ms: Mapped[BigInt]
    kind: Mapped[str] = mapped_column(String(20))
    """What it was told: `tick`, or a person's word; `planned`, `start`."""
    phase: Mapped[str] = mapped_column(String(20))
    waiting_for: Mapped[str] = mapped_column(String(20))
    step: Mapped[int] = mapped_column(Integer)
    reasons: Mapped[Document]
    revision: Mapped[int | None] = mapped_column(BigInteger)
    """The revision that it made."""
    actor: Mapped[Name]
    note: Mapped[Document]
    """A person's reason."""

    __table_args__ = (Index("rollout_events_rollout", "rollout", "id"),)


class RolloutPointRow(Base):
    """The figures of a rollout's gates and guards at one moment, for drawing them."""

    __tablename__ = "rollout_points"

    rollout: Mapped[str] = mapped_column(String(64), primary_key=True)
    at_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    document: Mapped[Document]

    __table_args__ = (Index("rollout_points_at", "at_ms"),)


class LeaseRow(Base):
    """Who does a job that only one control plane does at a time."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    until_ms: Mapped[BigInt]


class OutEventRow(Base):
    """Something that others are told of; written in the transaction of what it tells."""

    __tablename__ = "out_events"

    number: Mapped[Serial]
    id: Mapped[str] = mapped_column(String(64), unique=True)
    at_ms: Mapped[BigInt]
    type: Mapped[str] = mapped_column(String(60))
    subject: Mapped[Name]
    document: Mapped[Document]
    spread: Mapped[bool]
    """Whether its deliveries have been made."""

    __table_args__ = (
        Index("out_events_spread", "spread", "number"),
        Index("out_events_at", "at_ms"),
    )


class WebhookEndpointRow(Base):
    """Where events are sent to."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    url: Mapped[str] = mapped_column(String(2_000))
    form: Mapped[str] = mapped_column(String(20))
    """`standard`, `cloudevents` or `slack`."""
    secret: Mapped[str] = mapped_column(String(200))
    old_secret: Mapped[str | None] = mapped_column(String(200))
    """The secret before the last rotation, which signs as well until `old_until_ms`."""
    old_until_ms: Mapped[int | None] = mapped_column(BigInteger)
    types: Mapped[Document]
    """JSON list of event types, each exact or ending in `*`; empty for none."""
    disabled_ms: Mapped[int | None] = mapped_column(BigInteger)
    disabled_why: Mapped[str] = mapped_column(String(200))
    created_ms: Mapped[BigInt]
    created_by: Mapped[Name]


class WebhookDeliveryRow(Base):
    """One event on its way to one endpoint."""

    __tablename__ = "webhook_deliveries"

    number: Mapped[Serial]
    event: Mapped[str] = mapped_column(String(64))
    endpoint: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(20))
    """`waiting`, `delivered`, `failed`."""
    attempts: Mapped[int] = mapped_column(Integer)
    next_ms: Mapped[BigInt]
    """When it is tried next; while it is being tried, when another may."""
    at_ms: Mapped[BigInt]
    last_status: Mapped[int | None] = mapped_column(Integer)
    last_error: Mapped[str] = mapped_column(String(300))

    __table_args__ = (
        Index("webhook_deliveries_next", "status", "next_ms"),
        Index("webhook_deliveries_endpoint", "endpoint", "number"),
        Index("webhook_deliveries_event", "event"),
        Index("webhook_deliveries_at", "at_ms"),
    )


class ChangeRulesRow(Base):
    """Approvals and freezes; one row."""

    __tablename__ = "change_rules"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    document: Mapped[Document]
    changed_ms: Mapped[BigInt]
    changed_by: Mapped[Name]


class ChangeRequestRow(Base):
    """A change that needs approvals: exactly this one, by its hash."""

    __tablename__ = "change_requests"

    hash: Mapped[str] = mapped_column(String(32), primary_key=True)
    summary: Mapped[Document]
    changes: Mapped[Document]
    needs: Mapped[int] = mapped_column(Integer)
    actor: Mapped[Name]
    reason: Mapped[Document]
    at_ms: Mapped[BigInt]
    status: Mapped[str] = mapped_column(String(20))
    """`open`, `approved`, `made`, `rejected`."""
    revision: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (Index("change_requests_status", "status", "at_ms"),)


class ChangeApprovalRow(Base):
    """One person's approval of one change."""

    __tablename__ = "change_approvals"

    hash: Mapped[str] = mapped_column(String(32), primary_key=True)
    actor: Mapped[str] = mapped_column(String(200), primary_key=True)
    at_ms: Mapped[BigInt]
    note: Mapped[str] = mapped_column(Text)
