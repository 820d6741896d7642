"""Events of a backend's URLs: which of them it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    member = sa.Column("member", sa.String(2_000), nullable=False, server_default="")
    op.add_column("events", member)


def downgrade() -> None:
    op.drop_column("events", "member")
