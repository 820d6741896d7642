"""A press that a control plane does not know comes back to it from the proxies; what it cannot know
it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import delete, update

from control_plane.auth.roles import Role
from control_plane.db.engine import DatabaseAway
from control_plane.db.models import KillRow
from control_plane.kill import doubt, service, store
from control_plane.kill.store import MOST_NUMBER, Kill
from tests.integration.control_plane.kill.test_hanging_database import hanging
from tests.support.control import Control

ON = {"on": True, "reason": "it burns"}
OFF = {"on": False, "reason": "it is out"}
PLACES = ("/kill/notice", "/table")


def heard(control: Control, on: bool, number: int, whose: str = "") -> dict[str, str]:
    """What a proxy says of the press that it heard of last."""
    return {
        "figway-kill": "on" if on else "off",
        "figway-kill-number": str(number),
        "figway-installation": whose or control.services.state.installation,
    }


@contextmanager
def away(control: Control) -> Iterator[None]:
    """The database refuses every connection."""

    def refused() -> None:
        raise DatabaseAway("refused")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(control.services.database, "read", refused)
        patch.setattr(control.services.database, "write", refused)
        yield


@pytest.mark.parametrize("place", [*PLACES, "/fleet/acks"])
async def test_a_press_that_died_with_its_control_plane_comes_back(
    control: Control, place: str
) -> None:
    """B1: it was in memory alone, as the database was away. The next control plane said off, and
    proxies followed it."""
    proxy = await control.client_of(Role.PROXY, "web")
    headers = heard(control, True, 1)
    if place in PLACES:
        answer = await proxy.get(place, headers=headers)
    else:
        ack = {"instance": "p", "boot": "b", "revision": 0, "etag": ""}
        answer = await proxy.post(place, json=ack, headers=headers)
    assert answer.headers["figway-kill"] == "on", "it says so at once"
    assert answer.headers["figway-kill-number"] == "1"
    found = await control.get("/kill")
    assert (found["on"], found["number"], found["stored"]) == (True, 1, True)
    assert "had heard press 1" in found["reason"]
    audit = (await control.get("/audit"))["items"][0]
    assert (audit["action"], audit["actor"][:5]) == ("kill.on", "web (")
    # It is a press like any other: a person releases it, and the same word is old then.
    assert (await control.post("/kill", OFF)).json()["number"] == 2
    assert (await proxy.get("/table", headers=headers)).headers["figway-kill"] == "off"


@pytest.mark.parametrize(
    "headers",
    [
        {"figway-kill": "off", "figway-kill-number": "7"},
        {"figway-kill": "maybe", "figway-kill-number": "7"},
        {"figway-kill": "on", "figway-kill-number": ""},
        {"figway-kill": "on", "figway-kill-number": "-1"},
        {"figway-kill": "on" * 500, "figway-kill-number": "7"},
        {"figway-kill": "on", "figway-kill-number": "7" * 5000, "figway-installation": "7" * 500},
        {"figway-kill": "on", "figway-kill-number": "7.5"},
        {"figway-kill": "on", "figway-kill-number": str(MOST_NUMBER + 1)},
        {"figway-kill": "on", "figway-kill-number": "7", "figway-installation": "another"},
    ],
)
async def test_what_presses_nothing(control: Control, headers: dict[str, str]) -> None:
    """B1: neither a release by hearsay, nor another installation's press, nor what no proxy
    says."""
    proxy = await control.client_of(Role.PROXY)
    mine = {"figway-installation": control.services.state.installation}
    assert (await proxy.get("/kill/notice", headers={**mine, **headers})).status_code == 204
    assert (await control.get("/kill"))["on"] is False
    assert (await control.post("/kill", ON)).json()["on"]


async def test_who_may_not_press_it_cannot_by_a_header(control: Control) -> None:
    """S: a viewer may ask for the notice, as anyone with a key."""
    viewer = await control.client_of(Role.VIEWER)
    await viewer.get("/kill/notice", headers=heard(control, True, 7))
    assert (await control.get("/kill"))["on"] is False


async def test_an_adopted_installation_brings_its_press(control: Control) -> None:
    """T5: the database is new, and the proxies hold on to the press of the one that is lost."""
    proxy = await control.client_of(Role.PROXY)
    lost = "1" * 32
    headers = heard(control, True, 5, lost)
    await proxy.get("/kill/notice", headers=headers)
    assert (await control.get("/kill"))["on"] is False
    assert (
        await control.post("/installation/adopt", {"installation": lost, "reason": "r"})
    ).is_success
    await proxy.get("/kill/notice", headers=headers)
    found = await control.get("/kill")
    assert (found["on"], found["number"]) == (True, 5)


async def test_a_database_that_lost_a_press_gets_it_back(control: Control) -> None:
    """B1, T2: a failover to a replica without the last commit, or an older dump, let go of it."""
    assert (await control.post("/kill", ON)).json()["stored"]
    assert (await control.post("/kill", OFF)).json()["number"] == 2
    assert (await control.post("/kill", ON)).json()["number"] == 3
    async with control.services.database.write() as connection:
        await connection.execute(update(KillRow).values(on=False, number=2))
    await control.services.kill.refresh()
    found = await control.get("/kill")
    assert (found["on"], found["number"], found["stored"]) == (True, 3, True)
    async with control.services.database.write() as connection:
        await connection.execute(delete(KillRow))
    await control.services.kill.refresh()
    assert (await control.get("/kill"))["on"]
    assert "it burns" in (await control.get("/audit"))["items"][0]["reason"]
    await control.post("/kill", OFF)
    async with control.services.database.write() as connection:
        await connection.execute(update(KillRow).values(on=True, number=3))
    await control.services.kill.refresh()
    assert (await control.get("/kill"))["on"], "a lost release is none: everything to legacy"


async def test_what_was_taken_back_yields_to_a_release(control: Control) -> None:
    """T3: the database did not answer, and meanwhile another control plane took a release that this
    one cannot see."""
    proxy = await control.client_of(Role.PROXY)
    await proxy.get("/kill/notice")
    async with hanging(control):
        answer = await proxy.get("/kill/notice", headers=heard(control, True, 5))
        assert answer.headers["figway-kill"] == "on"
        assert not control.services.kill.stored
    kill = control.services.kill
    async with control.services.database.write() as connection:
        statement = control.services.database.insert(KillRow).values(
            id=1, on=False, number=6, changed_ms=1, actor="a", reason="r"
        )
        values = {"on": False, "number": 6}
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["id"], set_=values)
        )
    await kill.refresh()
    # Whoever was first: it was stored before the release of that number, or yielded to it.
    await kill.refresh()
    assert (kill.current.on, kill.current.number, kill.stored) == (False, 6, True)


async def test_a_press_counts_though_it_seems_to_be_on_already(control: Control) -> None:
    """B1: another control plane took a release that this one cannot see. "On already" changed
    nothing then, and everything stayed on new."""
    await control.seed()
    assert (await control.post("/kill", ON)).json()["number"] == 1
    proxy = await control.client_of(Role.PROXY)
    await proxy.get("/kill/notice")
    with away(control):
        await proxy.get("/kill/notice", headers=heard(control, False, 2))
        made = (await control.post("/kill", ON)).json()
        assert (made["changed"], made["on"], made["number"]) == (True, True, 3)
        again = (await control.post("/kill", ON)).json()
        assert (again["changed"], again["number"]) == (False, 3)
    await control.services.kill.refresh()
    assert (await control.get("/kill"))["stored"]


async def test_a_late_release_undoes_no_press_that_was_made_meanwhile(control: Control) -> None:
    """B1, B4: two operators at once, or a release that waited where everything was frozen."""
    await control.post("/kill", ON)
    seen = (await control.get("/kill"))["number"]
    await control.post("/kill", OFF)
    await control.post("/kill", ON)
    late = await control.post("/kill", {**OFF, "expected": seen})
    assert (late.status_code, late.json()["type"]) == (
        409,
        "urn:figway:problem:pressed_meanwhile",
    )
    assert "turned it on meanwhile (press 3: it burns)" in late.json()["detail"]
    # At another control plane, which this one has not heard of when it looks.
    load = store.load

    async def old(connection: Any) -> Kill:
        return Kill(True, seen + 2, 1)

    async with control.services.database.write() as connection:
        await connection.execute(update(KillRow).values(number=7, actor="bob"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "load", old)
        late = await control.post("/kill", {**OFF, "expected": seen + 2})
    assert late.status_code == 409
    assert store.load is load
    assert (await control.get("/kill"))["on"]
    assert (await control.post("/kill", {**OFF, "expected": 7})).json()["on"] is False
    assert (await control.get("/kill/propagation"))["applied"]


async def test_a_key_that_comes_for_the_first_time_can_press_it(control: Control) -> None:
    """B1: the operator's own control plane is gone, and the database with it; at the other one the
    key was never used, and every press was answered 503."""
    operator = await control.client_of(Role.OPERATOR, "ana")
    viewer = await control.client_of(Role.VIEWER, "vic")
    gone = await control.client_of(Role.OPERATOR, "eve")
    prefixes = {item["name"]: item["prefix"] for item in (await control.get("/keys"))["items"]}
    assert (await control.client.delete(f"/keys/{prefixes['eve']}")).is_success
    await control.services.auth.learn()
    with away(control):
        assert (await viewer.post("/kill", json=ON)).status_code == 403
        assert (await gone.post("/kill", json=ON)).status_code == 503
        assert (await operator.post("/kill", json=ON)).json()["on"]
    await control.services.auth.learn()
    assert (await gone.post("/kill", json=OFF)).status_code == 401


async def test_it_says_what_it_does_not_know(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B3: "off for the fleet" was said by a control plane that could not see a press at another;
    proxies that sent everything to legacy stood beside it."""
    await control.seed()
    monkeypatch.setattr(doubt, "DOUBT_S", 0.3)
    assert (await control.get("/kill"))["doubt"] == ""
    killed: dict[str, Any] = {"on": True, "workers": 1, "workers_on": 1, "number": 4}
    await control.ack("p1", 1, "x", kill={**killed, "on": False, "workers_on": 0})
    proxy = await control.client_of(Role.PROXY)
    await proxy.get("/kill/notice")
    async with hanging(control):
        kill = control.services.kill
        kill._read_at -= 200
        found = await control.get("/kill")
        assert found["on"] is False
        assert found["doubt"].startswith("The database has not answered for 3 min")
        stand = (await control.get("/fleet"))["kill"]
        assert (
            stand["summary"]
            == "off as far as is known here: 0 of 1 proxy sends everything to legacy"
        )
        assert stand["doubt"] == found["doubt"]
        await proxy.get("/kill/notice", headers=heard(control, False, 9))
        assert (
            "Proxies have heard of a newer press, 9: off." in (await control.get("/kill"))["doubt"]
        )
    await control.services.kill.refresh()
    assert (await control.get("/kill"))["doubt"] == ""
    assert (await control.get("/fleet"))["kill"]["summary"] == "off"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long in a test."""
    from control_plane.auth import service as auth
    from control_plane.fleet import service as fleet

    monkeypatch.setattr(service, "PROMPT_S", 0.1)
    monkeypatch.setattr(fleet, "_ANSWER_S", 0.1)
    monkeypatch.setattr(auth, "_ANSWER_S", 0.1)
