"""The cookie that gives a client its sticky key, and the answers that must not carry it.

The key itself is drawn by the host (`proxy.request.ids`); which route issues one is decided in
`figway.routing.decide`.
"""

from __future__ import annotations

import re
from typing import Final

from figway.message.http import Headers
from figway.model.table import Capability, SameSite


def issue_cookie(
    name: bytes, identity: bytes, attributes: bytes, *, secure: bool
) -> tuple[bytes, bytes]:
    """The Set-Cookie that gives a client its identity."""
    value = name + b"=" + identity + attributes
    return b"set-cookie", value + b"; Secure" if secure else value


def cookie_attributes(capability: Capability) -> bytes:
    """The attributes of the cookie that a capability issues; Secure only where it has to be."""
    text = "; Path=/"
    if capability.cookie_max_age_s:
        text += f"; Max-Age={capability.cookie_max_age_s}"
    if capability.cookie_domain:
        text += f"; Domain={capability.cookie_domain}"
    text += f"; HttpOnly; SameSite={capability.cookie_same_site.value}"
    if capability.cookie_same_site is SameSite.NONE:
        text += "; Secure"
    return text.encode()


_SHARED: Final = re.compile(rb"\b(?:public|immutable|s-maxage|max-age=0*[1-9])", re.I).search
_PRIVATE: Final = re.compile(rb"\b(?:private|no-store|no-cache)\b", re.I).search
_KEPT_STATUSES: Final = frozenset({206, 301, 304, 308})
_FOR_CACHES: Final = frozenset({b"cdn-cache-control", b"surrogate-control", b"expires"})


def is_kept_by_others(status: int, headers: Headers) -> bool:
    """Whether a cache that users share may keep an answer (RFC 9111, 3): no identity goes there."""
    if status in _KEPT_STATUSES:
        return True
    control = b", ".join([value for name, value in headers if name.lower() == b"cache-control"])
    if _PRIVATE(control) is not None:
        return False
    if _SHARED(control) is not None:
        return True
    return any(name.lower() in _FOR_CACHES and not _is_over(value) for name, value in headers)


def _is_over(value: bytes) -> bool:
    """Whether an Expires, or what a cache is told, says `not at all`."""
    return value.strip() in (b"0", b"-1", b"", b"no-store") or b" 1970 " in value
