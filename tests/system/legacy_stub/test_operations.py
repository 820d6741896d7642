"""SOAP by zeep, GraphQL checked by graphql-core's own client side, JSON-RPC as raw JSON."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import zeep
from graphql import build_client_schema, get_introspection_query, parse, validate
from zeep.exceptions import Fault

NAMESPACE = "urn:wayfarer:booking"
S11 = "http://schemas.xmlsoap.org/soap/envelope/"
S12 = "http://www.w3.org/2003/05/soap-envelope"


@pytest.fixture(scope="module")
def wsdl(shop_url: str) -> Iterator[zeep.Client]:
    with requests.Session() as session:
        session.trust_env = False
        transport = zeep.Transport(session=session)
        yield zeep.Client(f"{shop_url}/ws/booking.asmx?wsdl", transport=transport)


def _ports(client: zeep.Client) -> list[Any]:
    return [client.bind("BookingService", name) for name in ("BookingSoap", "BookingSoap12")]


def test_soap_reads_and_books_in_both_versions(shop: httpx.Client, wsdl: zeep.Client) -> None:
    for number, port in enumerate(_ports(wsdl)):
        got = port.GetBooking(Id="WF-100001")
        shown = shop.get("/api/bookings/WF-100001").json()
        assert (got.Booking.Id, got.Booking.UserId) == (shown["id"], shown["user_id"])
        assert str(got.Booking.Total._value_1) == shown["total"]["amount"]
        assert got.Booking.Total.Currency == "EUR"
        listed = port.ListHotels(City="Lisboa", Size=3)
        assert {hotel.City for hotel in listed.Hotels.Hotel} == {"Lisboa"}
        room = shop.get("/api/catalogue/41").json()["rooms"][0]["code"]
        made = port.CreateBooking(
            UserId=3, HotelId=41, Room=room, From="2027-03-01", To="2027-03-03", Guests=1
        )
        there = shop.get(f"/api/bookings/{made.Booking.Id}").json()
        assert (there["hotel_id"], there["status"], there["notes"]) == (41, "pending", None)
        assert shop.get("/internal/stats").json()["writes"]["booking.created"] == number + 1
    counted = shop.get("/internal/stats").json()["operations"]
    assert counted == {"soap GetBooking": 2, "soap ListHotels": 2, "soap CreateBooking": 2}


def test_a_voucher_comes_as_an_mtom_attachment(shop: httpx.Client, wsdl: zeep.Client) -> None:
    for port in _ports(wsdl):
        assert b"WF-100002" in port.GetVoucher(Id="WF-100002").Voucher
    answer = shop.post("/ws/booking.asmx", content=_envelope(S11, "GetVoucher", Id="WF-100002"))
    assert answer.headers["content-type"].startswith('multipart/related; boundary="')
    assert b"<xop:Include" in answer.content


def _envelope(version: str, operation: str, **arguments: str) -> bytes:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in arguments.items())
    return (
        f'<e:Envelope xmlns:e="{version}"><e:Header/><e:Body>'
        f'<{operation} xmlns="{NAMESPACE}">{inner}</{operation}></e:Body></e:Envelope>'
    ).encode()


def test_an_unknown_booking_is_the_senders_fault(shop: httpx.Client, wsdl: zeep.Client) -> None:
    """SOAP 1.1 faults are 500; a Sender fault of SOAP 1.2 is 400, by its HTTP binding."""
    for port, code in zip(_ports(wsdl), ("Client", "Sender"), strict=True):
        with pytest.raises(Fault) as caught:
            port.GetBooking(Id="WF-1")
        assert caught.value.code.endswith(code)
        assert caught.value.message == "No such booking."
    for version, status in ((S11, 500), (S12, 400)):
        answer = shop.post("/ws/booking.asmx", content=_envelope(version, "GetBooking", Id="WF-1"))
        assert answer.status_code == status
        assert "<Code>not_found</Code>" in answer.text


def test_a_server_fault_on_request(shop: httpx.Client) -> None:
    """Before: nothing ran. After: it was written, and the client learns of a fault."""
    room = shop.get("/api/catalogue/42").json()["rooms"][0]["code"]
    stay = {"From": "2027-03-01", "To": "2027-03-03", "Guests": "1"}
    wish = _envelope(S12, "CreateBooking", UserId="3", HotelId="42", Room=room, **stay)
    for knob, written in (("server_error", 0), ("server_error; after", 1)):
        answer = shop.post("/ws/booking.asmx", content=wish, headers={"X-Stub-Fault": knob})
        assert (answer.status_code, "soap:Receiver" in answer.text) == (500, True)
        assert shop.get("/internal/stats").json()["writes"].get("booking.created", 0) == written
    wanted = {"path": "/ws/booking.asmx", "kind": "server_error", "times": 1}
    assert shop.post("/internal/faults", json=wanted).status_code == 201
    answers = [
        shop.post("/ws/booking.asmx", content=_envelope(S11, "GetBooking", Id="WF-100001"))
        for _ in range(2)
    ]
    assert [(a.status_code, "soap:Server" in a.text) for a in answers] == [
        (500, True),
        (200, False),
    ]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "not well-formed"),
        (b"<a><b></a>", "not well-formed"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "a document type is not taken"),
        (b"<a>" * 40 + b"</a>" * 40, "too deep"),
        (_envelope("urn:other", "GetBooking"), "VersionMismatch"),
        (_envelope(S11, "DropBooking"), "There is no operation DropBooking"),
        (f'<e:Envelope xmlns:e="{S11}"><e:Body/></e:Envelope>'.encode(), "no operation"),
        (_envelope(S11, "CreateBooking", UserId="x"), "UserId must be a whole number"),
    ],
)
def test_what_is_no_call_is_a_fault(shop: httpx.Client, body: bytes, told: str) -> None:
    answer = shop.post("/ws/booking.asmx", content=body)
    assert answer.status_code == 500
    assert told in answer.text
    assert "Fault>" in answer.text


def test_an_mtom_request_is_read_by_its_start_part(shop: httpx.Client) -> None:
    part = "--b\r\nContent-Type: {}\r\nContent-ID: {}\r\n\r\n"
    body = (
        (part.format("text/plain", "<other>") + "no envelope\r\n").encode()
        + part.format('application/xop+xml; type="text/xml"', "<it>").encode()
        + _envelope(S11, "GetBooking", Id="WF-100003")
        + b"\r\n--b--\r\n"
    )
    kind = 'multipart/related; boundary=b; type="application/xop+xml"; start="<it>"'
    answer = shop.post("/ws/booking.asmx", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, "<Id>WF-100003</Id>" in answer.text) == (200, True)


def _ask(shop: httpx.Client, query: str, **more: object) -> Any:
    answer = shop.post("/graphql", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_graphql_describes_itself(shop: httpx.Client) -> None:
    """The client side of graphql-core reads the introspection, and judges queries by it."""
    schema = build_client_schema(_ask(shop, get_introspection_query())["data"])
    assert (
        validate(schema, parse("{ booking(id: 1) { hotel { name } user { bookings { id } } } }"))
        == []
    )
    assert validate(schema, parse("{ comet { tail } }"))


def test_graphql_reads_what_the_api_answers(shop: httpx.Client) -> None:
    query = """query Trip($id: ID!) { booking(id: $id) { ...B hotel { name price { amount } } } }
    fragment B on Booking { id userId total { amount currency } user { name } }"""
    got = _ask(shop, query, variables={"id": "WF-100001"}, operationName="Trip")["data"]["booking"]
    shown = shop.get("/api/bookings/WF-100001").json()
    assert (got["id"], got["userId"], got["total"]) == (
        shown["id"],
        shown["user_id"],
        shown["total"],
    )
    assert got["hotel"]["name"] == shown["hotel_name"]
    listed = _ask(shop, '{ bookings(user: 17, first: 5) { id } hotels(city: "Lisboa") { city } }')
    theirs = shop.get("/api/bookings?user=17&size=5").json()["items"]
    assert [one["id"] for one in listed["data"]["bookings"]] == [one["id"] for one in theirs]
    assert {one["city"] for one in listed["data"]["hotels"]} == {"Lisboa"}
    assert shop.get("/internal/stats").json()["operations"] == {
        "graphql query.booking": 1,
        "graphql query.bookings": 1,
        "graphql query.hotels": 1,
    }


_BOOK = "mutation($b: BookingInput!) { book(booking: $b) { id status guests } }"


def _wish(shop: httpx.Client, hotel: int) -> dict[str, object]:
    room = shop.get(f"/api/catalogue/{hotel}").json()["rooms"][0]["code"]
    stay = {"from": "2027-03-01", "to": "2027-03-03", "guests": 1}
    return {"userId": 3, "hotelId": hotel, "room": room, **stay}


def test_a_mutation_writes_once(shop: httpx.Client) -> None:
    made = _ask(shop, _BOOK, variables={"b": _wish(shop, 43)})["data"]["book"]
    assert made["status"] == "pending"
    assert shop.get(f"/api/bookings/{made['id']}").json()["guests"] == 1
    assert shop.get("/internal/stats").json()["writes"] == {"booking.created": 1}
    assert shop.get("/graphql", params={"query": "mutation { book { id } }"}).status_code == 200
    got = shop.get(
        "/graphql", params={"query": _BOOK, "variables": json.dumps({"b": _wish(shop, 43)})}
    )
    assert got.status_code == 405
    assert shop.get("/internal/stats").json()["writes"] == {"booking.created": 1}


def test_graphql_errors_are_200_with_a_code(shop: httpx.Client) -> None:
    unknown = _ask(shop, '{ booking(id: "WF-1") { id } }')
    assert (unknown["data"], unknown["errors"][0]["extensions"]["code"]) == (
        {"booking": None},
        "NOT_FOUND",
    )
    assert "errors" not in _ask(shop, "{ hotel(id: 99999) { id } }")
    assert "data" not in _ask(shop, "{ comet { tail } }")
    assert "data" not in _ask(shop, "{ booking(")
    full = {**_wish(shop, 43), "guests": 19}
    refused = _ask(shop, _BOOK, variables={"b": full})["errors"][0]["extensions"]
    assert refused == {"code": "BAD_USER_INPUT", "field": "guests"}
    broken = shop.post(
        "/graphql",
        json={"query": "{ hotel(id: 1) { id } }"},
        headers={"X-Stub-Fault": "server_error"},
    )
    assert broken.json()["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    for body in (b"{", b"[]", b"3", b'{"query": 3}', b'[{"query": "{ __typename }"}, 4]'):
        assert shop.post("/graphql", content=body).status_code == 400


def test_graphql_batches_and_persisted_queries(shop: httpx.Client) -> None:
    query = "{ hotel(id: 12) { name } }"
    both = shop.post(
        "/graphql", json=[{"query": query}, {"query": "{ hotel(id: 13) { id } }"}]
    ).json()
    assert both[1]["data"] == {"hotel": {"id": 13}}
    kept = {
        "persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(query.encode()).hexdigest()}
    }
    first = shop.post("/graphql", json={"extensions": kept}).json()
    assert first["errors"][0]["message"] == "PersistedQueryNotFound"
    for asked in ({"query": query, "extensions": kept}, {"extensions": kept}):
        assert shop.post("/graphql", json=asked).json()["data"] == both[0]["data"]
    wrong = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    assert shop.post("/graphql", json={"query": query, "extensions": wrong}).status_code == 400


def _rpc(shop: httpx.Client, body: object) -> Any:
    answer = shop.post("/rpc", content=body if isinstance(body, bytes) else json.dumps(body))
    assert answer.status_code in (200, 204), answer.text
    return answer.json() if answer.content else None


def _call(method: str, number: object = 1, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": method, "params": params, "id": number}


def test_json_rpc_reads_and_books(shop: httpx.Client) -> None:
    got = _rpc(shop, _call("booking.get", "a", id="WF-100001"))
    shown = shop.get("/api/bookings/WF-100001").json()
    own = ("generated_at", "request_id")
    assert got["id"] == "a"
    assert {k: v for k, v in got["result"].items() if k not in own} == {
        k: v for k, v in shown.items() if k not in own
    }
    listed = _rpc(shop, _call("booking.list", user_id=17, size=3))["result"]
    assert [one["user_id"] for one in listed["items"]] == [17] * len(listed["items"])
    wish = {re.sub("Id$", "_id", key): value for key, value in _wish(shop, 44).items()}
    made = _rpc(shop, _call("booking.create", **wish))["result"]
    assert shop.get(f"/api/bookings/{made['id']}").json()["hotel_id"] == 44
    stats = shop.get("/internal/stats").json()
    assert stats["writes"] == {"booking.created": 1}
    assert stats["operations"]["jsonrpc booking.create"] == 1


@pytest.mark.parametrize(
    ("body", "code", "number"),
    [
        (b"{", -32700, None),
        (b"[]", -32600, None),
        ({"method": "booking.get", "id": 1}, -32600, None),
        ({"jsonrpc": "2.0", "method": 1, "id": 1}, -32600, None),
        (_call("booking.drop"), -32601, 1),
        ({"jsonrpc": "2.0", "method": "booking.get", "params": ["WF-1"], "id": 2}, -32602, 2),
        (_call("booking.get", id=7), -32602, 1),
        (_call("booking.get", id="WF-1"), 404, 1),
        (_call("booking.create", user_id=1), 422, 1),
    ],
)
def test_json_rpc_errors(shop: httpx.Client, body: object, code: int, number: object) -> None:
    told = _rpc(shop, body)
    assert (told["error"]["code"], told["id"]) == (code, number)
    assert "result" not in told


def test_json_rpc_batches_and_notifications(shop: httpx.Client) -> None:
    note = {"jsonrpc": "2.0", "method": "booking.get", "params": {"id": "WF-100001"}}
    batch = [_call("booking.get", 5, id="WF-100001"), note, 3, _call("nothing", 6)]
    told = _rpc(shop, batch)
    assert [(one["id"], one.get("error", {}).get("code")) for one in told] == [
        (5, None),
        (None, -32600),
        (6, -32601),
    ]
    assert _rpc(shop, note) is None
    assert _rpc(shop, [note, note]) is None
    assert shop.get("/internal/stats").json()["operations"] == {"jsonrpc booking.get": 5}
    body = json.dumps(_call("booking.get", id="WF-100001"))
    broken = shop.post("/rpc", content=body, headers={"X-Stub-Fault": "server_error"})
    assert broken.json()["error"]["code"] == -32603


def test_a_search_by_post_answers_as_the_one_by_get(shop: httpx.Client) -> None:
    body: dict[str, str | int] = {"q": "bar", "city": "Lisboa", "page": 1, "size": 5}
    got = shop.post("/api/catalogue/search", json=body)
    shown = shop.get("/api/catalogue", params=body)
    assert got.json()["items"] == shown.json()["items"]
    assert got.json()["total"] == shown.json()["total"]
    assert shop.post("/api/catalogue/search", json={"moon": 1}).status_code == 400
