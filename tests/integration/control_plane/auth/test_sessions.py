"""What log-ins leave behind, and how sessions end."""

from __future__ import annotations

import pytest

from control_plane.audit.entry import AuditEntry
from control_plane.auth.roles import Role
from control_plane.auth.service import create_key
from tests.support.console import Browser, browser
from tests.support.control import Control


async def _actions(control: Control) -> list[tuple[str, str]]:
    found = (await control.get("/audit"))["items"]
    return [(entry["action"], entry["address"]) for entry in found]


async def test_log_ins_failures_and_links_are_audited(control: Control) -> None:
    """S6: who came in, by what, from where; and who did not."""
    link = await control.services.sessions.link("start link", Role.ADMIN)
    visitor = Browser(control)
    assert (await visitor.log_in("fgw_abcdefgh_" + "0" * 48)).status_code == 401
    await visitor.client.post("/console/login", data={"token": link})
    await browser(control)
    actions = await _actions(control)
    assert ("session.link", "") in actions
    assert ("session.failed", "127.0.0.1") in actions
    assert actions.count(("session.start", "127.0.0.1")) == 2
    assert "fgw_" not in str((await control.get("/audit"))["items"])


async def test_sessions_are_listed_and_ended(control: Control) -> None:
    """S6: by an id that gives access to nothing."""
    visitor = await browser(control, Role.VIEWER)
    [line] = (await control.get("/sessions"))["items"]
    assert line["address"] == "127.0.0.1"
    assert (await visitor.part("/status")).status_code == 200
    assert (await control.client.delete(f"/sessions/{line['id']}")).status_code == 204
    assert (await visitor.part("/status")).status_code == 401
    assert (await control.client.delete(f"/sessions/{line['id']}")).status_code == 404
    assert (await _actions(control))[0][0] == "session.end"


async def test_revoking_a_key_ends_its_sessions_at_once(control: Control) -> None:
    """S6: not within seconds."""
    entry = AuditEntry("test", "", "key.create", "key")
    key = await create_key(control.services.database, name="ada", role=Role.OPERATOR, entry=entry)
    visitor = Browser(control)
    await visitor.log_in(str(key))
    assert (await visitor.part("/status")).status_code == 200
    assert (await control.client.delete(f"/keys/{key.prefix}")).status_code == 204
    assert (await visitor.part("/status")).status_code == 401
    assert (await control.get("/sessions"))["items"] == []


async def test_the_console_takes_its_own_form(control: Control) -> None:
    """S8: `no-referrer` makes browsers send `Origin: null` with a form, by a host name over
    http."""
    answer = await Browser(control).client.get("/console/login")
    assert answer.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "a\u202eb", "a\x00b", "a\x9bb", "a\u2066b"])
async def test_text_that_acts_is_refused(control: Control, text: str) -> None:
    """S4: in reasons and names: on a terminal it moves the cursor, or hides what it says."""
    await control.seed()
    body = {"weight": 100, "reason": text}
    flip = await control.client.post("/routes/orders/flip", json=body, headers={"if-match": "*"})
    assert flip.status_code == 422
    assert (await control.post("/keys", {"name": text, "role": "viewer"})).status_code == 422
    assert (await control.post("/kill", {"on": True, "reason": text})).status_code == 422
    gone = await control.client.delete("/routes/orders", params={"reason": text})
    assert gone.status_code == 422


async def test_sessions_come_by_the_page(control: Control) -> None:
    """Newest first, each once."""
    for _ in range(3):
        await browser(control)
    found, cursor = [], ""
    for _ in range(3):
        page = await control.get("/sessions", limit=1, cursor=cursor)
        found += [entry["id"] for entry in page["items"]]
        cursor = page["next"] or ""
    assert (len(set(found)), cursor) == (3, "")
    assert found == [entry["id"] for entry in (await control.get("/sessions"))["items"]]
    wrong = await control.client.get("/sessions", params={"cursor": "Wzdd"})
    assert wrong.status_code == 422
