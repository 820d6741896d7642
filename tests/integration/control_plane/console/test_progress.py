"""The burn-up: what stood where when, read backwards out of the revisions, each of them once."""

from __future__ import annotations

import random
from typing import Any

from control_plane.console import burn_up as progress
from control_plane.console.burn_up import BurnUp, capabilities_done, routes_done
from control_plane.console.route_row import share_of
from figway.model.table import Table
from tests.support.control import Control
from tests.support.counting import statements


def _plainly(table: Table) -> tuple[int, int, int, int]:
    moved = {r.id: share_of(r.stage, r.weight) == 1.0 for r in table.routes.values()}
    groups: dict[str, list[bool]] = {}
    for route in table.routes.values():
        groups.setdefault(route.capability or f"route {route.id}", []).append(moved[route.id])
    whole = sum(all(group) for group in groups.values())
    return sum(moved.values()), len(moved), whole, len(groups)


def _counted(table: Table) -> tuple[int, int, int, int]:
    routes, capabilities = routes_done(table), capabilities_done(table)
    return routes.done, routes.total, capabilities.done, capabilities.total


async def _change(control: Control, drawn: random.Random) -> None:
    name = f"r{drawn.randrange(6)}"
    stage = drawn.choice(("legacy", "shadow", "canary", "new", "retired"))
    body: dict[str, Any] = {"id": name, "match": {"path": f"/{name}"}, "new": "fn", "stage": stage}
    if drawn.random() < 0.5:
        body["capability"] = "shop"
    if stage == "canary":
        body["weight"] = drawn.choice((100, 10_000))
    headers = {"if-match": "*"}
    if drawn.random() < 0.2:
        answer = await control.client.delete(f"/routes/{name}", headers=headers)
    else:
        answer = await control.client.put(f"/routes/{name}", json=body)
        if answer.status_code in (412, 428):
            answer = await control.client.put(f"/routes/{name}", json=body, headers=headers)
    assert answer.status_code in (200, 201, 404), answer.text


async def test_read_backwards_it_is_what_was(control: Control) -> None:
    await control.seed()
    assert (await control.post("/capabilities", {"id": "shop"})).status_code == 201
    drawn = random.Random(5)
    following = BurnUp(control.services)
    state = control.services.state
    shares: dict[int, tuple[float, float]] = {}
    for _ in range(40):
        await _change(control, drawn)
        table = state.current.table
        moved, all_, whole, groups = _plainly(table)
        assert _counted(table) == (moved, all_, whole, groups)
        shares[state.current.revision] = (
            moved / all_ if all_ else 0.0,
            whole / groups if groups else 0.0,
        )
        await following.steps()
    fresh = BurnUp(control.services)
    for burn_up in (fresh, following):
        steps = await burn_up.steps()
        seen = [tuple(step[1:]) for step in steps]
        told = list(shares.values())
        # Steps that changed nothing are left out; revisions before the first change come first.
        squeezed = [s for i, s in enumerate(told) if i == 0 or s != told[i - 1]]
        plain = [s for i, s in enumerate(seen) if i == 0 or s != seen[i - 1]]
        assert plain[-len(squeezed) :] == squeezed
        assert [step.at_ms for step in steps] == sorted(step.at_ms for step in steps)
        assert set(burn_up.dates) == set(range(1, state.current.revision + 1))


async def test_of_a_flip_one_revision_is_read(control: Control, monkeypatch: Any) -> None:
    await control.seed()
    for weight in range(100, 120):
        await control.flip(weight)
    burn_up = BurnUp(control.services)
    rewound: list[object] = []
    rewind = progress._rewind

    def noted(count: Any, inverse: list[dict[str, Any]]) -> None:
        rewound.append(inverse)
        rewind(count, inverse)

    monkeypatch.setattr(progress, "_rewind", noted)
    await burn_up.steps()
    assert len(rewound) == 23
    rewound.clear()
    await control.flip(500)
    # Not those of the listener, which hears of the flip at some time of its own.
    query = "revisions.number, revisions.created_ms, revisions.inverse"
    with statements(control.services.database, query) as asked:
        await burn_up.steps()
        await burn_up.steps()
    assert (len(rewound), len(asked)) == (1, 1)
