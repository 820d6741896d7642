"""What a control plane hears while a rollout moves: proxies, traffic, comparisons, as told."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from control_plane.clock import now_ms
from control_plane.rollouts.observing import Observer
from control_plane.rollouts.ports import EvidenceSource
from figway.evidence.histogram import bucket_of
from figway.rollout.observation import ParityCounts
from tests.support.control import Control

PROVEN = ParityCounts(rated=2_000, distinct=400, top_share=0.1, shapes_done=4, pairs_per_s=5)
STEPS: list[dict[str, Any]] = [
    {"stage": "shadow"}, {"weight": "5%"}, {"weight": "25%"}, {"stage": "new"},
]  # fmt: skip
PLAN: dict[str, Any] = {
    "target": {"route": "orders"},
    "steps": STEPS,
    "gates": {"errors": False, "latency": False},
    "warmup": "0s",
}


_REAL = now_ms


def set_clock(patch: pytest.MonkeyPatch, ms: int) -> None:
    """Set the clock of the control plane forward, or back."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("control_plane.", "tests.support.")) and hasattr(module, "now_ms"):
            patch.setattr(module, "now_ms", lambda: _REAL() + ms)


class ToldEvidence:
    """Says of every route what it was told."""

    def __init__(self) -> None:
        self.says: ParityCounts = PROVEN

    async def parity(self, routes: Sequence[str]) -> Mapping[str, ParityCounts]:
        return dict.fromkeys(routes, self.says)


class Heard:
    """One proxy that reports, and the evidence that is told."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.evidence = ToldEvidence()
        self._sequence = 0
        observer: Observer = control.services.rollouts._observer
        source: EvidenceSource = self.evidence
        observer._evidence = source

    async def proxy(self, **more: Any) -> None:
        """The proxy serves the newest table."""
        now = self.control.services.state.current
        await self.control.ack("p1", now.revision, now.etag, **more)

    async def report(
        self,
        legacy: int = 900,
        new: int = 100,
        failed: int = 0,
        why: str = "status",
        **more: Any,
    ) -> None:
        """Traffic of both sides, of which new failed so many and legacy took them over; in the ten
        seconds to come, as a step does not count those in which it began."""
        self._sequence += 1
        now = now_ms()
        sides = {
            "legacy": (legacy + failed, {why: failed} if failed else {}),
            "new": (new, {}),
        }
        series = [
            {"route": "orders", "side": side, "backend": side, "requests": requests,
             "statuses": {"2xx": requests}, "fallbacks": fallbacks,
             "latency": {bucket_of(20_000): requests}}
            for side, (requests, fallbacks) in sides.items() if requests
        ]  # fmt: skip
        body = {"instance": "p1", "boot": "b1", "sequence": self._sequence,
                "from_ms": now, "to_ms": now + 10_000, "series": series, **more}  # fmt: skip
        answer = await self.control.post("/reports", body)
        assert answer.status_code in (200, 202, 204), answer.text

    async def tick(self, **report: Any) -> dict[str, Any]:
        """The proxy acknowledges and reports, the ticker looks; the rollout then."""
        await self.proxy()
        await self.report(**report)
        await self.control.services.ticker.round()
        found: dict[str, Any] = await self.control.get("/rollouts/orders")
        return found

    async def start(self, **plan: Any) -> dict[str, Any]:
        """Start the plan of this module, changed as told."""
        body = {"reason": "test", "plan": {**PLAN, **plan}}
        answer = await self.control.post("/rollouts/orders/start", body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def walk_to(self, stands: str) -> dict[str, Any]:
        """Tick until the route stands there."""
        for _ in range(20):
            found = await self.tick()
            if await self.stands() == stands:
                return found
        raise AssertionError(found)

    async def stands(self) -> str:
        """Where the route stands in the table."""
        route = await self.control.get("/routes/orders")
        return f"{route['weight'] / 100:g} %" if route["stage"] == "canary" else route["stage"]

    async def say(self, word: str, **query: Any) -> Any:
        """A person's word; the answer."""
        return await self.control.post(f"/rollouts/orders/{word}", {"reason": "test"}, **query)

    def differing(self, pairs: int) -> None:
        """So many of the compared pairs differ from now on."""
        self.evidence.says = replace(PROVEN, differing=pairs, fields=("$.total|changed",))
