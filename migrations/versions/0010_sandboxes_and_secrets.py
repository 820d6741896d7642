"""What sandboxes serve, by their reports; and the secret of a webhook before its rotation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reports_seen", sa.Column("serves", sa.String(64), nullable=True))
    op.add_column("webhook_endpoints", sa.Column("old_secret", sa.String(200), nullable=True))
    op.add_column("webhook_endpoints", sa.Column("old_until_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("webhook_endpoints", "old_until_ms")
    op.drop_column("webhook_endpoints", "old_secret")
    op.drop_column("reports_seen", "serves")
