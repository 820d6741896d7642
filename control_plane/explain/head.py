"""A request head made from what somebody typed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from control_plane.http.problems import invalid

_URL = "write http://host/path, or a path that begins with /"
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TypedHead:
    """Implements `figway.message.http.RequestHead`."""

    method: str
    path: bytes
    query: bytes
    host: bytes
    client: str
    headers: tuple[tuple[bytes, bytes], ...]

    def get(self, name: bytes) -> bytes | None:
        """The value of a header, all its lines as one list."""
        lines = [value for known, value in self.headers if known == name]
        return (b"; " if name == b"cookie" else b", ").join(lines) if lines else None


def typed_head(method: str, url: str, headers: list[tuple[str, str]], client: str) -> TypedHead:
    """The head of a request for `url`. Raises `ApiProblem` 422."""
    pairs = tuple((name.lower().encode(), value.encode()) for name, value in headers)
    host = next((value for name, value in pairs if name == b"host"), b"")
    target = url
    if found := _ABSOLUTE.fullmatch(url):
        _check(url)
        host, target = found[1].rpartition("@")[2].encode(), found[2]
        if not target.startswith("/"):
            target = "/" + target
    if not target.startswith("/"):
        raise invalid("url", f"{url!r} is neither a URL nor a path", _URL)
    path, _, query = target.partition("#")[0].partition("?")
    return TypedHead(method, path.encode(), query.encode(), host, client, pairs)


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise invalid("url", f"{url!r} is not a URL: {error}", _URL) from None
    if not parts.hostname:
        raise invalid("url", f"{url!r} names no host", _URL)
