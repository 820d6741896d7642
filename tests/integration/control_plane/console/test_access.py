"""Who gets into the console, what they may do there, and how it ends."""

from __future__ import annotations

from sqlalchemy import update

from control_plane.auth.roles import Role
from control_plane.auth.sessions import Sessions
from control_plane.db.models import SessionRow
from tests.support.console import SCREENS, Browser, Page, browser
from tests.support.control import Control
from tests.support.databases import OpenControl


async def test_nothing_without_a_session(control: Control) -> None:
    """trap 55"""
    stranger = Browser(control)
    for path in (*SCREENS, "/keys", "/routes/orders/traffic.json", "/live"):
        answer = await stranger.client.get(f"/console{path}")
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/console/login?next=")
    for path in ("/kill", "/routes/orders/flip", "/keys", "/logout"):
        answer = await stranger.client.post(f"/console{path}", data={"on": "1"})
        assert answer.status_code == 401, path
    part = await stranger.part("/map")
    assert part.status_code == 401
    assert part.headers["hx-retarget"] == "#notice"
    assert "expired" in part.text
    assert (await control.get("/kill"))["on"] is False


async def test_the_cookie(control: Control) -> None:
    visitor = Browser(control)
    answer = await visitor.log_in(control.key)
    assert answer.headers["location"] == "/console"
    cookie = answer.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=strict", "path=/console", "max-age=43200"):
        assert part in cookie
    assert control.key not in cookie
    # The API takes keys only: a session is of no use there.
    bare = await visitor.client.get("/api/v1/routes")
    assert bare.status_code == 401


async def test_a_wrong_key_and_too_many_of_them(open_control: OpenControl) -> None:
    async with open_control(auth_failures=2) as control:
        visitor = Browser(control)
        for _ in range(3):
            answer = await visitor.log_in("fgw_aaaaaaaa_" + "b" * 48)
        assert answer.status_code == 429
        assert "retry-after" in answer.headers
        assert "set-cookie" not in answer.headers


async def test_a_link_works_once(control: Control) -> None:
    link = await Sessions(control.services.database).link("start link", Role.ADMIN)
    visitor = Browser(control)
    for _ in range(2):  # looking at it, as a mail scanner does, uses nothing up
        form = Page((await visitor.client.get(f"/console/login?token={link}")).text)
        assert {"name": "token", "type": "hidden", "value": link} in form.all("input")
    first = await visitor.client.post("/console/login", data={"token": link})
    assert first.status_code == 303
    assert (await visitor.client.get("/console/keys")).status_code == 200
    again = await Browser(control).client.post("/console/login", data={"token": link})
    assert again.status_code == 401
    assert "works once" in again.text


async def test_roles_are_those_of_the_api(control: Control) -> None:
    """A viewer sees everything and can flip nothing."""
    await control.seed()
    viewer = await browser(control, Role.VIEWER)
    for path in (*SCREENS, "/routes/orders", "/routes/orders/flip?stage=canary", "/kill"):
        page = await viewer.page(path)
        forms = [form for form in page.all("form") if form.get("method") == "post"]
        assert [form["action"] for form in forms] in ([], ["/console/logout"]), path
    for path in ("/routes/orders/flip", "/kill", "/revisions/3/undo", "/shadow/orders/rule",
                 "/shadow/orders/noise", "/shadow/orders/replay"):  # fmt: skip
        answer = await viewer.send(path, stage="canary", percent="10", reason="r", on="1")
        assert answer.status_code == 403, path
        assert "takes the role operator" in answer.text
    operator = await browser(control, Role.OPERATOR)
    assert (await operator.client.get("/console/keys")).status_code == 403
    assert (await operator.send("/keys", name="x", role="admin")).status_code == 403
    proxy = Browser(control)
    key = (await control.post("/keys", {"name": "p", "role": "proxy"})).json()["key"]
    assert (await proxy.log_in(key)).status_code == 403
    assert (await control.get("/revisions"))["items"][0]["revision"] == 3


async def test_an_origin_that_is_no_url_is_foreign(control: Control) -> None:
    """Half an IPv6 address was a 500."""
    await control.seed()
    visitor = await browser(control)
    answer = await visitor.client.post(
        "/console/kill", data={"on": "1", "reason": "r"}, headers={"origin": "http://[::1"}
    )
    assert answer.status_code == 403


async def test_a_form_of_another_site(control: Control) -> None:
    await control.seed()
    visitor = await browser(control)
    for csrf in ("", "0" * 64):
        answer = await visitor.send("/kill", csrf=csrf, on="1", reason="r")
        assert answer.status_code == 403
        assert "nothing was changed" in answer.text
    headers = {"x-csrf-token": visitor.csrf}
    for name, value in (("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")):
        answer = await visitor.client.post(
            "/console/kill", data={"on": "1", "reason": "r"}, headers={**headers, name: value}
        )
        assert answer.status_code == 403, name
    strange = await Browser(control).client.post(
        "/console/login",
        data={"key": control.key},
        headers={"origin": "http://evil.example"},
    )
    assert strange.status_code == 403
    assert "set-cookie" not in strange.headers
    assert (await control.get("/kill"))["on"] is False


async def test_a_session_ends_with_its_key_its_time_and_a_log_out(control: Control) -> None:
    visitor = await browser(control, Role.OPERATOR)
    key = next(row for row in (await control.get("/keys"))["items"] if row["name"] == "a operator")
    token = visitor.client.cookies["figway_session"]
    fresh = Sessions(control.services.database)  # as another control plane would see it
    assert await fresh.find(token) is not None
    await control.client.delete(f"/keys/{key['prefix']}")
    assert await Sessions(control.services.database).find(token) is None

    other = await browser(control)
    token = other.client.cookies["figway_session"]
    async with control.services.database.write() as connection:
        await connection.execute(update(SessionRow).values(expires_ms=1))
    assert await Sessions(control.services.database).find(token) is None

    third = await browser(control)
    token = third.client.cookies["figway_session"]
    left = await third.client.post("/console/logout", data={"csrf": third.csrf})
    assert left.status_code == 303
    stale = Browser(control)
    stale.client.cookies.set("figway_session", token)
    answer = await stale.client.get("/console/routes?q=x")
    assert answer.headers["location"] == (
        "/console/login?next=%2Fconsole%2Froutes%3Fq%3Dx&expired=1"
    )
    said = await stale.client.get(answer.headers["location"])
    assert "Your session has expired" in said.text
    assert 'value="/console/routes?q=x"' in said.text


async def test_sessions_outlast_a_restart_and_hold_at_every_control_plane(control: Control) -> None:
    visitor = await browser(control)
    token = visitor.client.cookies["figway_session"]
    found = await Sessions(control.services.database).find(token)
    assert found is not None
    assert found.csrf == visitor.csrf


async def test_logging_in_leads_nowhere_else(control: Control) -> None:
    for there in ("https://evil.example", "//evil.example", "/\\evil.example", "/api/v1",
                  "/console//evil.example", "/consolex", "javascript:alert(1)",
                  "/console/\r\nSet-Cookie: x"):  # fmt: skip
        answer = await Browser(control).client.post(
            "/console/login", data={"key": control.key, "next": there}
        )
        assert answer.headers["location"] == "/console", there
    answer = await Browser(control).client.post(
        "/console/login", data={"key": control.key, "next": "/console/routes?q=a"}
    )
    assert answer.headers["location"] == "/console/routes?q=a"
