"""What the endpoints of approvals take and give."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from control_plane.approvals.store import ChangeRequest
from control_plane.http.described import Described

RulesIn = Annotated[dict[str, Any], Field(max_length=10)]
"""`approvals` and `freezes`, as `figway.rollout` has shares, days and hours."""


class RulesOut(Described, BaseModel):
    """The rules in force."""

    approvals: list[dict[str, Any]]
    freezes: list[dict[str, Any]]


class ChangeRequestOut(Described, BaseModel):
    """A change that waits for other people, or waited."""

    hash: str
    """Names exactly this change; an unambiguous beginning is enough in an address."""
    status: str
    """`open`, `made`, `rejected`"""
    summary: list[str]
    needs: int
    approved_by: list[str]
    actor: str
    reason: str
    at_ms: int
    revision: int | None


def request_out(found: ChangeRequest) -> ChangeRequestOut:
    """A request as the API shows it."""
    return ChangeRequestOut(
        hash=found.hash, status=found.status, summary=list(found.summary), needs=found.needs,
        approved_by=list(found.approved_by), actor=found.actor, reason=found.reason,
        at_ms=found.at_ms, revision=found.revision,
    )  # fmt: skip
