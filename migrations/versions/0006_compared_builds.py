"""Counts by what differed, by route, window and build of new: verdicts are derived from them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "compared_builds",
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("window", sa.String(length=64), nullable=False),
        sa.Column("build", sa.String(length=200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("places", sa.Text(), nullable=False),
        sa.Column("requests", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("route", "window", "build"),
    )


def downgrade() -> None:
    op.drop_table("compared_builds")
