"""Every test that takes `database_url` or `control` runs on SQLite and on PostgreSQL."""

from tests.support.databases import (
    control,
    copy_of,
    database_kind,
    database_url,
    migrated_file,
    migrated_template,
    migrated_url,
    open_control,
    postgres_server,
    postgres_url,
)

__all__ = [
    "control",
    "copy_of",
    "database_kind",
    "database_url",
    "migrated_file",
    "migrated_template",
    "migrated_url",
    "open_control",
    "postgres_server",
    "postgres_url",
]
