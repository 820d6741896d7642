"""The time as the shop writes it: UTC with a Z."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp() -> str:
    """Now, to the second, for what is stored."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fine_stamp() -> str:
    """Now, to the microsecond, for what is answered."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
