"""Whatever is done in the console is done by the API and by the command line alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support.command_line import Cli
from tests.support.comparing import batch, example, field, route
from tests.support.console_actions import ACTIONS
from tests.support.control import ROUTE
from tests.support.control_process import running, start

FIELD = "$.price|changed"
WHY = "the three do the same"


class Three:
    """One control plane, and three ways to change it."""

    def __init__(self, url: str, key: str) -> None:
        self.cli = Cli(url, key)
        self.api = self.cli.api
        self.url = url.removesuffix("/api/v1")
        self.browser = httpx.Client(base_url=self.url, trust_env=False, timeout=60)
        assert self.browser.post("/console/login", data={"key": key}).status_code == 303
        home = self.browser.get("/console/").text
        found = re.search(r'X-CSRF-Token": "([0-9a-f]{64})"', home)
        assert found is not None
        self._csrf = found[1]
        self.session = ""

    def console(self, path: str, **form: str) -> str:
        """Send a form of the console."""
        answer = self.browser.post(
            f"/console{path}",
            data={"csrf": self._csrf, "confirm": "exposure", **form},
            headers={"HX-Request": "true", "HX-Target": "dialog"},
        )
        assert answer.status_code == 200, answer.text
        return answer.text

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """A call of the API."""
        answer = self.api.request(
            method, path, json=body, headers={"if-match": "*"},
            params={"confirm": "exposure", **query},
        )  # fmt: skip
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def etag(self, item: str) -> str:
        return str(self.api.get(item).headers["etag"]).strip('"')

    @property
    def revision(self) -> int:
        return int(self.api.get("table").json()["revision"])

    def state(self) -> dict[str, Any]:
        """What the table holds, and the latest entry, less what differs between two of a kind."""
        table = self.api.get("table").json()["table"]
        for item in table["routes"]:
            item.pop("evidence_since", None)
            for rule in item.get("comparison", {}).get("rules", ()):
                rule.pop("id", None)
        entry = self.api.get("audit", params={"limit": 1}).json()["items"][0]
        keys = [
            key["role"]
            for key in self.api.get("keys").json()["items"]
            if key["name"] == "made" and not key["revoked_ms"]
        ]
        changes = [
            {name: value for name, value in change.items() if name in ("kind", "path", "before")}
            for change in entry["changes"]
        ]
        return {
            "table": table, "action": entry["action"], "changes": changes, "keys": keys,
            "subject": re.sub(r"\d+$|(?:key|session) .*", "N", entry["subject"]),
        }  # fmt: skip

    def close(self) -> None:
        self.browser.close()
        self.api.close()


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    with running(tmp_path_factory.mktemp("control")) as process:
        url, key = start(process)
        found = Three(url, str(key))
        for side, name in (("legacy", "legacy"), ("new", "fn")):
            found.cli.post("backends", {"id": name, "side": side, "url": "http://127.0.0.1:9"})
        found.cli.post("capabilities", {"id": "shop"})
        found.cli.post("routes", {**ROUTE, "capability": "shop", "stage": "shadow"})
        pair = example({"price": 1}, {"price": 2})
        counted = route(9, 1, fields=[field("$.price", 1)], examples=[pair])  # too few to tell
        found.cli.post("comparisons/batches", batch(1, counted))
        yield found
        found.close()


Way = Callable[[Three], Any]


def _undo_last(three: Three) -> None:
    three.call("POST", f"revisions/{three.revision}/undo", {"reason": "back"})


def _flipped(three: Three) -> int:
    three.call("POST", "routes/orders/flip", {"weight": 500, "reason": WHY})
    return three.revision


def _ruled(three: Three) -> None:
    three.call("POST", "routes/orders/rules", {"kind": "ignore", "target": "$.price", "id": "r"})


def _made(three: Three) -> str:
    made = three.call("POST", "keys", {"name": "made", "role": "viewer", "reason": WHY})
    return str(made["prefix"])


def _started(three: Three) -> None:
    """A rollout of the route waits for its first gate."""
    plan = {"target": {"route": "orders"}, "steps": [{"stage": "shadow"}, {"weight": "5%"}]}
    three.call("POST", "rollouts/orders/start", {"plan": plan, "reason": WHY})


def _stopped(three: Three) -> None:
    three.call("POST", "rollouts/orders/abort", {"reason": WHY})
    three.call("DELETE", "rollouts/orders")


def _logged_in(three: Three) -> None:
    """Somebody else has a session."""
    key = str(three.api.headers["authorization"]).removeprefix("Bearer ")
    with httpx.Client(base_url=three.url, trust_env=False, timeout=60) as other:
        assert other.post("/console/login", data={"key": key}).status_code == 303
    three.session = three.api.get("sessions", params={"limit": 1}).json()["items"][0]["id"]


def _prefix(three: Three) -> str:
    items = three.api.get("keys").json()["items"]
    return str(next(k["prefix"] for k in items if k["name"] == "made" and not k["revoked_ms"]))


def _nothing(_: Three) -> None:
    return


# What is done: first what it needs, then by console, by API, by command; then the way back.
DEEDS: dict[str, tuple[Way, Way, Way, Way, Way]] = {
    "flip a route": (
        _nothing,
        lambda t: t.console(
            "/routes/orders/flip", stage="canary", percent="25", reason=WHY,
            etag=t.etag("routes/orders"),
        ),
        lambda t: t.call(
            "POST", "routes/orders/flip", {"stage": "canary", "weight": 2_500, "reason": WHY}
        ),
        lambda t: t.cli.text(
            "flip", "orders", "canary", "--weight", "25%", "--yes", "--reason", WHY
        ),
        _undo_last,
    ),
    "flip a capability": (
        _nothing,
        lambda t: t.console(
            "/capabilities/shop/flip", stage="new", percent="", reason=WHY, typed="shop",
            etag=t.etag("table"),
        ),
        lambda t: t.call("POST", "capabilities/shop/flip", {"stage": "new", "reason": WHY}),
        lambda t: t.cli.text("capabilities", "flip", "shop", "new", "--yes", "--reason", WHY),
        _undo_last,
    ),
    "force a breaker": (
        _nothing,
        lambda t: t.console(
            "/routes/orders/breaker", force="open", reason=WHY, etag=t.etag("routes/orders")
        ),
        lambda t: t.call("POST", "routes/orders/breaker", {"force": "open", "reason": WHY}),
        lambda t: t.cli.text("breaker", "orders", "open", "--reason", WHY),
        _undo_last,
    ),
    "undo a revision": (
        _flipped,
        lambda t: t.console(f"/revisions/{t.revision}/undo", reason=WHY),
        lambda t: t.call("POST", f"revisions/{t.revision}/undo", {"reason": WHY}),
        lambda t: t.cli.text("undo", str(t.revision), "--reason", WHY),
        _nothing,
    ),
    "make a backend": (
        _nothing,
        lambda t: t.console(
            "/new/backends", id="more", side="new", kind="http", url="http://127.0.0.1:8",
            reason=WHY,
        ),
        lambda t: t.call(
            "POST", "backends", {"id": "more", "side": "new", "url": "http://127.0.0.1:8"},
            reason=WHY,
        ),
        lambda t: t.cli.text(
            "backends", "set", "more", "--side", "new", "--url", "http://127.0.0.1:8",
            "--reason", WHY,
        ),
        lambda t: t.call("DELETE", "backends/more"),
    ),
    "edit a route": (
        _nothing,
        lambda t: t.console(
            "/edit/routes/orders", etag=t.etag("routes/orders"), reason=WHY, new="fn",
            capability="shop", description="of the shop",
            **{"match.path": ROUTE["match"]["path"]},
        ),
        lambda t: t.call("PATCH", "routes/orders", {"description": "of the shop"}, reason=WHY),
        lambda t: t.cli.text(
            "routes", "set", "orders", "--description", "of the shop", "--reason", WHY
        ),
        _undo_last,
    ),
    "delete a backend": (
        lambda t: t.call(
            "POST", "backends", {"id": "more", "side": "new", "url": "http://127.0.0.1:8"}
        ),
        lambda t: t.console(
            "/edit/backends/more/delete", etag=t.etag("backends/more"), reason=WHY
        ),
        lambda t: t.call("DELETE", "backends/more", reason=WHY),
        lambda t: t.cli.text("backends", "rm", "more", "--reason", WHY),
        _nothing,
    ),
    "pull the kill switch": (
        _nothing,
        lambda t: t.console("/kill", on="1", reason=WHY),
        lambda t: t.call("POST", "kill", {"on": True, "reason": WHY}),
        lambda t: t.cli.text("kill", "on", "--reason", WHY),
        lambda t: t.call("POST", "kill", {"on": False, "reason": WHY}),
    ),
    "release the kill switch": (
        lambda t: t.call("POST", "kill", {"on": True, "reason": WHY}),
        lambda t: t.console("/kill", on="0", reason=WHY),
        lambda t: t.call("POST", "kill", {"on": False, "reason": WHY}),
        lambda t: t.cli.text("kill", "off", "--reason", WHY),
        _nothing,
    ),
    "write a rule": (
        _nothing,
        lambda t: t.console(
            "/shadow/orders/rule", kind="ignore", target="$.price", note=WHY,
            etag=t.etag("routes/orders"),
        ),
        lambda t: t.call(
            "POST", "routes/orders/rules", {"kind": "ignore", "target": "$.price", "note": WHY}
        ),
        lambda t: t.cli.text("ignore", "add", "orders", "$.price", "--note", WHY),
        _undo_last,
    ),
    "remove a rule": (
        _ruled,
        lambda t: t.console("/shadow/orders/rule/remove", id="r"),
        lambda t: t.call("DELETE", "routes/orders/rules/r"),
        lambda t: t.cli.text("ignore", "rm", "orders", "r"),
        _nothing,
    ),
    "say that a field is noise": (
        _nothing,
        lambda t: t.console("/shadow/orders/noise", field=FIELD, word="noise"),
        lambda t: t.call("POST", "routes/orders/noise", {"field": FIELD, "word": "noise"}),
        lambda t: t.cli.text("compare", "noise", "orders", FIELD, "noise"),
        _undo_last,
    ),
    "have a header compared": (
        _nothing,
        lambda t: t.console("/shadow/orders/compare-header", name="x-total"),
        lambda t: t.call("POST", "routes/orders/compared-headers", {"name": "X-Total"}),
        lambda t: t.cli.text("compare", "header", "orders", "x-total"),
        _undo_last,
    ),
    "begin the evidence anew": (
        _nothing,
        lambda t: t.console("/shadow/orders/restart", reason=WHY),
        lambda t: t.call("POST", "routes/orders/evidence/restart", reason=WHY),
        lambda t: t.cli.text("compare", "restart", "orders", "--reason", WHY),
        _nothing,
    ),
    "pause a rollout": (
        _started,
        lambda t: t.console("/rollouts/orders/pause", reason=WHY),
        lambda t: t.call("POST", "rollouts/orders/pause", {"reason": WHY}),
        lambda t: t.cli.text("rollout", "pause", "orders", "--reason", WHY),
        _stopped,
    ),
    "end a session": (
        _logged_in,
        lambda t: t.console(f"/sessions/{t.session}/end"),
        lambda t: t.call("DELETE", f"sessions/{t.session}"),
        lambda t: t.cli.text("keys", "end-session", t.session),
        _nothing,
    ),
    "make a key": (
        _nothing,
        lambda t: t.console("/keys", name="made", role="viewer", days=""),
        lambda t: t.call("POST", "keys", {"name": "made", "role": "viewer"}),
        lambda t: t.cli.text("keys", "create", "made", "--role", "viewer"),
        lambda t: t.call("DELETE", f"keys/{_prefix(t)}"),
    ),
    "revoke a key": (
        _made,
        lambda t: t.console(f"/keys/{_prefix(t)}/revoke"),
        lambda t: t.call("DELETE", f"keys/{_prefix(t)}"),
        lambda t: t.cli.text("keys", "revoke", _prefix(t)),
        _nothing,
    ),
}  # fmt: skip


@pytest.mark.parametrize("entry", DEEDS)
def test_the_three_do_the_same(three: Three, entry: str) -> None:
    """The same table, the same entry in the audit log, whoever did it."""
    before, *ways, back = DEEDS[entry]
    found = []
    for way in ways:
        before(three)
        way(three)
        found.append(three.state())
        back(three)
    assert found[0] == found[1] == found[2]


def test_a_replay_by_all_three(three: Three) -> None:
    asked = three.console("/shadow/orders/replay", verdict="mismatch")
    assert "Replay 1 stored pair?" in asked
    assert three.api.get("comparisons/replays/history").json()["items"] == []
    three.console("/shadow/orders/replay", verdict="mismatch", confirmed="1")
    three.call("POST", "comparisons/replays", {"route": "orders", "verdict": "mismatch"})
    three.cli.run("compare", "replay", "orders", "--no-wait")
    items = three.api.get("comparisons/replays/history").json()["items"]
    assert [(item["route"], item["total"]) for item in items] == [("orders", 1)] * 3


VIEWS = {
    "/": ("traffic/summary", ("traffic",)),
    "/routes": ("routes", ("get",)),
    "/routes/orders": ("decisions?route=orders", ("tail", "orders", "--no-follow")),
    "/shadow": ("comparisons/routes", ("compare", "top")),
    "/shadow/orders": ("comparisons/routes/orders/fields", ("compare", "top", "orders")),
    "/explain?request=/orders/7": (None, ("explain", "/orders/7")),
    "/fleet": ("fleet", ("fleet",)),
    "/audit": ("audit", ("audit",)),
    "/keys": ("keys", ("keys", "list")),
    "/revisions/3": ("revisions/3", ("revisions",)),
}


@pytest.mark.parametrize("page", VIEWS)
def test_the_three_show_the_same(three: Three, page: str) -> None:
    path, words = VIEWS[page]
    assert three.browser.get(f"/console{page}").status_code == 200
    if path is not None:
        assert three.api.get(path).status_code == 200
    three.cli.text(*words)


def test_nothing_is_left_out() -> None:
    """Every form of the console is among the deeds above."""
    tried = {
        "POST /{kind}/{item_id}/flip", "POST /routes/{route_id}/breaker",
        "POST /revisions/{number}/undo", "POST /kill", "POST /keys", "POST /keys/{prefix}/revoke",
        "POST /shadow/{route_id}/rule", "POST /shadow/{route_id}/rule/remove",
        "POST /shadow/{route_id}/noise", "POST /shadow/{route_id}/replay",
        "POST /shadow/{route_id}/compare-header", "POST /shadow/{route_id}/restart",
        "POST /rollouts/{rollout}/{word}", "POST /sessions/{session_id}/end",
        "POST /new/{items}", "POST /edit/{items}/{item_id}", "POST /edit/{items}/{item_id}/delete",
    }  # fmt: skip
    assert tried == set(ACTIONS)
