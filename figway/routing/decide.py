"""Which side serves a request, and why."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from figway.message.forwarded import network_of
from figway.message.http import SAFE_METHODS, RequestHead
from figway.model.table import KeySource, Stage, StickyKey
from figway.model.words import Side
from figway.routing.compile import Plan
from figway.routing.match import is_preflight, normal_host
from figway.routing.split import bucket


class Why(StrEnum):
    """Why a side was chosen."""

    NO_ROUTE = "no_route"
    STAGE = "stage"
    WEIGHT = "weight"
    FORCED = "forced"
    KILL_SWITCH = "kill_switch"


class Decision:
    """A side and the reason. `bucket` is -1 and `key_source` empty where no split took place.

    `issue` is the identity to put into the plan's cookie: the client brought no key, and this
    new one decided. It says who the client is, never which side it met. Read-only.
    """

    __slots__ = ("bucket", "issue", "key_source", "side", "why")

    def __init__(
        self, side: Side, why: Why, bucket: int = -1, key_source: str = "", issue: bytes = b""
    ) -> None:
        self.side = side
        self.why = why
        self.bucket = bucket
        self.key_source = key_source
        self.issue = issue

    def __repr__(self) -> str:
        return f"Decision({self.side.value}, {self.why.value}, {self.bucket}, {self.key_source!r})"


_NO_ROUTE: Final = Decision(Side.LEGACY, Why.NO_ROUTE)
_KILLED: Final = Decision(Side.LEGACY, Why.KILL_SWITCH)
_FORCED: Final = {side: Decision(side, Why.FORCED) for side in Side}
_BY_STAGE: Final = {
    Stage.LEGACY: Decision(Side.LEGACY, Why.STAGE),
    Stage.SHADOW: Decision(Side.LEGACY, Why.STAGE),
    Stage.NEW: Decision(Side.NEW, Why.STAGE),
    Stage.RETIRED: Decision(Side.NEW, Why.STAGE),
}


# Names of this module's own: one look-up, or none where it is compiled, instead of two.
_NEW: Final = Side.NEW
_LEGACY: Final = Side.LEGACY
_WEIGHT: Final = Why.WEIGHT
_CANARY: Final = Stage.CANARY
_RETIRED: Final = Stage.RETIRED
_COOKIE: Final = KeySource.COOKIE
_HEADER: Final = KeySource.HEADER
_CLIENT_ADDRESS: Final = KeySource.CLIENT_ADDRESS


def decide(
    plan: Plan,
    head: RequestHead,
    *,
    kill: bool,
    forced: Side | None,
    fresh_id: Callable[[], bytes],
) -> Decision:
    """The side that serves `head` under `plan`.

    `kill` sends everything to legacy. `forced` is a tester's verified wish; it cannot bring a
    retired route back to legacy, nor send a route to a new backend that it does not have.
    A CORS preflight brings no cookie and keeps none, and an unsafe request from another site may
    have left it behind; neither is issued an identity: without
    another link of the chain it is dealt by the client's address.
    `fresh_id` makes a new identity, and is called only where a split needs one.
    """
    if kill:
        return _KILLED
    if plan.route is None:
        return _NO_ROUTE
    if forced is not None and plan.new is not None and plan.stage is not _RETIRED:
        return _FORCED[forced]
    if plan.stage is not _CANARY:
        return _BY_STAGE[plan.stage]
    issue = b""
    for link in plan.sticky:
        if key := sticky_key(link, head):
            source: str = link.source
            break
    else:
        if plan.issue and not is_preflight(head) and not from_another_site(head):
            key = issue = fresh_id()
            source = "issued"
        else:
            key, source = network_of(head.client), _CLIENT_ADDRESS.value
    number = bucket(plan.salt, key)
    side = _NEW if number < plan.weight else _LEGACY
    return Decision(side, _WEIGHT, number, source, issue)


def from_another_site(head: RequestHead) -> bool:
    """Whether an unsafe request comes from another site: its cookies may have stayed behind
    (RFC 6265bis, 8.8.1), so that none came does not mean that there is none."""
    if head.method in SAFE_METHODS:
        return False
    site = head.get(b"sec-fetch-site")
    if site is not None:
        return site not in (b"same-origin", b"same-site", b"none")
    source = head.get(b"origin") or head.get(b"referer")
    if source is None:
        return False
    authority = source.partition(b"://")[2].partition(b"/")[0]
    return normal_host(authority) != normal_host(head.host)


def sticky_key(link: StickyKey, head: RequestHead) -> bytes:
    """The key that one link of a chain finds in a request; empty if none."""
    if link.source is _COOKIE:
        return cookie_value(head.get(b"cookie"), link.name.encode())
    if link.source is _HEADER:
        return head.get(link.name.lower().encode()) or b""
    if link.source is _CLIENT_ADDRESS:
        return network_of(head.client)
    return _jwt_claim(head.get(b"authorization"), link.name)


_WRAPPING: Final = frozenset(b'" \t\r\n\v\f')
"""What may stand around the value of a cookie and is no part of it."""


def cookie_value(header: bytes | None, name: bytes) -> bytes:
    """The first cookie called `name` in a Cookie header (RFC 6265, 4.2); empty if none."""
    at = -1 if not header else header.find(name + b"=")
    if at < 0 or not header:
        return b""
    if not at or (at > 1 and header[at - 2 : at] == b"; "):
        end = header.find(b";", at)
        value = header[at + len(name) + 1 :] if end < 0 else header[at + len(name) + 1 : end]
        if value and (value[0] in _WRAPPING or value[-1] in _WRAPPING):
            value = value.strip().strip(b'"')
        return value
    for pair in header.split(b";"):
        key, _, value = pair.strip().partition(b"=")
        if key == name:
            return value.strip(b'"')
    return b""


def _jwt_claim(authorization: bytes | None, claim: str) -> bytes:
    """A claim of the bearer token (RFC 7519), read without verification: it chooses a bucket,
    and grants nothing."""
    if not authorization or authorization[:7].lower() != b"bearer ":
        return b""
    parts = authorization[7:].strip().split(b".")
    if len(parts) != 3 or len(parts[1]) > 8_192:
        return b""
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return b""
    value = payload.get(claim) if isinstance(payload, dict) else None
    return str(value).encode() if isinstance(value, (str, int)) else b""
