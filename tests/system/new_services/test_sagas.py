"""Bookings by orchestration and by choreography: the same tests for both.

The long run of many sagas under faults is `make sagas`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.new_services import sagas
from tests.system.new_services.clouds import Reply, Side, new_side

COUNT = int(os.environ.get("SAGAS", "0"))
WAYS = ("orchestrated", "choreographed")


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    with new_side(tmp_path_factory.mktemp("shop")) as side:
        yield side


def _book(side: Side, way: str, name: str, wish: Any, **headers: str) -> Reply:
    by = side.book if way == "orchestrated" else side.choreograph
    return by(name, wish, **headers)


def _audit(side: Side, name: str) -> dict[str, Any] | None:
    found = side.run("saga-audit")["sagas"]
    return next((one for one in found if one["id"] == name), None)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
def test_a_booking_is_made_once_however_often_it_is_asked_for(side: Side, way: str) -> None:
    wish = sagas.wishes(side, 1)[0] | {"from": "2027-06-01", "to": "2027-06-03"}
    first, again = (_book(side, way, f"{way}-once", wish) for _ in range(2))
    assert (first.status, again.status) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["location"].endswith(f"/api/bookings/{first.json()['id']}")
    saga = _audit(side, f"{way}-once")
    assert saga is not None
    assert (saga["state"], saga["refunded"]) == ("confirmed", 0)
    assert saga["charged"] > 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
def test_a_declined_card_gives_the_room_back(side: Side, way: str) -> None:
    wish = sagas.wishes(side, 1)[0] | {"user_id": sagas.DECLINED}
    told = _book(side, way, f"{way}-declined", wish)
    assert (told.status, told.json()["error"]["code"]) == (402, "declined")
    saga = _audit(side, f"{way}-declined")
    assert saga is not None
    assert (saga["state"], saga["charged"]) == ("undone", 0)
    assert saga["booking"]["id"] not in side.run("saga-audit")["booked"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
def test_a_wish_that_cannot_be_is_refused_as_legacy_does(side: Side, way: str) -> None:
    wish = sagas.wishes(side, 1)[0] | {"room": "ATTIC"}
    told = _book(side, way, f"{way}-attic", wish)
    assert (told.status, told.json()["error"]["field"]) == (422, "room")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
def test_a_dry_run_answers_alike_and_writes_nothing(side: Side, way: str) -> None:
    wish = sagas.wishes(side, 1)[0]
    before = side.run("saga-audit")
    told = _book(side, way, f"{way}-dry", wish, figway_dry_run="1")
    assert (told.status, told.json()["status"]) == (201, "pending")
    assert side.run("saga-audit") == before


@pytest.mark.skipif(not COUNT, reason="minutes: make sagas")
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("way", WAYS)
def test_rooms_and_money_add_up_under_faults(side: Side, way: str) -> None:
    """Every step lost, crashed, throttled and timed out, by chance, while sagas run."""
    functions = sagas.ORCHESTRATED if way == "orchestrated" else sagas.CHOREOGRAPHED
    answered = sagas.run(
        side, lambda name, wish: _book(side, way, name, wish), functions, COUNT, way
    )
    sagas.settled(side, f"{way}-storm")
    ended = sagas.audited(side, f"{way}-storm", COUNT)
    print(f"{way}: answered {dict(answered)}, ended {dict(ended)}")
    assert ended["confirmed"] > 0
    if COUNT >= 100:
        broken = {name: side.host.stats(name) for name in functions}
        print(
            {
                name: {k: v.get(k, 0) for k in ("timeout", "exit", "throttled")}
                for name, v in broken.items()
            }
        )
        assert all(
            v.get("timeout") and v.get("exit") and v.get("throttled") for v in broken.values()
        )
