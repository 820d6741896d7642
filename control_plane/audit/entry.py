"""What the audit log keeps of each act."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry: `actor` did `action` to `subject`, for a `reason`."""

    actor: str
    address: str
    action: str
    subject: str
    reason: str = ""
