"""Users, profiles and the catalogue, over a real socket."""

from __future__ import annotations

import gzip
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import httpx
import pytest

_STAMPS = ("generated_at", "request_id")


def _bare(answer: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    return {name: value for name, value in body.items() if name not in _STAMPS}


def test_a_user_is_the_same_each_time_but_for_its_stamps(shop: httpx.Client) -> None:
    one, two = shop.get("/api/users/17"), shop.get("/api/users/17")
    assert _bare(one) == _bare(two)
    assert one.json()["request_id"] != two.json()["request_id"]
    assert one.headers["x-request-id"] == one.json()["request_id"]
    assert one.json()["name"] == f"{one.json()['first_name']} {one.json()['last_name']}"


def test_lists_have_one_envelope_and_lead_to_the_next_page(shop: httpx.Client) -> None:
    seen: list[int] = []
    where: str | None = "/api/users?size=100"
    while where:
        body = shop.get(where).json()
        seen += [user["id"] for user in body["items"]]
        where = body["next"]
    assert seen[:400] == list(range(1, 401))
    assert len(seen) == body["total"]
    beyond = shop.get("/api/users?page=99&size=100").json()
    assert beyond["items"] == []
    assert beyond["next"] is None


@pytest.mark.parametrize("query", ["page=0", "size=101", "size=x", "page=-1"])
def test_a_bad_page_is_refused(shop: httpx.Client, query: str) -> None:
    answer = shop.get(f"/api/users?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"


def test_a_user_signs_up_once_and_changes(shop: httpx.Client) -> None:
    wanted = {"email": "Nell@example.com", "first_name": "Nell", "last_name": "Trent"}
    made = shop.post("/api/users", json=wanted)
    assert made.status_code == 201
    where = made.headers["location"]
    assert where == str(shop.base_url.join(f"/api/users/{made.json()['id']}"))
    again = shop.post("/api/users", json={**wanted, "email": "NELL@example.com"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
    changed = shop.patch(where, json={"marketing": True})
    assert (changed.json()["marketing"], changed.json()["version"]) == (True, 2)
    assert shop.get(f"{where}/profile").json()["preferences"]["currency"] == "EUR"
    assert shop.get("/internal/stats").json()["writes"] == {
        "user.created": 1,
        "profile.updated": 1,
        "user.updated": 1,
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "x"}, "email"),
        ({"email": "a@b", "first_name": ""}, "first_name"),
        ({"points": 3}, "points"),
    ],
)
def test_a_refused_write_names_the_field_and_publishes_nothing(
    shop: httpx.Client, body: dict[str, object], field: str
) -> None:
    answer = shop.post("/api/users", json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert shop.get("/internal/stats").json()["writes"] == {}


def test_a_body_that_is_no_json_object_is_refused(shop: httpx.Client) -> None:
    for content in (b"{", b"[]", b"\xff"):
        assert shop.post("/api/users", content=content).status_code == 400


def test_a_profile_is_replaced_whole(shop: httpx.Client) -> None:
    before = shop.get("/api/users/20/profile").json()
    wanted = {"display_name": "Zoë", "preferences": {"room": {"bed": "twin"}}}
    after = shop.put("/api/users/20/profile", json=wanted).json()
    assert after["display_name"] == "Zoë"
    assert after["preferences"]["room"] == {"bed": "twin", "floor": "any", "smoking": False}
    assert after["companions"] == []
    assert after["address"] is None
    assert after["credit"] == before["credit"]
    assert after["version"] == before["version"] + 1
    refused = shop.put("/api/users/20/profile", json={"display_name": "Z", "credit": {}})
    assert refused.json()["error"]["field"] == "credit"


def test_search_filters_and_sorts(shop: httpx.Client) -> None:
    every = [
        hotel
        for page in (1, 2, 3)
        for hotel in shop.get(f"/api/catalogue?size=100&page={page}").json()["items"]
    ]
    assert len(every) == 240
    assert [(h["name"], h["id"]) for h in every] == sorted((h["name"], h["id"]) for h in every)
    found = shop.get(
        "/api/catalogue",
        params={"city": "łódź", "max_price": "120.5", "q": "WIFI", "sort": "-price", "size": "100"},
    ).json()["items"]
    expected = [
        hotel
        for hotel in every
        if hotel["city"] == "Łódź"
        and Decimal(hotel["price"]["amount"]) <= Decimal("120.5")
        and "wifi" in hotel["amenities"]
    ]
    assert expected
    expected.sort(key=lambda hotel: (-Decimal(hotel["price"]["amount"]), hotel["id"]))
    assert found == expected
    assert shop.get("/api/catalogue?sort=magic").status_code == 400


def test_a_hotel_names_its_host_and_may_be_asked_for_again(shop: httpx.Client) -> None:
    hotel = shop.get("/api/catalogue/12", headers={"Host": "old.example:8001"})
    assert hotel.json()["url"] == "http://old.example:8001/hotels/12"
    assert min(room["price"]["amount"] for room in hotel.json()["rooms"])
    again = shop.get("/api/catalogue/12", headers={"If-None-Match": hotel.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_availability_costs_what_the_rules_say(shop: httpx.Client) -> None:
    hotel = shop.get("/api/catalogue/12").json()
    where = "/api/catalogue/12/availability?from=2026-07-09&to=2026-07-12"
    offer = shop.get(where).json()["rooms"][0]
    price = Decimal(hotel["rooms"][0]["price"]["amount"])
    cent = Decimal("0.01")
    factors = (Decimal("1.25"), Decimal("1.4375"), Decimal("1.4375"))  # Thursday to Saturday
    nights = [(price * factor).quantize(cent, ROUND_HALF_UP) for factor in factors]
    assert [night["price"]["amount"] for night in offer["nightly"]] == [str(n) for n in nights]
    tax = (sum(nights) * Decimal("0.075")).quantize(cent, ROUND_HALF_UP)
    assert offer["tax"]["amount"] == str(tax)
    assert offer["total"]["amount"] == str(sum(nights) + tax)
    for query in ("", "from=2026-07-09", "from=2026-07-09&to=2026-07-09", "from=x&to=y"):
        assert shop.get(f"/api/catalogue/12/availability?{query}").status_code == 400


def test_gzip_only_where_it_is_accepted(shop: httpx.Client) -> None:
    with shop.stream("GET", "/api/catalogue", headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw).startswith(b'{"items":')
    for accept in ("identity", "gzip;q=0"):
        plain = shop.get("/api/catalogue", headers={"Accept-Encoding": accept})
        assert "content-encoding" not in plain.headers
        assert plain.headers["vary"] == "Accept-Encoding"


def test_the_api_answers_other_origins_and_other_methods(shop: httpx.Client) -> None:
    origin = {"Origin": "https://agent.example"}
    asked = shop.options("/api/bookings", headers=origin)
    assert asked.status_code == 204
    assert "POST" in asked.headers["access-control-allow-methods"]
    answer = shop.get("/api/users/1", headers=origin)
    assert answer.headers["access-control-allow-origin"] == "https://agent.example"
    assert shop.delete("/api/users/1").status_code == 405
    missing = shop.get("/api/nothing")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    head = shop.head("/api/users/1")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0
