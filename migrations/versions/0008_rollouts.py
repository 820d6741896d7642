"""Rollouts, events that are sent out, approvals of changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0005"
branch_labels = None
depends_on = None


def _serial(name: str) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, primary_key=True, autoincrement=True, nullable=False)


def _text(name: str, length: int = 0, **more: object) -> sa.Column[str]:
    kind = sa.String(length) if length else sa.Text()
    return sa.Column(name, kind, nullable=False, **more)  # type: ignore[arg-type]


def _number(name: str, *, nullable: bool = False, **more: object) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable, **more)  # type: ignore[arg-type]


def _small(name: str, *, nullable: bool = False, **more: object) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=nullable, **more)  # type: ignore[arg-type]


def upgrade() -> None:
    _rollouts()
    _events()
    _approvals()


def _rollouts() -> None:
    op.create_table(
        "rollouts",
        _text("id", 64, primary_key=True),
        _text("plan"),
        _text("plan_hash", 32),
        _text("state"),
        _text("phase", 20),
        _number("phase_ms"),
        _number("version"),
        _text("look"),
        _number("looked_ms"),
        _number("created_ms"),
        _text("created_by", 200),
    )
    op.create_index("rollouts_phase", "rollouts", ["phase"])
    op.create_table(
        "rollout_events",
        _serial("id"),
        _text("rollout", 64),
        _number("at_ms"),
        _text("kind", 20),
        _text("phase", 20),
        _text("waiting_for", 20),
        _small("step"),
        _text("reasons"),
        _number("revision", nullable=True),
        _text("actor", 200),
        _text("note"),
    )
    op.create_index("rollout_events_rollout", "rollout_events", ["rollout", "id"])
    op.create_table(
        "rollout_points",
        _text("rollout", 64, primary_key=True),
        _number("at_ms", primary_key=True, autoincrement=False),
        _text("document"),
    )
    op.create_index("rollout_points_at", "rollout_points", ["at_ms"])
    op.create_table(
        "leases",
        _text("name", 40, primary_key=True),
        _text("owner", 64),
        _number("until_ms"),
    )


def _events() -> None:
    op.create_table(
        "out_events",
        _serial("number"),
        _text("id", 64, unique=True),
        _number("at_ms"),
        _text("type", 60),
        _text("subject", 200),
        _text("document"),
        sa.Column("spread", sa.Boolean(), nullable=False),
    )
    op.create_index("out_events_spread", "out_events", ["spread", "number"])
    op.create_index("out_events_at", "out_events", ["at_ms"])
    op.create_table(
        "webhook_endpoints",
        _text("id", 64, primary_key=True),
        _text("url", 2_000),
        _text("form", 20),
        _text("secret", 200),
        _text("types"),
        _number("disabled_ms", nullable=True),
        _text("disabled_why", 200),
        _number("created_ms"),
        _text("created_by", 200),
    )
    op.create_table(
        "webhook_deliveries",
        _serial("number"),
        _text("event", 64),
        _text("endpoint", 64),
        _text("status", 20),
        _small("attempts"),
        _number("next_ms"),
        _number("at_ms"),
        _small("last_status", nullable=True),
        _text("last_error", 300),
    )
    for name, columns in (
        ("next", ["status", "next_ms"]),
        ("endpoint", ["endpoint", "number"]),
        ("event", ["event"]),
        ("at", ["at_ms"]),
    ):
        op.create_index(f"webhook_deliveries_{name}", "webhook_deliveries", columns)


def _approvals() -> None:
    op.create_table(
        "change_rules",
        _small("id", primary_key=True, autoincrement=False),
        _text("document"),
        _number("changed_ms"),
        _text("changed_by", 200),
    )
    op.create_table(
        "change_requests",
        _text("hash", 32, primary_key=True),
        _text("summary"),
        _text("changes"),
        _small("needs"),
        _text("actor", 200),
        _text("reason"),
        _number("at_ms"),
        _text("status", 20),
        _number("revision", nullable=True),
    )
    op.create_index("change_requests_status", "change_requests", ["status", "at_ms"])
    op.create_table(
        "change_approvals",
        _text("hash", 32, primary_key=True),
        _text("actor", 200, primary_key=True),
        _number("at_ms"),
        _text("note"),
    )


def downgrade() -> None:
    for table in (
        "change_approvals",
        "change_requests",
        "change_rules",
        "webhook_deliveries",
        "webhook_endpoints",
        "out_events",
        "leases",
        "rollout_points",
        "rollout_events",
        "rollouts",
    ):
        op.drop_table(table)
