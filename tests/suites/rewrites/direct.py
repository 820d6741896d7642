"""What two servers answer differently, found by asking both directly: no code of Figway's here."""

from __future__ import annotations

import json
from dataclasses import dataclass

import httpx

CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date"})
SERVER = frozenset({"server", "via"})
OWN_VALUES = frozenset({"etag", "last-modified"})
"""A validator's value is the server's own: that there is one counts, and whether it is weak."""


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> object:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


async def ask(url: str, target: str, headers: dict[str, str], method: str = "GET") -> Answer:
    """Ask a server directly."""
    async with httpx.AsyncClient(trust_env=False) as client:
        reply = await client.request(method, url + target, headers=headers)
    return Answer(reply.status_code, dict(reply.headers), reply.content)


def header_names(legacy: Answer, new: Answer) -> set[str]:
    """Names of headers that a client can tell apart."""
    names = (legacy.headers.keys() | new.headers.keys()) - CONNECTION - SERVER
    return {name for name in names if _told(legacy, name) != _told(new, name)}


def _told(answer: Answer, name: str) -> object:
    value = answer.headers.get(name)
    if value is None:
        return None
    if name in OWN_VALUES:
        return value.startswith("W/")
    if name == "content-type":
        media, _, rest = value.lower().partition(";")
        charset = rest.strip() if media.startswith("text/") else ""  # JSON has no charsets
        return media.strip(), charset
    return value
