"""Bookings, payments and the events that tell of them."""

from __future__ import annotations

import uuid
from typing import Any

import httpx


def _wish(shop: httpx.Client, hotel: int, **other: object) -> dict[str, Any]:
    room = shop.get(f"/api/catalogue/{hotel}").json()["rooms"][0]
    stay = {"from": "2027-03-01", "to": "2027-03-03", "guests": 1}
    return {"user_id": 3, "hotel_id": hotel, "room": room["code"], **stay, **other}


def test_a_booking_is_made_paid_and_cancelled(shop: httpx.Client) -> None:
    made = shop.post("/api/bookings", json=_wish(shop, 31))
    assert made.status_code == 201
    booking = made.json()
    assert (booking["status"], booking["balance"]) == ("pending", booking["total"])
    where = made.headers["location"]
    card = {"amount": booking["total"], "method": "card", "card_number": "4111 1111 1111 1111"}
    paid = shop.post(f"{where}/payments", json=card)
    assert (paid.status_code, paid.json()["card_last4"]) == (201, "1111")
    after = shop.get(where).json()
    assert (after["status"], after["balance"]["amount"]) == ("paid", "0.00")
    assert [one["id"] for one in after["payments"]] == [paid.json()["id"]]
    assert shop.post(f"{where}/payments", json=card).status_code == 422
    assert shop.delete(where).status_code == 204
    assert shop.delete(where).status_code == 409
    assert shop.get(where).json()["status"] == "cancelled"


def test_a_write_with_a_key_runs_once(shop: httpx.Client) -> None:
    wish, key = _wish(shop, 32), {"Idempotency-Key": str(uuid.uuid4())}
    first = shop.post("/api/bookings", json=wish, headers=key)
    again = shop.post("/api/bookings", json=dict(reversed(wish.items())), headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    stats = shop.get("/internal/stats").json()
    assert stats["writes"] == {"booking.created": 1}
    assert stats["executed"]["POST /api/bookings"] == 2
    other = shop.post("/api/bookings", json={**wish, "guests": 2}, headers=key)
    assert other.status_code == 422
    pay = {"amount": {"amount": "1.00", "currency": "EUR"}, "method": "transfer"}
    where = f"{first.headers['location']}/payments"
    paid = [shop.post(where, json=pay, headers=key).content for _ in range(2)]
    assert paid[0] == paid[1]
    assert shop.get("/internal/stats").json()["writes"]["booking.paid"] == 1


def test_without_a_key_it_runs_each_time_until_none_is_left(shop: httpx.Client) -> None:
    units = shop.get("/api/catalogue/33").json()["rooms"][0]["units"]
    answers = [shop.post("/api/bookings", json=_wish(shop, 33)) for _ in range(units + 1)]
    assert [one.status_code for one in answers] == [201] * units + [409]
    stay = "from=2027-03-02&to=2027-03-04"
    offer = shop.get(f"/api/catalogue/33/availability?{stay}").json()["rooms"][0]
    assert offer["left"] == 0
    assert len({one.json()["id"] for one in answers[:-1]}) == units


def test_bookings_of_a_user_newest_first(shop: httpx.Client) -> None:
    shop.post("/api/bookings", json=_wish(shop, 34, user_id=5)).raise_for_status()
    shop.post("/api/bookings", json=_wish(shop, 34, user_id=5, **{"from": "2027-02-27"}))
    found = shop.get("/api/bookings?user=5&size=100").json()
    assert {one["user_id"] for one in found["items"]} == {5}
    numbers = [int(one["id"][3:]) for one in found["items"]]
    assert numbers == sorted(numbers, reverse=True)
    assert found["total"] == len(numbers) >= 2


def test_refusals_name_the_field(shop: httpx.Client) -> None:
    cases: dict[str, dict[str, object]] = {
        "user_id": {"user_id": 10**9},
        "hotel_id": {"hotel_id": 10**9},
        "room": {"room": "ATTIC"},
        "guests": {"guests": 9},
        "from": {"from": "soon"},
        "to": {"to": "2027-03-01"},
    }
    for field, change in cases.items():
        answer = shop.post("/api/bookings", json={**_wish(shop, 35), **change})
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    for name in ("WF-1", "100001", "WF-x"):
        assert shop.get(f"/api/bookings/{name}").status_code == 404


def test_events_are_in_order_without_gaps_and_tell_the_present(shop: httpx.Client) -> None:
    shop.patch("/internal/hotels/36", json={"price": "77.50"}).raise_for_status()
    shop.post("/api/bookings", json=_wish(shop, 36)).raise_for_status()
    hotels: dict[int, Any] = {}
    kinds: set[str] = set()
    after, more = 0, True
    while more:
        page = shop.get(f"/internal/events?after={after}&limit=1000").json()
        for event in page["events"]:
            assert event["sequence"] == after + 1
            after = event["sequence"]
            kinds.add(event["type"])
            if event["type"].startswith("hotel."):
                hotels[event["data"]["id"]] = event["data"]
        more = page["more"]
    assert after == page["last_sequence"]
    assert kinds >= {"user.created", "profile.updated", "hotel.created", "hotel.updated"}
    assert kinds >= {"booking.created", "booking.paid", "booking.cancelled"}
    assert len(hotels) == 240
    assert "77.50" in {room["price"]["amount"] for room in hotels[36]["rooms"]}
    shown = shop.get("/api/catalogue/36").json()
    for name in ("url", "generated_at", "request_id"):
        del shown[name]
    assert hotels[36] == shown
