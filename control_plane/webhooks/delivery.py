"""Sends what waits in the outbox: signed, again after a failure, never to a cloud's metadata."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import math
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit
from uuid import uuid4

import orjson

from control_plane import outbound
from control_plane.clock import now_ms
from control_plane.db import leases
from control_plane.db.engine import Database
from control_plane.rollouts.ports import CheckResult
from control_plane.webhooks import store
from control_plane.webhooks.forms import OutgoingEvent, message
from control_plane.webhooks.signing import signed
from control_plane.webhooks.store import WebhookDelivery, WebhookEndpoint
from figway.validate.address import is_link_local

_log = logging.getLogger(__name__)
WAITS_S = (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""Pauses after each failed attempt; after the last the delivery has failed. 29 hours in all."""
TIMEOUT_S = 10.0
_CHECK_TIMEOUT_S = 3.0
_AT_ONCE = 20
_MOST_ROUNDS = 5
_LEASE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of an attempt. `status` is None when there was no answer."""

    status: int | None
    error: str = ""
    retry_after_s: int = 0

    @property
    def delivered(self) -> bool:
        """Any 2xx is a receipt."""
        return self.status is not None and 200 <= self.status < 300


class Sender:
    """Delivers events, and asks external checks. One client, no redirects, no proxies."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner
        self._client: outbound.AsyncClient | None = None
        self._lock = asyncio.Lock()

    async def round(self) -> int:
        """Spread new events, and send what is due, if this control plane has the lease."""
        async with self._lock:  # nothing is sent twice by two rounds of one process
            return await self._round()

    async def _round(self) -> int:
        now = now_ms()
        async with self._database.write() as connection:
            mine = await leases.take(self._database, connection, "webhooks", self._owner, _LEASE_MS)
            if not mine:
                return 0
            await store.spread(connection, now)
        async with self._database.read() as connection:
            due = await store.due(connection, now, _AT_ONCE)
            if not due:
                return 0
            ends = {found.id: found for found in await store.endpoints(connection)}
            events = await store.events(connection, {found.event for found in due})
        await asyncio.gather(
            *(
                self._deliver(found, ends.get(found.endpoint), events.get(found.event))
                for found in due
            )
        )
        return len(due)

    async def _deliver(
        self,
        found: WebhookDelivery,
        endpoint: WebhookEndpoint | None,
        event: OutgoingEvent | None,
    ) -> None:
        if endpoint is None or event is None or endpoint.disabled_ms is not None:
            result: dict[str, Any] = {"status": "failed", "last_error": "nothing is left to send"}
            sent = Delivered(None)
        else:
            sent = await self._tried(endpoint, event)
            result = outcome(found, sent, now_ms())
        async with self._database.write() as connection:
            await store.put_result(connection, found.number, result)
            if sent.status == 410 and endpoint is not None:
                await store.disable(connection, endpoint.id, "it answered 410 Gone", now_ms())

    async def _tried(self, endpoint: WebhookEndpoint, event: OutgoingEvent) -> Delivered:
        """One attempt. An event that cannot be formed or sent keeps no other from its turn."""
        try:
            return await self._send(endpoint, event)
        except Exception as error:
            _log.exception("event %s could not be sent to %s", event.id, endpoint.id)
            return Delivered(None, f"could not be sent: {type(error).__name__}")

    async def _send(self, endpoint: WebhookEndpoint, event: OutgoingEvent) -> Delivered:
        now = now_ms()
        ready = message(endpoint.form, event, endpoint.secrets_at(now), now // 1_000)
        return await self.post(endpoint.url, ready.headers, ready.body, TIMEOUT_S)

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> Delivered:
        """POST; never raises. The answer's body is not read."""
        try:
            async with asyncio.timeout(timeout):
                return await self._post(await reach(url), headers, body, timeout)
        except Unreachable as error:
            return Delivered(None, str(error))
        except (outbound.HTTPError, outbound.InvalidURL, TimeoutError, OSError) as error:
            return Delivered(None, (str(error) or type(error).__name__)[:300])

    async def _post(
        self, reached: Sequence[Reached], headers: Mapping[str, str], body: bytes, timeout: float
    ) -> Delivered:
        """POST to the first of the addresses, at least one, that takes a connection."""
        if self._client is None:
            self._client = outbound.AsyncClient(
                follow_redirects=False, trust_env=False,
                # A connection is another's at the next request to the same address.
                limits=outbound.Limits(max_keepalive_connections=0),
            )  # fmt: skip
        *others, last = reached
        for there in others:
            try:
                return await self._post_to(there, headers, body, timeout)
            except outbound.ConnectError:
                continue
        return await self._post_to(last, headers, body, timeout)

    async def _post_to(
        self, there: Reached, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> Delivered:
        assert self._client is not None
        extensions = {"sni_hostname": there.name} if there.name else {}
        async with self._client.stream(
            "POST", there.url, content=body, headers={**headers, "host": there.host},
            timeout=timeout, extensions=extensions,
        ) as response:  # fmt: skip
            wait = _seconds(response.headers.get("retry-after", ""))
            return Delivered(response.status_code, f"HTTP {response.status_code}", wait)

    async def ask(self, url: str, question: Mapping[str, object]) -> CheckResult:
        """Ask an external check with a signed body: 200 passes, 409 is a breach, all else holds.

        The URL has to be one of an endpoint: there its secret and its address were accepted.
        """
        async with self._database.read() as connection:
            known = {found.url: found for found in await store.endpoints(connection)}
        endpoint = known.get(url)
        if endpoint is None:
            return CheckResult(
                "hold", f"{url} is no endpoint: figway webhooks add {url} --types none"
            )
        if endpoint.disabled_ms is not None:
            why = f"the endpoint {endpoint.id} is switched off: {endpoint.disabled_why}"
            return CheckResult("hold", why)
        body, now = orjson.dumps(dict(question)), now_ms()
        # An id of its own: a receiver that drops repeats must not drop the next question.
        ready = signed(endpoint.secrets_at(now), f"check_{uuid4().hex}", now // 1_000, body)
        sent = await self.post(url, ready.headers, body, _CHECK_TIMEOUT_S)
        if sent.status == 200:
            return CheckResult("pass", "HTTP 200")
        return CheckResult("breach" if sent.status == 409 else "hold", sent.error)

    async def drain(self, until: float = math.inf) -> int:
        """Rounds until nothing is due, where they come seldom; how many were sent. None begins
        that could last longer than `until`, monotonic seconds."""
        sent = 0
        for _ in range(_MOST_ROUNDS):
            if time.monotonic() + TIMEOUT_S > until:
                break
            found = await self.round()
            sent += found
            if not found:
                break
        return sent

    async def close(self) -> None:
        """Let go of the connections and the lease."""
        if self._client is not None:
            await self._client.aclose()
        async with self._database.write() as connection:
            await leases.release(connection, "webhooks", self._owner)


def outcome(found: WebhookDelivery, sent: Delivered, now: int) -> dict[str, Any]:
    """What is kept of an attempt."""
    attempts = found.attempts + 1
    kept: dict[str, Any] = {"attempts": attempts, "last_status": sent.status}
    if sent.delivered:
        return {**kept, "status": "delivered", "last_error": ""}
    kept["last_error"] = sent.error[:300]
    if sent.status == 410 or attempts > len(WAITS_S):
        return {**kept, "status": "failed"}
    wait = max(WAITS_S[attempts - 1], sent.retry_after_s)
    return {**kept, "status": "waiting", "next_ms": now + wait * 1_000}


class Unreachable(Exception):
    """Nothing may be sent to a URL, or it has no address; says why."""


@dataclass(frozen=True, slots=True)
class Reached:
    """One address of a URL. What was looked up and allowed is what is connected to, so that a name
    cannot mean something else a moment later."""

    url: str
    host: str
    """The value of the header `Host`."""
    name: str
    """Who has to be named by the certificate; empty when the URL has an address itself."""


_MOST_ADDRESSES = 4


async def reach(url: str) -> list[Reached]:
    """Where a URL leads to. Raises `Unreachable`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise Unreachable("the URL is not http or https")
    if is_link_local(host):
        raise Unreachable(f"{host} is a link-local or metadata address")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"{host} cannot be resolved: {error}"[:300]) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise Unreachable(f"{host} has no address")
    if any(is_link_local(address) for address in addresses):
        raise Unreachable(f"{host} resolves to a link-local or metadata address")
    return [_reached(parts, address, port) for address in addresses[:_MOST_ADDRESSES]]


def _reached(parts: SplitResult, address: str, port: int) -> Reached:
    there = f"[{address}]" if ":" in address else address
    url = parts._replace(netloc=f"{there}:{port}", fragment="").geturl()
    host = parts.netloc.rpartition("@")[2]
    return Reached(url, host, "" if _is_address(parts.hostname or "") else parts.hostname or "")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _seconds(text: str) -> int:
    """A `Retry-After` in seconds, at most a day; 0 for none, and for a date."""
    if not (text.isascii() and text.isdecimal()):
        return 0
    return min(int(text[:9]), store.LONGEST_PAUSE_MS // 1_000)
