"""The GraphQL schema of the shop, and what its fields come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import cast

from graphql import GraphQLError, build_schema

from legacy_stub.answers import ApiError
from legacy_stub.bookings import booking_number
from legacy_stub.clock import stamp
from legacy_stub.hotels import Search, summary_json
from legacy_stub.shop import Shop

SCHEMA = build_schema("""
type Query {
  "A hotel; null when there is none of that id."
  hotel(id: Int!): Hotel
  hotels(city: String, first: Int = 20): [Hotel!]!
  "A user; null when there is none of that id."
  user(id: Int!): User
  "A booking; an error with the code NOT_FOUND when there is none of that id."
  booking(id: ID!): Booking
  "Newest first."
  bookings(user: Int, first: Int = 20): [Booking!]!
}
type Mutation { book(booking: BookingInput!): Booking }
input BookingInput {
  userId: Int!, hotelId: Int!, room: String!, from: String!, to: String!, guests: Int!
  notes: String
}
type Money { amount: String!, currency: String! }
type Hotel {
  id: Int!, slug: String!, name: String!, city: String!, country: String!, stars: Int!
  rating: Float, reviews: Int!, price: Money!, amenities: [String!]!, photo: String!
}
type Loyalty { tier: String!, points: Int! }
type User {
  id: Int!, email: String!, name: String!, locale: String!, loyalty: Loyalty!
  bookings(first: Int = 20): [Booking!]!
}
type Booking {
  id: ID!, hotelId: Int!, userId: Int!, room: String!, from: String!, to: String!, nights: Int!
  guests: Int!, notes: String, status: String!, total: Money!, paid: Money!, balance: Money!
  hotel: Hotel, user: User
}
""")

_MOST = 100
_Values = dict[str, object]


def root(shop: Shop) -> _Values:
    """What the fields of Query and Mutation are answered from."""
    return {
        "hotel": lambda _, id: _found(lambda: _hotel(shop, id)),
        "hotels": lambda _, first, city="": _hotels(shop, city or "", first),
        "user": lambda _, id: _found(lambda: _user(shop, shop.users.get(id))),
        "booking": lambda _, id: _told(lambda: _get(shop, id)),
        "bookings": lambda _, first, user=None: _bookings(shop, user, first),
        "book": lambda _, booking: _told(lambda: _book(shop, booking)),
    }


def _found(work: Callable[[], _Values]) -> _Values | None:
    """What there is, or null."""
    try:
        return work()
    except ApiError:
        return None


def _told(work: Callable[[], _Values]) -> _Values:
    """What there is, or an error with the shop's own code."""
    try:
        return work()
    except ApiError as error:
        code = {"not_found": "NOT_FOUND", "conflict": "CONFLICT"}.get(error.code, "BAD_USER_INPUT")
        field = camel(error.field) if error.field else None
        raise GraphQLError(error.message, extensions={"code": code, "field": field}) from error


def _hotel(shop: Shop, number: int) -> _Values:
    return camels(summary_json(shop.hotels.row(number)))


def _hotels(shop: Shop, city: str, first: int) -> list[_Values]:
    rows, _ = shop.hotels.search(Search(city=city.casefold()), 1, _count(first))
    return [camels(summary_json(row)) for row in rows]


def _user(shop: Shop, user: Mapping[str, object]) -> _Values:
    number = cast(int, user["id"])
    return {**camels(user), "bookings": lambda _, first: _bookings(shop, number, first)}


def _get(shop: Shop, name: str) -> _Values:
    return _booking(shop, shop.bookings.get(booking_number(name)))


def _bookings(shop: Shop, user: int | None, first: int) -> list[_Values]:
    items, _ = shop.bookings.page(user, 1, _count(first))
    return [_booking(shop, item) for item in items]


def _booking(shop: Shop, booking: Mapping[str, object]) -> _Values:
    hotel, user = cast(int, booking["hotel_id"]), cast(int, booking["user_id"])
    return {
        **camels(booking),
        "hotel": lambda _: _found(lambda: _hotel(shop, hotel)),
        "user": lambda _: _found(lambda: _user(shop, shop.users.get(user))),
    }


def _book(shop: Shop, wanted: Mapping[str, object]) -> _Values:
    with shop.db.transaction():
        made = shop.bookings.add({snake(key): value for key, value in wanted.items()}, stamp())
    return _booking(shop, made)


def _count(first: int) -> int:
    if not 1 <= first <= _MOST:
        raise GraphQLError(
            f"first must be from 1 to {_MOST}.", extensions={"code": "BAD_USER_INPUT"}
        )
    return first


def camel(name: str) -> str:
    """`user_id` as `userId`."""
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def snake(name: str) -> str:
    """`userId` as `user_id`."""
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)


def camels(values: Mapping[str, object]) -> _Values:
    """The same values under GraphQL's names."""
    return {camel(name): value for name, value in values.items()}
