"""Sends what waits in the outbox: signed, again after a failure, never to a cloud's metadata."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from control_plane import outbound
from control_plane.clock import now_ms
from control_plane.db import leases
from control_plane.db.engine import Database
from control_plane.rollouts.ports import CheckResult
from control_plane.webhooks import store
from control_plane.webhooks.forms import OutgoingEvent, message, signed
from control_plane.webhooks.store import WebhookDelivery, WebhookEndpoint
from figway.validate.address import is_link_local

WAITS_S = (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""Pauses after each failed attempt; after the last the delivery has failed. 29 hours in all."""
TIMEOUT_S = 10.0
_CHECK_TIMEOUT_S = 3.0
_AT_ONCE = 20
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
            mine = await leases.take(
                self._database, connection, "webhooks", self._owner, now, _LEASE_MS
            )
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
            sent = await self._send(endpoint, event)
            result = outcome(found, sent, now_ms())
        async with self._database.write() as connection:
            await store.put_result(connection, found.number, result)
            if sent.status == 410 and endpoint is not None:
                await store.disable(connection, endpoint.id, "it answered 410 Gone", now_ms())

    async def _send(self, endpoint: WebhookEndpoint, event: OutgoingEvent) -> Delivered:
        ready = message(endpoint.form, event, endpoint.secret, int(time.time()))
        return await self.post(endpoint.url, ready.headers, ready.body, TIMEOUT_S)

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> Delivered:
        """POST; never raises. The answer's body is not read."""
        if reason := await forbidden(url):
            return Delivered(None, reason)
        if self._client is None:
            self._client = outbound.AsyncClient(follow_redirects=False, trust_env=False)
        try:
            async with (
                asyncio.timeout(timeout),
                self._client.stream(
                    "POST", url, content=body, headers=dict(headers), timeout=timeout
                ) as response,
            ):
                after = response.headers.get("retry-after", "")
                wait = min(int(after), 86_400) if after.isdecimal() else 0
                return Delivered(response.status_code, f"HTTP {response.status_code}", wait)
        except (outbound.HTTPError, outbound.InvalidURL, TimeoutError, OSError) as error:
            return Delivered(None, (str(error) or type(error).__name__)[:300])

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
        body, now = orjson.dumps(dict(question)), int(time.time())
        ready = signed(endpoint.secret, f"check_{question['rollout']}_{now}", now, body)
        sent = await self.post(url, ready.headers, body, _CHECK_TIMEOUT_S)
        if sent.status == 200:
            return CheckResult("pass", "HTTP 200")
        return CheckResult("breach" if sent.status == 409 else "hold", sent.error)

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


async def forbidden(url: str) -> str:
    """Why nothing may be sent there; empty if it may. A name is resolved first."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        return "the URL is not http or https"
    if is_link_local(host):
        return f"{host} is a link-local or metadata address"
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        return f"{host} cannot be resolved: {error.strerror or error}"
    if any(is_link_local(str(entry[4][0])) for entry in found):
        return f"{host} resolves to a link-local or metadata address"
    return ""
