"""Many sagas with faults at every step, by either way, and the audit of what they leave."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.system.new_services.clouds import Reply, Side, get

FAULTS = ("lost", "crash", "throttle", "hang")
ORCHESTRATED = ("saga-hold", "saga-charge", "saga-confirm", "saga-refund", "saga-release")
CHOREOGRAPHED = ("on-booking-requested", "on-room-held", "on-deposit-charged", "on-saga-failed")
DECLINED = 113
"""A user whose card is declined: the saga is undone without any fault."""

Stay = tuple[str, str]
"""The days of arrival and of departure."""
STAYS: dict[str, tuple[Stay, ...]] = {
    "orchestrated": (("2027-05-03", "2027-05-06"), ("2027-05-10", "2027-05-13")),
    "choreographed": (("2027-07-05", "2027-07-08"), ("2027-07-12", "2027-07-15")),
}
"""Stays of their own for each way: rooms that one has taken are gone for the other."""

Book = Callable[[str, Any], Reply]


def wishes(side: Side, count: int, way: str = "orchestrated") -> list[dict[str, Any]]:
    """Bookings at hotels that want a deposit; more than there are rooms, and some declined."""
    hotels = [get(side.legacy, f"/api/catalogue/{number}") for number in range(20, 60)]
    hotels = [h for h in hotels if h["policies"]["deposit_percent"]][:10]
    made = []
    for number in range(count):
        hotel = hotels[number % len(hotels)]
        user = DECLINED if number % 8 == 3 else 3 + number
        first, last = STAYS[way][number // len(hotels) % 2]
        wish = {"user_id": user, "hotel_id": hotel["id"], "room": hotel["rooms"][0]["code"]}
        made.append({**wish, "from": first, "to": last, "guests": 1})
    return made


def storm(
    side: Side, functions: tuple[str, ...], stop: threading.Event, chance: random.Random
) -> None:
    """Break every function in every way, again and again, until stopped; then no more.

    Faults come by the calls, about one in three, and not by the clock: on a slow machine they would
    pile up until nothing works.
    """
    due = dict.fromkeys(functions, 0)
    ways: dict[str, list[str]] = {name: [] for name in functions}
    while not stop.wait(0.2):
        for name, calls in _calls(side, functions).items():
            if calls < due[name]:
                continue
            kinds = ways[name] = ways[name] or chance.sample(FAULTS, len(FAULTS))
            # Three in a row use up the retries of a step; one is survived.
            times = chance.choice((1, 1, 3))
            side.host.fault(function=name, kind=kinds.pop(), times=times)
            due[name] = calls + times + chance.choice((2, 3, 4))
    side.host.send("DELETE", "/host/faults")


def _calls(side: Side, functions: tuple[str, ...]) -> dict[str, int]:
    stats = side.host.send("GET", "/host/stats").json()
    counted = {name: stats.get(name, {}) for name in functions}
    return {
        name: found.get("invocations", 0) + found.get("throttled", 0)
        for name, found in counted.items()
    }


def run(side: Side, book: Book, functions: tuple[str, ...], count: int, way: str) -> Counter[int]:
    """`count` sagas, eight at a time, under faults; how often each status was answered."""
    stop, chance = threading.Event(), random.Random(16)
    breaking = threading.Thread(target=storm, args=(side, functions, stop, chance))
    breaking.start()
    try:
        wanted = list(enumerate(wishes(side, count, way)))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda one: book(f"{way}-storm-{one[0]}", one[1]), wanted))
    finally:
        stop.set()
        breaking.join()
    return Counter(answer.status for answer in answers)


def audited(side: Side, prefix: str, count: int) -> Counter[str]:
    """Check rooms and money of the sagas of one prefix; how they ended."""
    found = side.run("saga-audit")
    sagas = [one for one in found["sagas"] if one["id"].startswith(f"{prefix}-")]
    assert len(sagas) <= count
    for saga in sagas:
        kept = saga["charged"] - saga["refunded"]
        if saga["state"] == "confirmed":
            assert saga["charged"] > 0, saga
            assert saga["refunded"] == 0, saga
            assert saga["booking"]["id"] in found["booked"], saga
        else:
            assert saga["state"] in ("undone", "refused"), saga
            assert kept == 0, saga
            assert saga["booking"] is None or saga["booking"]["id"] not in found["booked"], saga
    standing = [s["booking"]["id"] for s in found["sagas"] if s["state"] == "confirmed"]
    assert sorted(standing) == sorted(found["booked"])
    _rooms(side, [s["booking"] for s in found["sagas"] if s["state"] == "confirmed"])
    return Counter(saga["state"] for saga in sagas)


def _rooms(side: Side, bookings: list[dict[str, Any]]) -> None:
    """No more of a kind is booked than legacy had left, and availability says the same."""
    stays = {stay for of_way in STAYS.values() for stay in of_way}
    taken = Counter((one["hotel_id"], one["room"], one["from"], one["to"]) for one in bookings)
    for (hotel, room, first, last), number in taken.items():
        if (first, last) not in stays:
            continue
        path = f"/api/catalogue/{hotel}/availability?from={first}&to={last}"
        before = _left(get(side.legacy, path), room)  # which knows nothing of the sagas
        after = _left(side.ask("catalogue-availability", "GET", path).json(), room)
        assert 0 <= after == before - number, (hotel, room, first)


def _left(availability: dict[str, Any], room: str) -> int:
    return int(next(one["left"] for one in availability["rooms"] if one["code"] == room))


def settled(side: Side, prefix: str, seconds: float = 120) -> None:
    """Wait until no saga is on its way."""
    on_its_way = {"requested", "held", "charged", "declined"}
    until = time.monotonic() + seconds
    while True:
        sagas = side.run("saga-audit")["sagas"]
        if not any(s["state"] in on_its_way and s["id"].startswith(prefix) for s in sagas):
            return
        assert time.monotonic() < until, [s for s in sagas if s["state"] in on_its_way]
        time.sleep(0.5)
