"""What a flip would do, before anybody does it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import orjson

from control_plane.console.live_state import LiveSnapshot
from control_plane.console.route_row import NONE, share_of
from control_plane.http.problems import ApiProblem, FindingOut
from control_plane.publishing.service import Make, Published
from control_plane.routes import service
from control_plane.routes.schemas import FlipIn
from control_plane.services import Services
from control_plane.tables.documents import export
from figway.model import change
from figway.model.table import Route, Stage, Table

_PREVIEW = "preview"


@dataclass(frozen=True, slots=True)
class FlipTarget:
    """What is to be flipped, and where to."""

    kind: str
    """`routes` or `capabilities`."""
    id: str
    stage: Stage
    weight: int | None

    @property
    def words(self) -> str:
        """`canary 25 %`"""
        if self.stage is Stage.CANARY and self.weight is not None:
            return f"canary {self.weight / 100:g} %"
        return self.stage.value


@dataclass(frozen=True, slots=True)
class FlipPreview:
    """A flip with what it would do."""

    target: FlipTarget
    etag: str
    routes: Sequence[tuple[Route, Route]]
    """Each as it stands, and as it would."""
    texts: Sequence[str]
    """What changes, field by field; nothing when it stands there already."""
    refusals: Sequence[FindingOut]
    warnings: Sequence[FindingOut]
    affected_rpm: float
    """Requests a minute that another side would serve."""
    drafted: Published | None = None
    """What it would make; None where it is refused."""

    @property
    def typed(self) -> str:
        """The name that has to be typed, as the flip gives everything to new; else empty."""
        everything = any(
            share_of(after.stage, after.weight) == 1.0 > share_of(before.stage, before.weight)
            for before, after in self.routes
        )
        retires = any(
            after.stage is Stage.RETIRED is not before.stage for before, after in self.routes
        )
        return self.target.id if everything or retires else ""

    @property
    def to_legacy(self) -> bool:
        """Is it a way back? That needs nobody's leave and no proof."""
        shares = [
            (share_of(before.stage, before.weight), share_of(after.stage, after.weight))
            for before, after in self.routes
        ]
        return all(after <= before for before, after in shares) and (
            self.target.stage is Stage.LEGACY or any(after < before for before, after in shares)
        )

    @property
    def body(self) -> dict[str, Any]:
        """The body of the API's call."""
        found: dict[str, Any] = {"stage": self.target.stage.value}
        if self.target.weight is not None:
            found["weight"] = self.target.weight
        return {**found, "reason": "why"}

    def cli(self, forced: bool) -> str:
        """The same as a command: with --force where the evidence or a proxy speaks against it."""
        words = ["figway"]
        if self.target.kind == "capabilities":
            words += ["capabilities", "flip", self.target.id, self.target.stage.value]
        else:
            words += ["flip", self.target.id, self.target.stage.value]
        if self.target.weight is not None:
            words += ["--weight", f"{self.target.weight / 100:g}%"]
        said = [] if self.to_legacy else ["--force" if forced else "--yes"]
        return shlex.join([*words, "--reason", "why", *said, "--wait"])

    def curl(self, forced: bool) -> str:
        """The same as a call of the API."""
        confirmed = "" if self.to_legacy else f"&confirm={'force' if forced else 'exposure'}"
        path = f"/api/v1/{self.target.kind}/{self.target.id}/flip?wait=applied{confirmed}"
        return (
            f'curl -X POST "$FIGWAY_ADMIN_URL{path}" \\\n'
            '  -H "Authorization: Bearer $FIGWAY_ADMIN_KEY" \\\n'
            f"  -H 'If-Match: \"{self.etag}\"' -H 'Content-Type: application/json' \\\n"
            f"  -d {shlex.quote(orjson.dumps(self.body).decode())}"
        )

    @property
    def yaml(self) -> str:
        """The same as a document for `figway apply --merge`."""
        routes = {after.id: after for _, after in self.routes}
        return export(replace(Table(), routes=MappingProxyType(routes)), "yaml").decode()


def make_of(services: Services, target: FlipTarget, reason: str, etag: str) -> tuple[Make, FlipIn]:
    """The change that the API would make for this flip."""
    body = FlipIn(stage=target.stage, weight=target.weight, reason=reason)
    if target.kind == "capabilities":
        return service.flip_capability_make(target.id, body, etag), body
    return service.flip_make(services.state, target.id, body, etag), body


def plan(services: Services, live: LiveSnapshot, target: FlipTarget, etag: str) -> FlipPreview:
    """What the flip would do to the table as it is. Raises `ApiProblem` 404, 409."""
    table = services.state.current.table
    make, _ = make_of(services, target, _PREVIEW, "*")
    refusals: Sequence[FindingOut] = ()
    warnings: Sequence[FindingOut] = ()
    texts: list[str] = []
    made: Published | None = None
    try:
        drafted = made = services.publisher.draft(make)
        warnings = drafted.warnings
        texts = [str(entry) for entry in drafted.described]
    except ApiProblem as error:
        if not error.findings:
            raise
        refusals = [f for f in error.findings if f.severity == "error"]
        warnings = [f for f in error.findings if f.severity != "error"]
    if target.kind == "capabilities":
        before = [r for r in table.routes.values() if r.capability == target.id]
    else:
        before = [table.routes[target.id]]
    pairs = [(route, change.flip(route, target.stage, target.weight)) for route in before]
    return FlipPreview(
        target, etag, pairs, texts, refusals, warnings,
        sum(_affected(live, was, becomes) for was, becomes in pairs), made,
    )  # fmt: skip


def _affected(live: LiveSnapshot, before: Route, after: Route) -> float:
    traffic = live.traffic.get(before.id)
    rps = sum((side or NONE).rps for side in (traffic.legacy, traffic.new)) if traffic else 0.0
    moved = abs(share_of(after.stage, after.weight) - share_of(before.stage, before.weight))
    return rps * 60 * moved
