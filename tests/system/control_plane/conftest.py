"""Every test that takes `database_url` or `play` runs on SQLite and on PostgreSQL."""

from tests.support.databases import (
    database_kind,
    database_url,
    migrated_file,
    migrated_template,
    migrated_url,
    play,
    postgres_server,
    postgres_url,
)

__all__ = [
    "database_kind",
    "database_url",
    "migrated_file",
    "migrated_template",
    "migrated_url",
    "play",
    "postgres_server",
    "postgres_url",
]
