"""Run by Alembic: migrates over the connection that the control plane hands in."""

from __future__ import annotations

from alembic import context

from control_plane.db.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
