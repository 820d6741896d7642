"""HTTP for the command line, out of the standard library: a command makes a call or two, and the
client that the servers use takes longer to import than most commands take."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit


class NoApiAnswer(Exception):
    """No answer, or none that is HTTP; the text says why.

    `doubtful`: it was asked to change something, which it may have done, or do yet.
    """

    def __init__(self, why: str, *, doubtful: bool = False) -> None:
        super().__init__(why)
        self.doubtful = doubtful


@dataclass(frozen=True)
class ApiAnswer:
    """A whole answer. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @cached_property
    def text(self) -> str:
        """The content as UTF-8."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The content as JSON. Raises ValueError."""
        return json.loads(self.content)


class ApiClient:
    """Calls below one base URL, each on a connection of its own; no proxy, no redirect, no cookie.

    Raises ValueError for what is no URL.
    """

    def __init__(self, base: str, headers: Mapping[str, str], timeout: float) -> None:
        parts = urlsplit(base)
        if not parts.hostname:
            raise ValueError("there is no host")
        if not base.isascii() or any(letter <= " " for letter in base):
            raise ValueError("a URL holds visible ASCII characters only")
        self._host, self._port = parts.hostname, parts.port
        self._secure = parts.scheme == "https"
        self._path = parts.path
        self._headers = headers
        self.timeout = timeout

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any],
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> ApiAnswer:
        """One call. `timeout` bounds each wait for the network, in seconds. Raises
        `NoApiAnswer`."""
        with self._asked(method, path, query, content, headers or {}, timeout) as (response, _):
            return _whole(response)

    @contextmanager
    def stream(
        self, path: str, query: Mapping[str, Any]
    ) -> Iterator[tuple[ApiAnswer, Iterator[str]]]:
        """A GET whose answer is read line by line, for as long as it lasts; content is read at once
        only of an error. Raises `NoApiAnswer`."""
        with self._asked("GET", path, query, None, {}, None) as (response, link):
            if response.status >= 400:
                yield _whole(response), iter(())
                return
            link.settimeout(None)  # a stream may be silent
            yield _head(response), (line.decode().rstrip("\r\n") for line in response)

    @contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        content: bytes | None,
        headers: Mapping[str, str],
        timeout: float | None,
    ) -> Iterator[tuple[http.client.HTTPResponse, socket.socket]]:
        connection = self._connection(self.timeout if timeout is None else timeout)
        sent = False
        try:
            target = self._path + path + (f"?{encoded}" if (encoded := _query(query)) else "")
            connection.connect()
            sent = method != "GET"
            connection.request(method, target, content, {**self._headers, **headers})
            link = connection.sock
            yield connection.getresponse(), link
        except (OSError, http.client.HTTPException) as error:
            raise NoApiAnswer(_why(error), doubtful=sent) from None
        finally:
            connection.close()

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=timeout, context=context
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout)


def _query(query: Mapping[str, Any]) -> str:
    """As the admin API reads it: true and false in lower case, what is None left out."""
    pairs = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in query.items()
        if value is not None
    }
    return urlencode(pairs, doseq=True)


def _head(response: http.client.HTTPResponse) -> ApiAnswer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return ApiAnswer(response.status, headers, b"")


def _whole(response: http.client.HTTPResponse) -> ApiAnswer:
    head = _head(response)
    return ApiAnswer(head.status, head.headers, response.read())


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        reason = str(error.reason or "").replace("_", " ").lower()
        return f"no TLS connection ({reason}); is it http:// instead of https://?"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
