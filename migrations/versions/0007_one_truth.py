"""The installation, the kill switch in a row of its own, and what tells changes apart.

Expand only: `kill_switch` in `items` stays for a release that still reads it; the first start of
this release moves it into the row.
"""

from __future__ import annotations

import time
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("adopts", sa.Text(), nullable=False),
    )
    op.create_table(
        "kill_switch",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("on", sa.Boolean(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    change = sa.Column("change_id", sa.String(36), nullable=False, server_default="")
    op.add_column("revisions", change)
    op.add_column("revisions", sa.Column("undoes", sa.BigInteger(), nullable=True))
    op.create_index("revisions_change", "revisions", ["change_id"])
    op.add_column("sessions", sa.Column("id", sa.String(16), nullable=False, server_default=""))
    op.add_column(
        "sessions", sa.Column("address", sa.String(64), nullable=False, server_default="")
    )
    _fill()


def _fill() -> None:
    connection = op.get_bind()
    connection.execute(
        sa.text("INSERT INTO installation (id, created_ms, adopts) VALUES (:id, :now, '[]')"),
        {"id": uuid4().hex, "now": int(time.time() * 1_000)},
    )
    undone = sa.text("SELECT revision, subject FROM audit WHERE action = 'revision.undo'")
    for number, subject in connection.execute(undone).all():
        taken_back = subject.rpartition(" ")[2]
        if number is not None and taken_back.isdecimal():
            connection.execute(
                sa.text("UPDATE revisions SET undoes = :undoes WHERE number = :number"),
                {"undoes": int(taken_back), "number": number},
            )


def downgrade() -> None:
    op.drop_column("sessions", "address")
    op.drop_column("sessions", "id")
    op.drop_index("revisions_change", "revisions")
    op.drop_column("revisions", "undoes")
    op.drop_column("revisions", "change_id")
    op.drop_table("kill_switch")
    op.drop_table("installation")
