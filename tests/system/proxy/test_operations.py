"""One operation of each protocol moves, and nothing else, for clients that nobody here wrote.

Legacy is one shop and new another one, each a process: what each executed is counted by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import requests
import zeep
from gql import Client, gql
from gql.transport.httpx import HTTPXTransport
from jsonrpcclient import request

from figway.model.operations import OperationKind, OperationMatch, OperationType
from figway.model.table import Capability, Route, RouteMatch, Stage
from proxy.request.runtime import FacadeSettings
from tests.support.serverless.events import KINDS
from tests.support.serverless.facade import LambdaFacade, Sandboxes
from tests.support.wire import Facade, table_of
from tests.system.legacy_stub.running import Running, running

NAMESPACE = "urn:wayfarer:booking"


def moved(name: str, path: str, operation: OperationMatch, **fields: Any) -> Route:
    set_: dict[str, Any] = {"stage": Stage.NEW, "new": "new", "reads": ("POST",), **fields}
    return Route(id=name, match=RouteMatch(path=path, operation=operation), **set_)


ROUTES = (
    moved(
        "soap",
        "/ws/booking.asmx",
        OperationMatch(kind=OperationKind.SOAP, names=(f"{{{NAMESPACE}}}GetBooking",)),
    ),
    moved(
        "graphql",
        "/graphql",
        OperationMatch(
            kind=OperationKind.GRAPHQL, names=("OneHotel",), types=(OperationType.QUERY,)
        ),
    ),
    moved("rpc", "/rpc", OperationMatch(kind=OperationKind.JSONRPC, names=("booking.get",))),
)


@pytest.fixture(scope="module")
def shops() -> Iterator[tuple[Running, Running]]:
    with running() as legacy, running() as new:
        yield legacy, new


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Sandboxes]:
    found = Sandboxes()
    yield found
    found.stop()


@pytest.fixture(params=["native", "asgi", "http", "alb-multi"])
def door(
    request: pytest.FixtureRequest, shops: tuple[Running, Running], sandboxes: Sandboxes
) -> Iterator[Facade | LambdaFacade]:
    """Both doors, and the proxy function behind an HTTP API and a load balancer."""
    legacy, new = (int(shop.url.rpartition(":")[2]) for shop in shops)
    kind, table = str(request.param), table_of(legacy, new, *ROUTES)
    found: Facade | LambdaFacade
    if kind in KINDS:
        found = LambdaFacade(kind, sandboxes.get(FacadeSettings(), table))
    else:
        found = Facade(kind, table, FacadeSettings())
    for shop in shops:
        httpx.delete(f"{shop.url}/internal/stats", trust_env=False, timeout=60).raise_for_status()
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
def facade(door: Facade | LambdaFacade) -> str:
    return f"http://127.0.0.1:{door.port}"


def executed(shops: tuple[Running, Running]) -> tuple[dict[str, int], dict[str, int]]:
    """Operations by name: what legacy did, what new did."""
    told = [
        httpx.get(f"{shop.url}/internal/stats", trust_env=False, timeout=60).json()
        for shop in shops
    ]
    return told[0]["operations"], told[1]["operations"]


@pytest.mark.parametrize("port", ["BookingSoap", "BookingSoap12"])
def test_zeep_moves_one_operation(facade: str, shops: tuple[Running, Running], port: str) -> None:
    """SOAP 1.1 and 1.2: GetBooking from new; the description, a list, a fault of a write from
    legacy."""
    with requests.Session() as session:
        session.trust_env = False
        client = zeep.Client(
            f"{facade}/ws/booking.asmx?wsdl", transport=zeep.Transport(session=session)
        )
        service = client.bind("BookingService", port)
        service._binding_options["address"] = f"{facade}/ws/booking.asmx"
        assert service.GetBooking(Id="WF-100001").Booking.Id == "WF-100001"
        assert {hotel.City for hotel in service.ListHotels(City="Lisboa", Size=2).Hotels.Hotel}
        with pytest.raises(zeep.exceptions.Fault, match="No such booking"):
            service.GetBooking(Id="WF-1")
        with pytest.raises(zeep.exceptions.Fault):
            service.CreateBooking(
                UserId=3, HotelId=41, Room="none", From="2027-03-01", To="2027-03-03", Guests=1
            )
    legacy, new = executed(shops)
    assert set(new) == {"soap GetBooking"}
    assert new["soap GetBooking"] == 2
    assert "soap GetBooking" not in legacy
    assert {"soap ListHotels", "soap CreateBooking"} <= set(legacy)


def test_gql_moves_one_query(facade: str, shops: tuple[Running, Running]) -> None:
    """The named query from new; another one, a mutation and a document of two from legacy."""
    transport = HTTPXTransport(url=f"{facade}/graphql", trust_env=False)
    with Client(transport=transport) as session:
        one = gql("query OneHotel($id: Int!) { hotel(id: $id) { name } }")
        one.variable_values = {"id": 41}
        assert session.execute(one)["hotel"]["name"]
        assert session.execute(gql("query TwoHotels { hotels(first: 2) { id } }"))["hotels"]
        assert session.execute(gql("{ hotel(id: 41) { id } }"))["hotel"]
        both = gql("query OneHotel { hotel(id: 41) { id } } query Other { hotels { id } }")
        both.operation_name = "Other"
        assert session.execute(both)["hotels"]
        wish = (
            'userId: 3, hotelId: 41, room: "none", from: "2027-03-01", to: "2027-03-03", guests: 1'
        )
        with pytest.raises(Exception, match="room"):
            session.execute(gql(f"mutation OneHotel {{ book(booking: {{{wish}}}) {{ id }} }}"))
    legacy, new = executed(shops)
    assert sum(new.values()) == 1
    assert sum(legacy.values()) == 4


def test_jsonrpcclient_moves_one_method(facade: str, shops: tuple[Running, Running]) -> None:
    """The method from new, alone or in a batch of itself; another one and a mix from legacy."""

    def call(body: Any) -> Any:
        answer = httpx.post(f"{facade}/rpc", json=body, trust_env=False, timeout=60)
        return answer.raise_for_status().json()

    get = request("booking.get", params={"id": "WF-100001"})
    unknown = request("booking.get", params={"id": "WF-1"})
    other = request("no.such.method")
    assert call(get)["result"]["id"] == "WF-100001"
    assert [entry["id"] for entry in call([get, unknown])] == [get["id"], unknown["id"]]
    assert executed(shops)[0] == {}
    assert call(other)["error"]["code"] == -32601
    assert len(call([get, other])) == 2
    legacy, new = executed(shops)
    assert new == {"jsonrpc booking.get": 3}
    assert legacy["jsonrpc booking.get"] == 1


def test_300_users_of_a_canary_stay_where_they_are(
    door: Facade | LambdaFacade, facade: str, shops: tuple[Running, Running]
) -> None:
    """Line 5: half of the users' GetBooking and booking.get are new's, of each user both or none;
    ListHotels is legacy's for all of them."""
    legacy, new = (int(shop.url.rpartition(":")[2]) for shop in shops)
    plain = table_of(legacy, new, *(_half(route) for route in ROUTES))
    door.swap(replace(plain, capabilities={"trip": Capability(id="trip")}))
    sides: list[set[str]] = []
    with requests.Session() as session:
        session.trust_env = False
        client = zeep.Client(
            f"{facade}/ws/booking.asmx?wsdl", transport=zeep.Transport(session=session)
        )
        service = client.bind("BookingService", "BookingSoap")
        service._binding_options["address"] = f"{facade}/ws/booking.asmx"
        before = len(door.records)
        for user in range(300):
            session.cookies.set("figway_id", f"user-{user}")
            assert service.GetBooking(Id="WF-100001").Booking.Id == "WF-100001"
            call = request("booking.get", params={"id": "WF-100001"})
            assert session.post(f"{facade}/rpc", json=call).json()["id"] == call["id"]
            if user % 20 == 0:
                assert service.ListHotels(City="Lisboa", Size=1).Hotels.Hotel
        door.wait_for(lambda: len(door.records) == before + 615)
        found = [(record.operation, record.side) for record in door.records[before:]]
    lists = [side for name, side in found if name.endswith("ListHotels")]
    assert lists == ["legacy"] * 15
    named = [side for name, side in found if not name.endswith("ListHotels")]
    sides = [{first, second} for first, second in zip(named[::2], named[1::2], strict=True)]
    assert all(len(met) == 1 for met in sides)
    assert 110 < sides.count({"new"}) < 190
    assert executed(shops)[1] == {
        "soap GetBooking": sides.count({"new"}), "jsonrpc booking.get": sides.count({"new"})
    }  # fmt: skip


def _half(route: Route) -> Route:
    return replace(route, stage=Stage.CANARY, weight=5_000, capability="trip")


def test_bodies_reach_new_byte_for_byte(facade: str, shops: tuple[Running, Running]) -> None:
    """An unusual spelling of the same request gets the same answer, and by the same side."""
    text = '  {"operationName":null ,\n"query":"query OneHotel{hotel(id:41){id,name}}"}\r\n'
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    answers = [
        httpx.post(f"{url}/graphql", content=text, headers=headers, trust_env=False, timeout=60)
        for url in (facade, shops[0].url)
    ]
    assert answers[0].json()["data"] == answers[1].json()["data"]
    assert json.dumps(answers[0].json()["data"]).count("name") == 1
    assert sum(executed(shops)[1].values()) == 1
