"""The console over HTTP: its pages, the flip, and everything that may stand in its way."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from control_plane.auth.roles import Role
from control_plane.console import app as console_app
from control_plane.console.render import STATIC
from tests.support import comparing
from tests.support.console import SCREENS, Page, browser
from tests.support.control import Control


async def test_every_page_on_the_first_day(control: Control) -> None:
    """An empty system: each page says what to do next, and none breaks."""
    visitor = await browser(control)
    for path in (*SCREENS, "/keys", "/kill"):
        page = await visitor.page(path)
        assert page.all("h1") or page.all("h2"), path
    home = await visitor.page("/")
    assert "figway backends set legacy" in home.text
    assert "No proxy" in home.text
    assert "no proxy connected" in (await visitor.page("/fleet")).text


async def test_every_page_with_something_on_it(control: Control) -> None:
    await control.seed()
    await control.flip(2_500)
    now = await control.get("/table")
    await control.ack("p1", now["revision"], now["etag"], workers=[{"id": 0, "revision": 1}])
    pair = comparing.example({"a": 1, "b": 2}, {"a": 2, "b": 2})
    await comparing.send(
        control, 1,
        comparing.route(180, 20, fields=[comparing.field("$.a", 20)], examples=[pair]),
    )  # fmt: skip
    visitor = await browser(control)
    for path in (
        *SCREENS, "/keys", "/routes/orders", "/routes/orders/now", "/map", "/status",
        "/routes?q=ord&stage=canary&sort=-rps", "/revisions/3", "/shadow/orders",
        f"/shadow/orders/examples/{pair['id']}", "/routes/orders/flip?stage=new",
        f"/shadow/orders/examples/{pair['id']}?view=unified",
        "/shadow/orders?noise=1&verdict=mismatch&field=$.a",
        "/shadow/orders/rule?kind=ignore&target=$.a", "/audit?action=route.flip",
        "/explain?request=/orders/7&percent=60",
    ):  # fmt: skip
        await visitor.page(path)
    for path in ("/routes/orders/traffic.json", "/burn-up.json", "/audit/export.json"):
        answer = await visitor.client.get(f"/console{path}")
        assert answer.status_code == 200, path
        assert answer.json() is not None
    exported = await visitor.client.get("/console/shadow/orders/export?form=har")
    assert exported.json()["log"]["entries"]
    assert "1 of 1 proxy on revision 4" in (await visitor.page("/")).text
    assert "90 %" in (await visitor.page("/routes")).text  # the match rate


async def test_what_is_not_there(control: Control) -> None:
    await control.seed()
    visitor = await browser(control)
    for path in (
        "/nothing", "/routes/none", "/routes/none/flip?stage=new", "/shadow/none",
        "/revisions/99", "/capabilities/none/flip?stage=new", "/shadow/orders/examples/none",
        "/replays/none",
    ):  # fmt: skip
        page = await visitor.page(path, 404)
        assert page.all("a"), "a page that leads nowhere"


async def test_pages_load_nothing_from_elsewhere(control: Control) -> None:
    """No inline script or style, and a policy that would refuse them."""
    await control.seed()
    visitor = await browser(control)
    for path in (*SCREENS, "/routes/orders", "/login"):
        answer = await visitor.client.get(f"/console{path}")
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        page = Page(answer.text)
        assert not page.all("style")
        for tag, attrs in page.tags:
            assert "style" not in attrs, (path, tag)
            assert not [name for name in attrs if name.startswith("on")], (path, tag)
            for name in ("src", "action", "hx-get", "hx-post"):
                assert (attrs.get(name) or "/console").startswith("/console"), attrs
            if tag == "script":
                assert attrs["src"], "an inline script"
        for linked in [a["src"] for a in page.all("script")] + [
            a["href"] for a in page.all("link")
        ]:
            found = await visitor.client.get(str(linked))
            assert found.status_code == 200
            assert "immutable" in found.headers["cache-control"]
    assert (await visitor.client.get("/console/static/../app.py")).status_code == 404


async def _dialog(visitor: Any, path: str) -> dict[str, str]:
    answer = await visitor.part(path)
    assert answer.status_code == 200, answer.text
    inputs = Page(answer.text).all("input")
    return {str(i["name"]): i.get("value") or "" for i in inputs if i.get("name")}


async def test_a_flip_and_its_undo(control: Control) -> None:
    await control.seed()
    visitor = await browser(control, Role.OPERATOR)
    form = await _dialog(visitor, "/routes/orders/flip?stage=canary&percent=12.5")
    done = await visitor.send("/routes/orders/flip", **(form | {"reason": "a first eighth"}))
    assert done.status_code == 200, done.text
    assert "no proxy is live; revision 4 waits" in done.text
    route = await control.get("/routes/orders")
    assert (route["stage"], route["weight"]) == ("canary", 1_250)
    revision = await control.get("/revisions/4")
    assert revision["source"] == "console"
    assert revision["reason"] == "a first eighth"
    assert revision["actor"].startswith("a operator (")
    back = await visitor.send("/revisions/4/undo", reason="")
    assert back.status_code == 200, back.text
    assert (await control.get("/routes/orders")).get("stage", "legacy") == "legacy"


@pytest.mark.parametrize("typed", ["25.555", "25.555 %", "2e1", "-5", "500", "inf", "much"])
async def test_a_share_is_taken_as_the_command_line_takes_it(control: Control, typed: str) -> None:
    """What is finer than a weight, or none, is refused in every field; 25.555 % was 25.56 %."""
    await control.seed()
    visitor = await browser(control, Role.OPERATOR)
    form = {"stage": "canary", "etag": "", "reason": "r", "percent": typed}
    for answer in (
        await visitor.part(f"/routes/orders/flip?stage=canary&percent={quote(typed)}"),
        await visitor.send("/routes/orders/flip", **form),
        await visitor.part(f"/explain?request=/orders/7&percent={quote(typed)}"),
        await visitor.send(
            "/edit/routes/orders", reason="r", etag="*", **{"shadow.sample": f"{typed}%"}
        ),
    ):
        assert answer.status_code == 422, answer.text
        assert "is not a share" in answer.text
    assert (await control.get("/routes/orders"))["stage"] == "legacy"


async def test_everything_to_new_takes_the_name(control: Control) -> None:
    await control.seed()
    visitor = await browser(control)
    form = await _dialog(visitor, "/routes/orders/flip?stage=new")
    assert "typed" in form
    said = form | {"reason": "all of it"}
    wrong = await visitor.send("/routes/orders/flip", **(said | {"typed": "order"}))
    assert wrong.status_code == 422
    assert "type orders to confirm" in wrong.text
    assert "all of it" in wrong.text, "what was typed is lost"
    done = await visitor.send("/routes/orders/flip", **(said | {"typed": "orders"}))
    assert done.status_code == 200
    assert (await control.get("/routes/orders"))["stage"] == "new"
    form = await _dialog(visitor, "/routes/orders/flip?stage=legacy")
    assert "typed" not in form, "the way back asks for nothing"
    assert (await visitor.send("/routes/orders/flip", **(form | {"reason": "r"}))).status_code


async def test_two_people_edit_one_route(control: Control) -> None:
    """trap 54: who comes second sees who was first, and nothing is lost."""
    await control.seed()
    first, second = await browser(control), await browser(control)
    forms = [
        await _dialog(who, "/routes/orders/flip?stage=canary&percent=10") for who in (first, second)
    ]
    forms[1]["percent"] = "50"
    done = await first.send("/routes/orders/flip", **(forms[0] | {"reason": "ten"}))
    assert done.status_code == 200
    late = await second.send("/routes/orders/flip", **(forms[1] | {"reason": "fifty"}))
    assert late.status_code == 412
    assert "Somebody changed it while you looked" in late.text
    assert "ten" in late.text
    assert "Review it again" in late.text
    assert (await control.get("/routes/orders"))["weight"] == 1_000
    again = await _dialog(second, "/routes/orders/flip?stage=canary&percent=50")
    done = await second.send("/routes/orders/flip", **(again | {"reason": "fifty"}))
    assert done.status_code == 200
    assert (await control.get("/routes/orders"))["weight"] == 5_000


async def test_findings_are_shown_before_and_refuse(control: Control) -> None:
    await control.seed()
    bare = {"id": "bare", "match": {"path": "/bare"}}
    assert (await control.post("/routes", bare)).status_code == 201
    visitor = await browser(control)
    dialog = await visitor.part("/routes/bare/flip?stage=new")
    assert "The table would be wrong" in dialog.text
    assert "What to do:" in dialog.text
    assert 'method="post"' not in dialog.text, "a form for what cannot be done"
    form = {"stage": "new", "etag": "", "reason": "r", "typed": "bare", "percent": ""}
    assert (await visitor.send("/routes/bare/flip", **form)).status_code in (412, 422, 428)
    assert (await control.get("/routes/bare")).get("stage", "legacy") == "legacy"


async def test_a_capability_flips_whole(control: Control) -> None:
    await control.seed()
    assert (await control.post("/capabilities", {"id": "shop"})).status_code == 201
    for name in ("one", "two"):
        route = {"id": name, "match": {"path": f"/{name}"}, "new": "fn", "capability": "shop"}
        assert (await control.post("/routes", route)).status_code == 201
    visitor = await browser(control)
    assert "moves as one journey" in (await visitor.page("/routes?capability=shop")).text
    form = await _dialog(visitor, "/capabilities/shop/flip?stage=shadow")
    done = await visitor.send("/capabilities/shop/flip", **(form | {"reason": "together"}))
    assert done.status_code == 200, done.text
    stages = [(await control.get(f"/routes/{name}"))["stage"] for name in ("one", "two")]
    assert stages == ["shadow", "shadow"]
    revision = (await control.get("/revisions"))["items"][0]
    assert len((await control.get(f"/revisions/{revision['revision']}"))["changes"]) == 2


async def test_a_refused_table_is_shown(control: Control) -> None:
    """trap 53: which proxy refused which revision, and why."""
    await control.seed()
    now = await control.get("/table")
    finding = {"code": "regex_bad", "severity": "error", "path": "routes.x", "message": "no"}
    refused = {"revision": now["revision"], "etag": now["etag"], "findings": [finding]}
    await control.ack("p1", 1, "old", refused=refused)
    visitor = await browser(control)
    fleet = await visitor.page("/fleet")
    assert "refused a table" in fleet.text
    assert "regex_bad" in fleet.text
    assert "refused revision 3" in (await visitor.page("/")).text
    spread = await visitor.part(f"/propagation/{now['revision']}")
    assert "regex_bad" in spread.text


async def test_the_kill_switch(control: Control) -> None:
    await control.seed()
    visitor = await browser(control, Role.OPERATOR)
    assert (await visitor.send("/kill", on="1", reason="")).status_code == 422
    done = await visitor.send("/kill", on="1", reason="it burns")
    assert "The kill switch is on" in done.text
    assert (await control.get("/kill"))["on"] is True
    for path in SCREENS:
        assert "Kill switch on" in (await visitor.page(path)).text
    await visitor.send("/kill", on="0", reason="it is out")
    assert (await control.get("/kill"))["on"] is False


async def test_rules_noise_and_replays(control: Control) -> None:
    await control.seed()
    pair = comparing.example({"a": 1}, {"a": 2})
    await comparing.send(
        control, 1,
        comparing.route(1, 1, fields=[comparing.field("$.a", 1)], examples=[pair]),
    )  # fmt: skip
    visitor = await browser(control, Role.OPERATOR)
    dialog = await visitor.part("/shadow/orders/rule?kind=ignore&target=$.a")
    assert "On 1 stored pair" in dialog.text
    assert "mismatch 1 → 0" in dialog.text
    form = await _dialog(visitor, "/shadow/orders/rule?kind=ignore&target=$.a")
    done = await visitor.send("/shadow/orders/rule", **(form | {"kind": "ignore", "note": "n"}))
    assert done.status_code == 200, done.text
    [rule] = await control.get("/routes/orders/rules")
    assert rule["target"] == "$.a"
    assert rule["id"] in (await visitor.page("/shadow/orders")).text
    await visitor.send("/shadow/orders/rule/remove", id=rule["id"])
    assert await control.get("/routes/orders/rules") == []
    await visitor.send("/shadow/orders/noise", field="$.a|changed", word="noise")
    policy = (await control.get("/routes/orders"))["comparison"]
    assert policy["noise_overrules"] == [{"field": "$.a|changed", "word": "noise"}]
    asked = await visitor.send("/shadow/orders/replay", example=pair["id"])
    assert "at most <b>2</b> requests to legacy" in asked.text
    replay = await visitor.send("/shadow/orders/replay", example=pair["id"], confirmed="1")
    assert "Replay of 1 request" in replay.text
    assert (await control.get("/comparisons/replays/history"))["items"][0]["total"] == 1


async def test_what_caches_would_make_of_it(control: Control) -> None:
    """trap 43: where the evidence is, and before a flip; not in front of the way back."""
    await control.seed()
    await control.flip(2_500)
    moved = comparing.answer("", status=301, headers=[["Location", "/<b>"]])
    pair = comparing.example(comparing.answer("", status=302), moved)
    await comparing.send(control, 1, comparing.route(1, 1, examples=[pair]))
    [warning] = (await control.get("/comparisons/routes/orders"))["warnings"]
    visitor = await browser(control)
    for path in ("/shadow/orders", "/routes/orders/flip?stage=canary&percent=50"):
        page = await visitor.page(path)
        assert "by the newest stored pairs" in page.text
        assert "redirect_permanent" in page.text
        assert warning["message"] in page.text
    back = await visitor.page("/routes/orders/flip?stage=legacy")
    assert "redirect_permanent" not in back.text


async def test_explaining_policies(control: Control) -> None:
    await control.seed()
    visitor = await browser(control)
    assert "Policies" not in (await visitor.page("/explain?request=/orders/7")).text
    route = await control.get("/routes/orders")
    policies = {
        "maintenance": {"status": 503},
        "rate_limits": [{"requests": 5}],
    }
    draft = [{"kind": "route", "id": "orders", "value": {**route, "policies": policies}}]
    query = urlencode({"request": "/orders/7", "draft": json.dumps(draft)})
    text = " ".join((await visitor.page(f"/explain?{query}")).text.split())
    assert "the facade answers 503 itself, by its policy maintenance" in text
    assert "maintenance: ✕ refused with 503 every request is answered 503" in text
    assert "rate limit: not reached" in text


async def test_explaining(control: Control) -> None:
    await control.seed()
    await control.flip(0)
    visitor = await browser(control)
    curl = "curl -XPOST -H 'Cookie: figway_id=u1' --data x https://shop.example/orders/7?x=1"
    answer = await visitor.client.get("/console/explain", params={"request": curl})
    page = Page(answer.text)
    assert "legacy serves" in " ".join(page.text.split())
    assert "POST" in page.text
    moved = await visitor.client.get("/console/explain", params={"request": curl, "percent": "100"})
    assert "new serves" in " ".join(Page(moved.text).text.split())
    old = await visitor.client.get(
        "/console/explain", params={"request": "/orders/7", "revision": "2"}
    )
    assert "no route matches" in old.text
    for bad in (
        {"request": "curl 'x"},
        {"request": "/x", "revision": "99"},
        {"request": "/orders/7", "draft": "{"},
        {"request": "/x", "percent": "5"},
    ):
        wrong = await visitor.client.get("/console/explain", params=bad)
        assert wrong.status_code in (404, 422)
        assert 'role="alert"' in wrong.text


async def test_audit_as_a_file_runs_nothing(control: Control) -> None:
    """A reason that a spreadsheet would run as a formula is text."""
    await control.seed()
    body = {"weight": 5, "reason": "=HYPERLINK(1)"}
    await control.client.post("/routes/orders/flip", json=body, headers={"if-match": "*"})
    visitor = await browser(control)
    answer = await visitor.client.get("/console/audit/export.csv?action=route.flip")
    assert "attachment" in answer.headers["content-disposition"]
    assert "'=HYPERLINK" in answer.text
    assert len(answer.text.splitlines()) == 2


async def test_keys(control: Control) -> None:
    visitor = await browser(control)
    made = await visitor.client.post(
        "/console/keys",
        data={"csrf": visitor.csrf, "name": "Ada", "role": "viewer", "days": "7"},
    )
    [key] = [row for row in (await control.get("/keys"))["items"] if row["name"] == "Ada"]
    assert f"fgw_{key['prefix']}_" in made.text
    assert f"fgw_{key['prefix']}_" not in (await visitor.client.get("/console/keys")).text
    await visitor.client.post(f"/console/keys/{key['prefix']}/revoke", data={"csrf": visitor.csrf})
    [key] = [row for row in (await control.get("/keys"))["items"] if row["name"] == "Ada"]
    assert key["revoked_ms"]
    wrong = await visitor.client.post(
        "/console/keys", data={"csrf": visitor.csrf, "name": "x", "role": "king"}
    )
    assert wrong.status_code == 422


async def test_the_root_leads_to_the_console(control: Control) -> None:
    transport = httpx.ASGITransport(control.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:
        for path in ("/", "/console"):
            answer = await client.get(path)
            assert answer.headers["location"] == "/console/"


def test_the_vendored_files_are_what_they_were() -> None:
    import base64
    import hashlib
    import json

    vendor = STATIC / "vendor"
    recorded = json.loads((vendor / "vendor.json").read_bytes())
    for name, said in recorded.items():
        digest = hashlib.sha384((vendor / name).read_bytes()).digest()
        assert said["integrity"] == "sha384-" + base64.b64encode(digest).decode()
    licences = {file.name for file in vendor.glob("*.LICENSE.txt")}
    assert licences == {"htmx.LICENSE.txt", "uplot.LICENSE.txt"}
    assert console_app.ROOT == "/console"


async def test_where_a_shadow_begins_it_says_what_it_adds_at_legacy(control: Control) -> None:
    await control.seed()
    visitor = await browser(control)
    asked = await visitor.page("/routes/orders/flip?stage=shadow")
    assert "reads a second" in asked.text
    assert "legacy_reads: allowed" in asked.text
