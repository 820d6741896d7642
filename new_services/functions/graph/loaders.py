"""Batches: keys that are asked for in one turn of the loop are fetched together, once each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar

from graphql import GraphQLError

from new_services.functions.vendor import aws

K = TypeVar("K", bound=Hashable)
_DEADLINE = 3.0

Fetch = Callable[[list[K]], Awaitable[Mapping[K, Any]]]


class Loader(Generic[K]):
    """Collects keys and fetches them by one call; a key that is not found gives None."""

    def __init__(self, fetch: Fetch[K]) -> None:
        self._fetch = fetch
        self._known: dict[K, asyncio.Future[Any]] = {}
        self._waiting: list[K] = []
        self._task: asyncio.Task[None] | None = None

    def load(self, key: K) -> asyncio.Future[Any]:
        """What stands behind a key; asked for twice in one request, it is fetched once."""
        if key not in self._known:
            loop = asyncio.get_running_loop()
            self._known[key] = loop.create_future()
            self._waiting.append(key)
            if len(self._waiting) == 1:
                # Two turns: the resolvers of one level come in the first.
                loop.call_soon(loop.call_soon, self._start)
        return self._known[key]

    def _start(self) -> None:
        keys, self._waiting = self._waiting, []
        self._task = asyncio.get_running_loop().create_task(self._run(keys))

    async def _run(self, keys: list[K]) -> None:
        try:
            found = await self._fetch(keys)
        except Exception as error:
            for key in keys:
                self._known[key].set_exception(error)
            return
        for key in keys:
            self._known[key].set_result(found.get(key))


class Loaders:
    """What one request has loaded: three services, each asked once for a level of the query."""

    def __init__(self) -> None:
        self.users: Loader[int] = Loader(_by_id("users-batch", "id"))
        self.hotels: Loader[int] = Loader(_by_id("catalogue-batch", "id"))
        self.bookings: Loader[str] = Loader(_by_id("bookings-batch", "id"))
        self.bookings_of: Loader[tuple[int | None, int]] = Loader(_bookings_of)


def _by_id(function: str, key: str) -> Callable[[list[Any]], Awaitable[dict[Any, Any]]]:
    async def fetch(keys: list[Any]) -> dict[Any, Any]:
        found = await ask(function, {"ids": keys})
        return {one[key]: one for one in found["items"]}

    return fetch


async def _bookings_of(keys: list[tuple[int | None, int]]) -> dict[tuple[int | None, int], Any]:
    lists = await ask("bookings-batch", {"lists": [{"user": u, "first": n} for u, n in keys]})
    return dict(zip(keys, lists["lists"], strict=True))


async def ask(function: str, event: dict[str, Any]) -> Any:
    """Invoke a service's function. Raises GraphQLError (SERVICE_UNAVAILABLE)."""
    try:
        return await asyncio.to_thread(aws.invoke, function, event, timeout=_DEADLINE)
    except (aws.AwsError, aws.FunctionFailed) as error:
        code = {"code": "SERVICE_UNAVAILABLE", "service": function.partition("-")[0]}
        raise GraphQLError("A service did not answer.", extensions=code) from error
