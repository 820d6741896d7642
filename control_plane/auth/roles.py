"""Who may do what: the role of an API key. Who must also agree is a policy of its own
(`control_plane.approvals.rules`)."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a key may do. Each of the first three may all that the one before it may."""

    VIEWER = "viewer"
    """Sees everything but keys."""
    OPERATOR = "operator"
    """Changes the table: routes, flips, kill switch."""
    ADMIN = "admin"
    """Also keys."""
    PROXY = "proxy"
    """For machines: reads the table, acknowledges, reports. Nothing else."""

    def may(self, needed: Role) -> bool:
        """Does this role include `needed`?"""
        if needed is Role.PROXY:
            return self in (Role.PROXY, Role.ADMIN)
        if self is Role.PROXY:
            return False
        return _RANK[self] >= _RANK[needed]


_RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}
