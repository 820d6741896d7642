"""Who did what, when and why, with before and after; and as a file."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Response

from control_plane.audit.api import AuditOut, list_audit
from control_plane.console import formats
from control_plane.console.access import Viewing, Visit
from control_plane.http.paging import Page
from control_plane.http.problems import invalid

router = APIRouter()
PAGE = 50
MOST_EXPORTED = 10_000
ACTIONS = (
    "route.flip", "capability.flip", "kill.on", "kill.off", "route.breaker", "revision.undo",
    "revision.restore", "route.create", "route.put", "route.patch", "route.delete",
    "backend.create", "backend.put", "backend.patch", "backend.delete", "capability.create",
    "capability.put", "capability.patch", "capability.delete", "table.apply", "table.seed",
    "key.create", "key.revoke", "revision.redo", "session.start", "session.failed", "session.link",
    "session.end", "fleet.forget", "installation.adopt", "table.migrate", "rule.add",
    "rule.remove", "noise.overrule", "replay.create", "evidence.restart", "header.compare",
    "rules.put", "change.approve", "change.reject", "change.make", "rollout.plan", "rollout.delete",
    "rollout.start", "rollout.move", "rollout.approve", "rollout.pause", "rollout.resume",
    "rollout.promote", "rollout.promote_full", "rollout.abort", "rollout.retry", "webhook.create",
    "webhook.change", "webhook.delete", "webhook.resend",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@router.get("/audit")
async def show(
    visit: Viewing,
    actor: str = "",
    action: str = "",
    subject: str = "",
    since: str = "",
    until: str = "",
    cursor: str = "",
) -> Response:
    """The timeline, newest first."""
    asked = {
        "actor": actor.strip(), "action": action.strip(), "subject": subject.strip(),
        "since": since.strip(), "until": until.strip(),
    }  # fmt: skip
    found = await _page(visit, asked, cursor, PAGE)
    query = urlencode({name: value for name, value in asked.items() if value})
    return await visit.page(
        "audit.html",
        found=found,
        asked=asked,
        query=query,
        actions=ACTIONS,
        paged=bool(cursor),
        next_query=urlencode({"cursor": found.next or ""}),
    )


@router.get("/audit/export.{kind}")
async def export(
    kind: Literal["csv", "json"],
    visit: Viewing,
    actor: str = "",
    action: str = "",
    subject: str = "",
    since: str = "",
    until: str = "",
) -> Response:
    """The same entries as a file, the newest 10 000 of them."""
    asked = {"actor": actor, "action": action, "subject": subject, "since": since, "until": until}
    entries: list[AuditOut] = []
    cursor = ""
    while len(entries) < MOST_EXPORTED:
        part = await _page(visit, asked, cursor, 1_000)
        entries += part.items
        if part.next is None:
            break
        cursor = part.next
    if kind == "json":
        rows = [entry.model_dump(mode="json") for entry in entries]
        body, media = orjson.dumps(rows, option=orjson.OPT_INDENT_2), "application/json"
    else:
        body, media = _csv(entries), "text/csv; charset=utf-8"
    headers = {"Content-Disposition": f'attachment; filename="figway-audit.{kind}"'}
    return Response(body, headers=headers, media_type=media)


async def _page(visit: Visit, asked: dict[str, str], cursor: str, limit: int) -> Page[AuditOut]:
    return await list_audit(
        visit.actor,
        visit.services,
        actor=asked["actor"],
        action=asked["action"],
        subject=asked["subject"],
        since_ms=_moment("since", asked["since"]),
        until_ms=_moment("until", asked["until"]),
        limit=limit,
        cursor=cursor,
    )


def _moment(name: str, text: str) -> int | None:
    """What a browser's date field sends, as UTC. Raises `ApiProblem` 422."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(name, "write it as 2025-12-31 or 2025-12-31T18:00") from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return max(0, int(found.timestamp() * 1_000))


def _csv(entries: list[AuditOut]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["id", "at", "actor", "address", "action", "subject", "revision", "reason", "changes"]
    )
    for entry in entries:
        changes = "; ".join(change.text for change in entry.changes)
        values: list[Any] = [
            entry.id, formats.iso(entry.at_ms), entry.actor, entry.address, entry.action,
            entry.subject, entry.revision or "", entry.reason, changes,
        ]  # fmt: skip
        writer.writerow([_inert(value) for value in values])
    return out.getvalue().encode()


def _inert(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula is given as text."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
