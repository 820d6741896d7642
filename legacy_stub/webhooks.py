"""Webhooks of payments: signed, in order, sent again until they are taken.

Source: Standard Webhooks 1.0 (webhook-id, webhook-timestamp, webhook-signature).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
import uuid
from collections import deque
from dataclasses import dataclass

import httpx
import orjson

_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
_KEPT = 1_000


class Subscriber:
    """Who is told. Raises `ValueError` for a secret that is not base64."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self._key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)

    def signed(self, number: str, body: bytes) -> dict[str, str]:
        """The fields of a webhook that is sent now."""
        stamp = str(int(time.time()))
        signature = hmac.new(self._key, f"{number}.{stamp}.".encode() + body, hashlib.sha256)
        return {
            "content-type": "application/json",
            "webhook-id": number,
            "webhook-timestamp": stamp,
            "webhook-signature": "v1," + base64.b64encode(signature.digest()).decode(),
        }


@dataclass(frozen=True, slots=True)
class _Sent:
    headers: dict[str, str]
    body: bytes


class Webhooks:
    """Tells one subscriber of payments, one after another, from a task of its own."""

    def __init__(self) -> None:
        self._subscriber: Subscriber | None = None
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=_KEPT)
        self._task: asyncio.Task[None] | None = None
        self._last: _Sent | None = None

    async def subscribe(self, subscriber: Subscriber | None) -> None:
        """Tell this one from now on, or nobody."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._subscriber, self._task = subscriber, None
        self._waiting.clear()

    def tell(self, kind: str, data: object) -> None:
        """Put an event into the line."""
        if self._subscriber is None:
            return
        self._waiting.append(
            (f"msg_{uuid.uuid4().hex}", orjson.dumps({"type": kind, "data": data}))
        )
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work(self._subscriber))

    async def again(self) -> int | None:
        """The last webhook once more, as it was; the status, or None if there was none."""
        if self._subscriber is None or self._last is None:
            return None
        return await _post(self._subscriber.url, self._last)

    async def _work(self, subscriber: Subscriber) -> None:
        while self._waiting:
            number, body = self._waiting[0]
            for pause in (*_PAUSES, None):
                self._last = _Sent(subscriber.signed(number, body), body)
                status = await _post(subscriber.url, self._last)
                if 200 <= status < 300 or pause is None:
                    break
                await asyncio.sleep(pause)
            self._waiting.popleft()


async def _post(url: str, sent: _Sent) -> int:
    """The status; 0 when there was no answer."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            return (await client.post(url, content=sent.body, headers=sent.headers)).status_code
    except httpx.HTTPError:
        return 0
