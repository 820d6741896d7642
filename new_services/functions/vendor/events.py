"""Legacy's outbox: reads the pages of events that it publishes."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT = 5.0
_LIMIT = 1000


@dataclass(frozen=True)
class Page:
    """Events after a position, in order."""

    events: list[dict[str, Any]]
    last_sequence: int
    more: bool


class FeedError(RuntimeError):
    """The outbox did not answer with a page."""


def read(legacy: str, after: int) -> Page:
    """The next page after a sequence. Raises FeedError or OSError."""
    parts = urlsplit(legacy)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port or 80, timeout=_TIMEOUT
    )
    try:
        connection.request("GET", f"/internal/events?after={after}&limit={_LIMIT}")
        response = connection.getresponse()
        body = response.read()
    except http.client.HTTPException as error:
        raise FeedError(f"{legacy}: {error!r}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise FeedError(f"{legacy} answered {response.status}")
    data = json.loads(body)
    return Page(data["events"], data["last_sequence"], data["more"])
