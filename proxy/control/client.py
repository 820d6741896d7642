"""The calls that a proxy makes to its control plane: table, stream, acknowledgement, report.

The control plane never calls a proxy. Every failure is a `ControlError` that says in one line what
to do; whether to try again is the caller's business. Of several control planes one is called; after
a failure that may be its own the next one is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import orjson

from proxy.control import http as outbound
from proxy.control.notice import Notice, of_event, of_headers

STREAM_IDLE_S = 25.0
"""A stream without a sign of life for so long is dead; the control plane sends one each second, and
one of an older release each ten."""
SILENT_S = 2.5
"""The same where another control plane can be followed instead."""


class ControlError(Exception):
    """A call failed. `status` is the answer's, 0 when there was none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def rejected(self) -> bool:
        """The content was refused, so that sending the same again is of no use."""
        return self.status in (400, 413, 415, 422)


@dataclass(frozen=True, slots=True)
class Publication:
    """A table as published, not yet decoded; `data` is None where it is one that was known."""

    revision: int
    etag: str
    data: Any
    notice: Notice


STRANGERS = frozenset({401, 403, 404})
"""Answers of something that may be no control plane of ours."""


def _nobody(notice: Notice) -> None:
    """Before anybody listens."""


class ControlPlane:
    """A client of the control planes of one installation."""

    def __init__(self, *clients: outbound.Client) -> None:
        self.on_notice: Callable[[Notice], None] = _nobody
        """Told what every answer says beside its content."""
        self.on_left: Callable[[str], None] = lambda url: None
        """Told the URL of the control plane that is called from now on."""
        self.known: Callable[[], dict[str, str]] = dict
        """Headers that say which press of the kill switch this proxy heard of last."""
        self._clients = clients
        self._at = 0
        self._calls: set[asyncio.Timeout] = set()

    @property
    def several(self) -> bool:
        """Is there another one to call?"""
        return len(self._clients) > 1

    def leave(self) -> None:
        """Call the next one from now on, if there is another."""
        if self.several:
            self._at = (self._at + 1) % len(self._clients)
            self.on_left(str(self._clients[self._at].base_url).removesuffix("/api/v1/"))

    async def table(self, known: Iterable[str]) -> Publication:
        """The published table, without data if its hash is one of `known`.

        Raises `ControlError`.
        """
        etags = ", ".join(f'"{etag}"' for etag in known)
        headers, at = {"if-none-match": etags} if etags else {}, self._at
        try:
            response = await self._call("GET", "/table", headers=headers)
        except ControlError:
            self._failed(at)
            raise
        if response.status_code == 304:
            etag = response.headers.get("etag", "").strip('"')
            return Publication(-1, etag, None, of_headers(response.headers))
        data = _json(response)
        try:
            revision, etag, table = int(data["revision"]), str(data["etag"]), data["table"]
            return Publication(revision, etag, table, of_headers(response.headers))
        except (KeyError, TypeError, ValueError):
            raise ControlError("the control plane's table has no revision, etag or table") from None

    async def stream(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Events of the table stream, (name, data), until it ends; a sign of life has no name.
        Raises `ControlError`."""
        at, asked = self._at, time.monotonic()
        timeout = outbound.Timeout(5.0, read=SILENT_S if self.several else STREAM_IDLE_S)
        headers = {"accept": "text/event-stream", **self.known()}
        try:
            async with self._clients[at].stream(
                "GET", "/table/stream", headers=headers, timeout=timeout
            ) as response:
                if response.status_code != 200:
                    await response.aread()
                    self._failed(at)
                    raise _refused(response)
                first = of_headers(response.headers, asked, at)
                self.on_notice(first)
                async for name, data in _events(response):
                    if at != self._at:
                        raise ControlError("another control plane is followed now")
                    notice = of_event(name, data, at)
                    whose = notice.installation or first.installation
                    self.on_notice(replace(notice, installation=whose))
                    yield name, data
        except outbound.HTTPError as error:
            self._hang_up(at)
            raise _unreachable(error) from None

    async def acknowledge(self, ack: dict[str, Any]) -> None:
        """Say which revision is served. Raises `ControlError`."""
        await self._call("POST", "/fleet/acks", body=ack)

    async def report(self, batch: dict[str, Any]) -> bool:
        """Send counters; False if this batch had been counted before. Raises `ControlError`."""
        return bool(_json(await self._call("POST", "/reports", body=batch)).get("accepted", True))

    async def decisions(self, batch: dict[str, Any]) -> None:
        """Send a sample of decisions, for those who watch. Raises `ControlError`."""
        await self._call("POST", "/decisions", body=batch)

    async def comparisons(self, batch: dict[str, Any]) -> bool:
        """Send comparisons; False if this batch had been counted before. Raises `ControlError`."""
        answer = _json(await self._call("POST", "/comparisons/batches", body=batch))
        return bool(answer.get("accepted", True))

    async def replays(self, instance: str) -> list[dict[str, Any]]:
        """The replay jobs that wait for this proxy. Raises `ControlError`."""
        response = await self._call("GET", f"/comparisons/replays?instance={quote(instance)}")
        return [job for job in _json(response).get("jobs", []) if isinstance(job, dict)]

    async def replayed(self, job: str, results: list[dict[str, Any]]) -> None:
        """Hand in the results of a replay. Raises `ControlError`."""
        path = f"/comparisons/replays/{quote(job, safe='')}/results"
        await self._call("POST", path, body={"results": results})

    async def learned(self) -> list[dict[str, Any]]:
        """Forms and looks of the present evidence windows. Raises `ControlError`."""
        response = await self._call("GET", "/comparisons/learned")
        return [item for item in _json(response).get("windows", []) if isinstance(item, dict)]

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            await client.aclose()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> outbound.Response:
        headers = {**(headers or {}), **self.known()}
        content = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
        at, asked = self._at, time.monotonic()
        try:
            async with asyncio.timeout(None) as limit:
                with self._cut_off_with(limit):
                    response = await self._clients[at].request(
                        method, path, headers=headers, content=content
                    )
        except (outbound.HTTPError, TimeoutError) as error:
            self._hang_up(at)
            raise _unreachable(error) from None
        if response.status_code not in STRANGERS and not response.has_redirect_location:
            self.on_notice(of_headers(response.headers, asked, at))
        if response.status_code >= 400 or response.has_redirect_location:
            raise _refused(response)
        return response

    @contextmanager
    def _cut_off_with(self, limit: asyncio.Timeout) -> Iterator[None]:
        """`limit` ends the call that is made when its control plane is given up."""
        self._calls.add(limit)
        try:
            yield
        finally:
            self._calls.discard(limit)

    def _failed(self, at: int) -> None:
        """What is followed cannot be had there."""
        if at == self._at:
            self.leave()

    def _hang_up(self, at: int) -> None:
        """It cannot be reached, or fell silent: nor will it answer what else it was asked."""
        if at != self._at or not self.several:
            return
        self.leave()
        calls, self._calls = self._calls, set()
        for limit in calls:
            limit.reschedule(0)


async def _events(response: outbound.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Server-sent events (WHATWG HTML, 9.2.6), as far as this stream uses them."""
    name, data = "message", ""
    async for line in response.aiter_lines():
        if line.startswith(":"):
            yield "", {}
        elif line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data += line[5:].strip()
        elif not line and data:
            try:
                yield name, orjson.loads(data)
            except orjson.JSONDecodeError:
                raise ControlError("the table stream sent what is not JSON") from None
            name, data = "message", ""


def _json(response: outbound.Response) -> dict[str, Any]:
    try:
        data = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        data = None
    if not isinstance(data, dict):
        path = response.request.url.path
        raise ControlError(f"{path} is not answered by a control plane. Check FIGWAY_CONTROL_URL")
    return data


def _refused(response: outbound.Response) -> ControlError:
    status, url = response.status_code, response.request.url
    if status in (401, 403):
        return ControlError(
            f"the control plane refuses the key ({status}). Set FIGWAY_CONTROL_KEY to one of role "
            "proxy that was not revoked",
            status,
        )
    if status == 404 or response.has_redirect_location:
        return ControlError(
            f"{url} answers {status}: no control plane there. Check FIGWAY_CONTROL_URL", status
        )
    return ControlError(f"the control plane answers {status} to {url.path}", status)


def _unreachable(error: Exception) -> ControlError:
    reason = str(error) or type(error).__name__
    return ControlError(f"the control plane cannot be reached: {reason}")
