"""The queries of legacy's GraphQL schema; every field comes from the service that owns it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError, build_schema

from new_services.differences import enabled
from new_services.functions.graph.loaders import Loaders, ask

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
_INT = 1 << 31


class Root:
    """What the fields of Query come from; graphql-core finds its methods by their names."""

    def __init__(self, loaders: Loaders) -> None:
        self._loaders = loaders

    async def hotel(self, _: Any, id: int) -> Any:
        return _hotel(await self._loaders.hotels.load(id))

    async def hotels(self, _: Any, first: int, city: str | None = None) -> Any:
        found = await ask("catalogue-batch", {"city": city or "", "first": _count(first)})
        return [_hotel(one) for one in found["items"]]

    async def user(self, _: Any, id: int) -> Any:
        return self._user(await self._loaders.users.load(id))

    async def booking(self, _: Any, id: str) -> Any:
        found = await self._loaders.bookings.load(id)
        if found is None:
            code = {"code": "NOT_FOUND", "field": None}
            raise GraphQLError("No such booking.", extensions=code)
        return self._booking(found)

    async def bookings(self, _: Any, first: int, user: int | None = None) -> Any:
        found = await self._loaders.bookings_of.load((user, _count(first)))
        return [self._booking(one) for one in found]

    def _booking(self, booking: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **camels(booking),
            "hotel": lambda info: self.hotel(info, booking["hotel_id"]),
            "user": lambda info: self.user(info, booking["user_id"]),
        }

    def _user(self, user: Mapping[str, Any] | None) -> dict[str, Any] | None:
        if user is None:
            return None
        own = user["id"]
        return {**camels(user), "bookings": lambda info, first: self.bookings(info, first, own)}


def _hotel(hotel: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if hotel is None:
        return None
    shown = camels(hotel)
    if enabled("graphql-hotel-stars"):
        shown["stars"] = max(1, shown["stars"] - 1)
    return shown


def _count(first: int) -> int:
    if not 1 <= first <= _MOST:
        code = {"code": "BAD_USER_INPUT"}
        raise GraphQLError(f"first must be from 1 to {_MOST}.", extensions=code)
    return first


def camels(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values under GraphQL's names: `user_id` as `userId`."""
    return {re.sub(r"_(\w)", lambda f: f[1].upper(), key): value for key, value in values.items()}
