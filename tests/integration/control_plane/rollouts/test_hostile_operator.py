"""An operator who does everything at the wrong moment, in combinations that no list has.

Seeded: the same in every run. What must hold is said by the table before and after each look, not
by what the machine says of itself.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from control_plane.auth.roles import Role
from figway.model.words import Side
from figway.rollout.observation import ParityCounts
from figway.rollout.plan import placement_of
from tests.support.control import ROUTE, Control
from tests.support.rollouts import PLAN, PROVEN, STEPS, Heard, set_clock

pytestmark = pytest.mark.long

FROZEN = {"freezes": [{"id": "all", "reason": "test"}]}
GUARDED = {"approvals": [{"need": 1, "weight_over": "5%", "stages": ["new"]}]}
EVIDENCE = [PROVEN, PROVEN, PROVEN, replace(PROVEN, differing=300), ParityCounts(),
            replace(PROVEN, build="2")]  # fmt: skip
ACTIONS = 60


class Operator:
    """One installation, what was done to it, and what may therefore happen."""

    def __init__(self, control: Control, seed: int, patch: pytest.MonkeyPatch) -> None:
        self.control = control
        self.heard = Heard(control)
        self.random = random.Random(seed)
        self.done: list[str] = []
        self._patch = patch
        self._behind = False
        self._failing = 0
        self._skew_ms = 0
        self._rules: dict[str, Any] = {}
        self._others = 0
        self._killed = False
        self._serves = ""
        self._current = False

    # -- what is done --------------------------------------------------------------------------

    async def act(self) -> None:
        """Do something, and let the machine look."""
        actions: list[Callable[[], Awaitable[object]]] = [
            self.flips, self.presses, self.freezes, self.asks_for_approvals, self.approves,
            self.revokes, self.jumps, self.says, self.changes_the_plan, self.deletes, self.renames,
            self.evidence, self.breaks, self.falls_behind, self.nothing, self.nothing,
        ]  # fmt: skip
        chosen = self.random.choice(actions)
        self.done.append(chosen.__name__)
        await chosen()
        await self.look()

    async def flips(self) -> None:
        """By hand, anywhere."""
        body: dict[str, Any] = {"reason": "by hand"}
        stage = self.random.choice(["legacy", "shadow", "canary", "new"])
        body |= {"weight": self.random.choice([100, 500, 2_500])} if stage == "canary" else {
            "stage": stage}  # fmt: skip
        await self._call("POST", "/routes/orders/flip", body, headers={"if-match": "*"})

    async def presses(self) -> None:
        """The kill switch, on or off."""
        self._killed = not self._killed
        await self._call("POST", "/kill", {"on": self._killed, "reason": "test"})

    async def freezes(self) -> None:
        """A freeze begins or ends."""
        await self._put_rules({} if "freezes" in self._rules else {**self._rules, **FROZEN})

    async def asks_for_approvals(self) -> None:
        """A rule of approvals comes or goes."""
        await self._put_rules({} if "approvals" in self._rules else {**self._rules, **GUARDED})

    async def _put_rules(self, rules: dict[str, Any]) -> None:
        self._rules = rules
        await self._call("PUT", "/change-rules", rules)

    async def approves(self) -> None:
        """Another person approves what waits, and loses the key at once."""
        self._others += 1
        client = await self.control.client_of(Role.OPERATOR, f"other {self._others}")
        async with client:
            for entry in (await self.control.get("/approvals"))["items"][:1]:
                path = f"/approvals/{entry['hash']}/approve"
                answer = await client.post(path, json={"reason": "ok"})
                assert answer.status_code in (200, 409), answer.text
            await client.post("/rollouts/orders/approve", json={"reason": "ok"})
        await self.revokes()

    async def revokes(self) -> None:
        """Every key of an approver is revoked."""
        for key in (await self.control.get("/keys"))["items"]:
            if key["name"].startswith("other"):
                await self._call("DELETE", f"/keys/{key['prefix']}", None)

    async def jumps(self) -> None:
        """The clock of this control plane, either way."""
        self._skew_ms = self.random.choice([0, 3_600_000, -3_600_000, 90 * 86_400_000, -120_000])
        set_clock(self._patch, self._skew_ms)

    async def says(self) -> None:
        """A word to the rollout."""
        word = self.random.choice(
            ["pause", "resume", "promote", "abort", "retry", "approve", "promote-full", "start"]
        )
        await self._call("POST", f"/rollouts/orders/{word}", {"reason": "test"})

    async def changes_the_plan(self) -> None:
        """As a document applied underway does."""
        steps = self.random.choice([STEPS, STEPS[:2], [*STEPS[:1], {"weight": "50%"}, STEPS[-1]]])
        await self._call("PUT", "/rollouts/orders", {**PLAN, "steps": steps})

    async def deletes(self) -> None:
        """The route goes, and comes back in its first stage."""
        await self._call("DELETE", "/routes/orders", None, headers={"if-match": "*"})
        if self.random.random() < 0.5:
            await self.look()
        await self._call("POST", "/routes", ROUTE)

    async def renames(self) -> None:
        """The route goes, and comes back under another name, then under its own."""
        await self._call("DELETE", "/routes/orders", None, headers={"if-match": "*"})
        await self._call("POST", "/routes", {**ROUTE, "id": "renamed"})
        await self.look()
        await self._call("DELETE", "/routes/renamed", None, headers={"if-match": "*"})
        await self._call("POST", "/routes", ROUTE)

    async def evidence(self) -> None:
        """What comparing says changes."""
        self.heard.evidence.says = self.random.choice(EVIDENCE)

    async def breaks(self) -> None:
        """New begins to fail, or is well again."""
        self._failing = 0 if self._failing else 60

    async def falls_behind(self) -> None:
        """The proxy takes no new table, or catches up."""
        self._behind = not self._behind

    async def nothing(self) -> None:
        """Just a look."""

    async def _call(self, method: str, path: str, body: Any, **more: Any) -> None:
        answer = await self.control.client.request(method, path, json=body, **more)
        assert answer.status_code < 500, (self.done[-5:], method, path, answer.text)

    # -- what must hold ------------------------------------------------------------------------

    async def look(self) -> None:
        """A proxy says what it serves, reports traffic, and the machine looks."""
        control = self.control
        before = control.services.state.current
        if not self._behind:
            await self.heard.proxy()
            self._serves = before.etag
        if before.table.routes.get("orders") is not None:
            await self.heard.report(
                legacy=900, new=40 if self._failing else 100, failed=self._failing
            )
        await control.services.ticker.round()
        assert control.services.ticker.failing == {}, self.done[-5:]
        after = control.services.state.current
        self._current = self._serves == before.etag
        self._check(before.table.routes.get("orders"), after.table.routes.get("orders"))
        assert after.revision <= before.revision + 1

    def _check(self, stood: Any, stands: Any) -> None:
        if stood is None or stands is None:
            assert stood is stands
            return
        if placement_of(stands).exposure <= placement_of(stood).exposure:
            return
        told = (self.done[-8:], str(placement_of(stood)), str(placement_of(stands)))
        assert not self._killed, told
        assert "freezes" not in self._rules, told
        assert self._current, told
        said = self.heard.evidence.says
        assert said.rated == PROVEN.rated, told
        assert not said.differing, told
        assert stands.new == "fn", told

    async def well_again(self) -> dict[str, Any]:
        """Everything that stood in the way is gone; where it comes to."""
        if self._killed:
            await self.presses()
        await self._put_rules({})
        self._behind, self._failing = False, 0
        self.heard.evidence.says = replace(PROVEN, build="9")
        set_clock(self._patch, 0)
        shown: dict[str, Any] = {}
        for _ in range(30):
            await self.look()
            shown = await self.control.get("/rollouts/orders")
            over = shown["phase"] in ("completed", "superseded", "planned")
            if over or shown["needs_attention"]:
                return shown
        raise AssertionError((self.done, shown))


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_he_does_it_goes_no_further_than_it_may(
    control: Control, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """No look moves further while the switch is on, changes are frozen, the proxy is behind, or
    agreement is not proven; no look fails; no request is answered 5xx; and in the end the rollout
    is over, goes on, or wants attention."""
    await control.seed()
    operator = Operator(control, seed, monkeypatch)
    await operator.heard.start()
    for _ in range(ACTIONS):
        await operator.act()
    shown = await operator.well_again()
    assert shown["phase"] in ("completed", "superseded", "planned", "paused", "aborted"), shown
    assert control.services.state.current.table.backends["fn"].side is Side.NEW
    moves = (await control.get("/audit", action="rollout.move", limit=200))["items"]
    revisions = [entry["revision"] for entry in moves if entry.get("revision")]
    assert len(set(revisions)) == len(revisions)
