"""Comparisons of the two sides: windows, fields, examples, replays."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "compared_batches",
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("boot", "sequence"),
    )
    with op.batch_alter_table("compared_batches", schema=None) as batch_op:
        batch_op.create_index("compared_batches_at", ["at_ms"], unique=False)

    op.create_table(
        "compared_example_fields",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("number", "key"),
    )
    with op.batch_alter_table("compared_example_fields", schema=None) as batch_op:
        batch_op.create_index("compared_example_fields_key", ["key", "number"], unique=False)

    op.create_table(
        "compared_examples",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("window", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("instance", sa.String(length=200), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.Column("served", sa.String(length=10), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    with op.batch_alter_table("compared_examples", schema=None) as batch_op:
        batch_op.create_index("compared_examples_received", ["received_ms"], unique=False)
        batch_op.create_index("compared_examples_route", ["route", "number"], unique=False)
        batch_op.create_index(
            "compared_examples_signature", ["route", "verdict", "signature", "number"], unique=False
        )
        batch_op.create_index(
            "compared_examples_verdict", ["route", "verdict", "number"], unique=False
        )

    op.create_table(
        "compared_fields",
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("window", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("detector", sa.String(length=80), nullable=False),
        sa.Column("differing", sa.BigInteger(), nullable=False),
        sa.Column("ignored", sa.BigInteger(), nullable=False),
        sa.Column("self_differing", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("proposed", sa.Text(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("route", "window", "key"),
    )
    op.create_table(
        "compared_minutes",
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("bucket_ms", sa.BigInteger(), nullable=False),
        sa.Column("window", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("pairs", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("route", "bucket_ms", "window", "verdict"),
    )
    with op.batch_alter_table("compared_minutes", schema=None) as batch_op:
        batch_op.create_index("compared_minutes_bucket", ["bucket_ms"], unique=False)

    op.create_table(
        "compared_routes",
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("window", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("route"),
    )
    op.create_table(
        "compared_usage",
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("examples", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("route"),
    )
    op.create_table(
        "compared_windows",
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("window", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), nullable=False),
        sa.Column("noise_pairs", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("latency", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("route", "window"),
    )
    with op.batch_alter_table("compared_windows", schema=None) as batch_op:
        batch_op.create_index("compared_windows_last", ["last_ms"], unique=False)

    op.create_table(
        "replay_items",
        sa.Column("replay", sa.String(length=64), nullable=False),
        sa.Column("example", sa.String(length=64), nullable=False),
        sa.Column("was", sa.String(length=20), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("replay", "example"),
    )
    with op.batch_alter_table("replay_items", schema=None) as batch_op:
        batch_op.create_index("replay_items_example", ["example"], unique=False)

    op.create_table(
        "replays",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("instance", sa.String(length=200), nullable=False),
        sa.Column("leased_ms", sa.BigInteger(), nullable=False),
        sa.Column("finished_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    with op.batch_alter_table("replays", schema=None) as batch_op:
        batch_op.create_index("replays_route", ["route", "number"], unique=False)
        batch_op.create_index("replays_status", ["status", "number"], unique=False)

    op.create_table(
        "shadow_workers",
        sa.Column("instance", sa.String(length=200), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("instance"),
    )


def downgrade() -> None:
    op.drop_table("shadow_workers")
    with op.batch_alter_table("replays", schema=None) as batch_op:
        batch_op.drop_index("replays_status")
        batch_op.drop_index("replays_route")

    op.drop_table("replays")
    with op.batch_alter_table("replay_items", schema=None) as batch_op:
        batch_op.drop_index("replay_items_example")

    op.drop_table("replay_items")
    with op.batch_alter_table("compared_windows", schema=None) as batch_op:
        batch_op.drop_index("compared_windows_last")

    op.drop_table("compared_windows")
    op.drop_table("compared_usage")
    op.drop_table("compared_routes")
    with op.batch_alter_table("compared_minutes", schema=None) as batch_op:
        batch_op.drop_index("compared_minutes_bucket")

    op.drop_table("compared_minutes")
    op.drop_table("compared_fields")
    with op.batch_alter_table("compared_examples", schema=None) as batch_op:
        batch_op.drop_index("compared_examples_verdict")
        batch_op.drop_index("compared_examples_signature")
        batch_op.drop_index("compared_examples_route")
        batch_op.drop_index("compared_examples_received")

    op.drop_table("compared_examples")
    with op.batch_alter_table("compared_example_fields", schema=None) as batch_op:
        batch_op.drop_index("compared_example_fields_key")

    op.drop_table("compared_example_fields")
    with op.batch_alter_table("compared_batches", schema=None) as batch_op:
        batch_op.drop_index("compared_batches_at")

    op.drop_table("compared_batches")
