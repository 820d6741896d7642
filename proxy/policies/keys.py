"""The public keys of a token issuer: fetched in the background, kept, and never waited for.

A store asks its issuer when it is first used, every `REFRESH_MS`, and when a token names a key that
is not known, but then at most every `UNKNOWN_MS`, so that forged tokens cause no storm. While the
issuer cannot be reached, the keys fetched last stay good.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import urlsplit

from figway.model.policies import JwtPolicy
from figway.validate.address import is_link_local
from proxy.loop.deadlines import NEVER, DeadlineTimer

REFRESH_MS = 300_000
UNKNOWN_MS = 10_000
RETRY_MS = 2_000
"""After a failure; doubles up to `REFRESH_MS`."""
MAX_DOCUMENT = 1_048_576
"""Bytes of a discovery document or key set."""
MAX_KEYS = 100
TIMEOUT_S = 10.0
_PUBLIC_TYPES = frozenset({"RSA", "EC", "OKP"})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Keys = Mapping[str, tuple[Any, ...]]
"""By key id; those without one are under the empty string."""
Fetch = Callable[[str], Awaitable[bytes]]
"""Gets the body of a URL; raises OSError or ValueError."""
Spawn = Callable[[Coroutine[Any, Any, Any], str], object]


class KeyStore:
    """The keys of one issuer in one worker. Implements `HasDeadline`."""

    def __init__(self, policy: JwtPolicy, timer: DeadlineTimer, spawn: Spawn, fetch: Fetch) -> None:
        self.keys: Keys = {}
        self.generation = 0
        """Goes up when other keys are known."""
        self.problem = ""
        """Why the last attempt failed; empty if it did not."""
        self.deadline = 0  # due at once
        self._issuer = policy.issuer
        self._jwks_url = policy.jwks_url
        self._timer = timer
        self._spawn = spawn
        self._fetch = fetch
        self._fetching = False
        self._retry_ms = RETRY_MS
        self._asked_at = -UNKNOWN_MS
        self._seen: object = None
        timer.add(self)

    def close(self) -> None:
        """Fetch no more."""
        self._timer.discard(self)

    @property
    def ready(self) -> bool:
        """Keys were fetched once."""
        return self.generation > 0

    def wanted(self) -> bool:
        """A token names an unknown key: whether another answer is to be expected soon."""
        if self._fetching or not self.ready:
            return True
        now = self._timer.now
        if now - self._asked_at < UNKNOWN_MS:
            return False
        self.deadline = now
        self._asked_at = now
        self.expired(now)
        return True

    def expired(self, now: int) -> None:
        """It is time to ask."""
        self.deadline = NEVER
        if not self._fetching:
            self._fetching = True
            self._asked_at = now
            self._spawn(self.refresh(), f"keys of {self._issuer}")

    async def refresh(self) -> None:
        """Ask the issuer for its keys."""
        wait = REFRESH_MS
        try:
            document = await self._document()
            if document != self._seen:
                keys = await asyncio.to_thread(read_keys, document)
                self.keys, self._seen = keys, document
                self.generation += 1
            self.problem, self._retry_ms = "", RETRY_MS
        except (OSError, ValueError) as error:
            self.problem = str(error) or type(error).__name__
            wait, self._retry_ms = self._retry_ms, min(self._retry_ms * 2, REFRESH_MS)
        finally:
            self._fetching = False
            self.deadline = self._timer.now + wait

    async def _document(self) -> Any:
        url = self._jwks_url
        if not url:
            base = self._issuer.rstrip("/")
            document = _json(await self._fetch(f"{base}/.well-known/openid-configuration"))
            if document.get("issuer") != self._issuer:
                raise ValueError("the discovery document is another issuer's")
            named = document.get("jwks_uri")
            if not isinstance(named, str) or not may_fetch(named):
                raise ValueError("the discovery document names no usable jwks_uri")
            url = named
        return _json(await self._fetch(url))


def may_fetch(url: str) -> bool:
    """Whether keys may come from `url`: https, or http on loopback, and no metadata service."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    return secure and bool(host) and not is_link_local(host)


def read_keys(document: Any) -> Keys:
    """The public signature keys of a JWK set (RFC 7517). Raises ValueError if there is none.

    A shared secret (`oct`) is never taken: whoever reads the set could then sign.
    """
    # Imported where it is asked for: it is an optional extra, and costs a worker memory.
    from joserfc.errors import JoseError
    from joserfc.jwk import import_key

    items = document.get("keys")
    keys: dict[str, tuple[Any, ...]] = {}
    for item in items[:MAX_KEYS] if isinstance(items, list) else ():
        if not isinstance(item, dict) or item.get("kty") not in _PUBLIC_TYPES:
            continue
        if item.get("use", "sig") != "sig":
            continue
        try:
            key = import_key({name: item[name] for name in item if name != "d"})
            key.check_use("sig")
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # one key that cannot be read does not make the others useless
        kid = item.get("kid")
        kid = kid if isinstance(kid, str) else ""
        keys[kid] = (*keys.get(kid, ()), key)
    if not keys:
        raise ValueError("the key set holds no public signature key")
    return keys


def _json(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise ValueError("the issuer does not answer with a JSON object")
    return data


async def _refuse_metadata(url: str) -> None:
    """Raises OSError where a name leads to a cloud's metadata service (`may_fetch` sees addresses
    only), or does not resolve."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    if any(is_link_local(str(address[0])) for *_, address in found):
        raise OSError(f"{url} leads to a link-local address")


async def fetch(url: str) -> bytes:
    """The body of `url`. Raises OSError when it cannot be had, ValueError when it is too large."""
    # httpx takes a tenth of a second to load, and its TLS context to build: not on the loop.
    outbound = await asyncio.to_thread(importlib.import_module, "proxy.control.http")
    client = await asyncio.to_thread(outbound.document_client, TIMEOUT_S)
    await _refuse_metadata(url)
    try:
        async with asyncio.timeout(TIMEOUT_S), client, client.stream("GET", url) as response:
            if response.status_code != 200:
                raise OSError(f"{url} answers {response.status_code}")
            body = b""
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MAX_DOCUMENT:
                    raise ValueError(f"{url} answers with more than {MAX_DOCUMENT} bytes")
            return body
    except (outbound.HTTPError, outbound.InvalidURL) as error:
        raise OSError(f"{url}: {error or type(error).__name__}") from None
