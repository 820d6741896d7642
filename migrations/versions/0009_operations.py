"""Operations inside a path, as they were asked for by day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None

_WORDS = (("kind", 40), ("field", 200), ("type", 40), ("name", 200), ("route", 200), ("side", 10))
_NUMBERS = ("requests", "errors", "faults", "head_us", "first_ms", "last_ms")


def upgrade() -> None:
    op.create_table(
        "operations",
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("place", sa.String(2_000), nullable=False),
        *(sa.Column(name, sa.String(size), nullable=False) for name, size in _WORDS),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _NUMBERS),
    )


def downgrade() -> None:
    op.drop_table("operations")
