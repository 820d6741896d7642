"""Indexes for lists that were narrowed by reading everything: pairs of all routes, the audit."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INDEXES = (
    ("audit_action", "audit", ["action", "id"]),
    ("audit_at", "audit", ["at_ms"]),
    ("compared_examples_of_verdict", "compared_examples", ["verdict", "number"]),
    ("compared_examples_of_signature", "compared_examples", ["signature", "number"]),
    ("compared_examples_of_window", "compared_examples", ["window", "number"]),
)


def upgrade() -> None:
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    for name, table, _ in reversed(_INDEXES):
        op.drop_index(name, table_name=table)
