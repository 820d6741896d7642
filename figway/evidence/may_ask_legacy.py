"""Whether a user's read may be sent to legacy once more (principle: never at a user's expense).

A read that is safe by RFC 9110 is often not safe in fact: a second poll ends a session, a captcha
makes another code, a one-time link is spent. So legacy is asked again only where it says itself
that its answer may be stored or validated, or where a person said that the route bears it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote_plus

from figway.message.http import Headers
from figway.model.comparison import LegacyReads

Refusal = Literal[
    "",
    "never",
    "method",
    "upgrade",
    "event_stream",
    "long_poll",
    "one_time",
    "sets_cookies",
    "failed",
    "not_cacheable",
    "credentials",
]
"""Why legacy is not asked again; empty if it may be."""

LONG_POLL_MS = 5_000.0
"""An answer that took longer may have been waited for."""
_READS = frozenset({"GET", "HEAD"})
_OWN_COOKIE = b"figway_id"
_CREDENTIALS = frozenset({b"authorization", b"proxy-authorization"})
_ONE_TIME = frozenset({"code", "ticket", "samlresponse", "logout", "oauth_verifier"})
_LIKELY_ONE_TIME = frozenset({"token", "otp", "once", "nonce", "state", "key", "hash", "signature"})
"""Too common to be refused where a person has allowed reads."""
_POLLS = frozenset({"longpoll", "long_poll", "long-poll", "polling"})
_WORDS = re.compile(
    r"(?:^|[/._-])(?:log-?out|log-?off|sign-?out|sign-?off|captcha|unsubscribe"
    r"|socket\.io|sockjs|signalr|cometd|long-?poll(?:ing)?)(?:$|[/._-])"
)
_STORABLE = frozenset({200, 203, 204, 300, 301, 308, 404, 410})
_AGE = re.compile(r"(s-maxage|max-age)\s*=\s*\"?(\d+)")


def why_not_repeated(
    reads: LegacyReads,
    method: str,
    target: bytes,
    request: Headers,
    status: int,
    answer: Headers,
    elapsed_ms: float,
    declared: tuple[str, ...] = (),
) -> Refusal:
    """Why legacy may not be asked again for a request that it answered so; empty if it may.

    `request` and `answer` are header sections; `elapsed_ms` is the time to the answer's head.
    `declared` are methods that the route says only read. Nobody marks the answer to a `POST` as
    storable, so for them that word stands in the place of the mark.
    """
    if reads is LegacyReads.NEVER:
        return "never"
    if method not in _READS and method not in declared:
        return "method"
    names, values = _query(target)
    asked, answered = _by_name(request), _by_name(answer)
    refused = _never(target, names | values, asked, answered, elapsed_ms)
    if refused or reads is LegacyReads.ALLOWED or method not in _READS:
        return refused
    if names & _LIKELY_ONE_TIME:
        return "one_time"
    if status not in _STORABLE:
        return "failed"
    return _cacheable(request, answered)


_Fields = dict[bytes, list[bytes]]
"""Values by lower-case name."""


def _by_name(headers: Headers) -> _Fields:
    found: _Fields = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    return found


def _query(target: bytes) -> tuple[set[str], set[str]]:
    query = target.partition(b"?")[2].decode("latin-1").lower()
    pairs = [part.partition("=") for part in query.split("&") if part]
    names = {unquote_plus(name) for name, _, _ in pairs}
    return names, {unquote_plus(value) for _, _, value in pairs}


def _never(
    target: bytes, words: set[str], request: _Fields, answer: _Fields, elapsed_ms: float
) -> Refusal:
    if b"upgrade" in request:
        return "upgrade"
    types = (*answer.get(b"content-type", ()), *request.get(b"accept", ()))
    if any(b"text/event-stream" in value.lower() for value in types):
        return "event_stream"
    if b"set-cookie" in answer:
        return "sets_cookies"
    path = target.partition(b"?")[0].decode("latin-1").lower()
    if words & _POLLS or elapsed_ms > LONG_POLL_MS:
        return "long_poll"
    if words & _ONE_TIME or _WORDS.search(path):
        return "one_time"
    return ""


def _cacheable(request: Headers, answer: _Fields) -> Refusal:
    control = b",".join(answer.get(b"cache-control", ())).decode("latin-1").lower()
    directives = {part.partition("=")[0].strip() for part in control.split(",")}
    if "no-store" in directives or b"*" in answer.get(b"vary", ()):
        return "not_cacheable"
    ages = {name: int(age) for name, age in _AGE.findall(control) if len(age) < 12}
    shared = "public" in directives or ages.get("s-maxage", 0) > 0
    if signed_in(request) and ("private" in directives or not shared or _varies(answer)):
        return "credentials"
    kept = shared or ages.get("max-age", 0) > 0
    validated = b"etag" in answer or b"last-modified" in answer
    return "" if kept or validated else "not_cacheable"


def _varies(answer: _Fields) -> bool:
    return not _varying(answer.get(b"vary", ())).isdisjoint((b"cookie", b"authorization", b"*"))


def _varying(values: Iterable[bytes]) -> set[bytes]:
    """The names that Vary lists."""
    return {name.strip().lower() for value in values for name in value.split(b",")}


# -- natural repeats ---------------------------------------------------------------------------

_NOT_PART = re.compile(
    rb"traceparent|tracestate|baggage|x-request-id|x-correlation-id|x-amzn-trace-id|x-b3-.*|b3"
    rb"|x-forwarded-.*|forwarded|via|x-real-ip|cf-.*|user-agent|accept-encoding|connection"
    rb"|keep-alive|if-none-match|if-modified-since|if-match|if-unmodified-since|if-range"
    rb"|cache-control|pragma|sec-.*|dnt|priority|content-length|referer|date|te|figway-.*"
    rb"|upgrade-insecure-requests|idempotency-key"
)
_LONGEST_NAME = 64
"""Bytes of a header name of which it is remembered whether it is left out."""


def _told_as(name: bytes) -> bytes:
    """A header's name in lower case; empty for one that says nothing of what is asked for."""
    lowered = name.lower()
    return b"" if _NOT_PART.fullmatch(lowered) else lowered


_remembered = lru_cache(1_024)(_told_as)


def repeat_key(
    method: str, target: bytes, request: Headers, body: bytes, vary: Iterable[bytes] = ()
) -> bytes:
    """What two requests share that legacy is to answer alike: the same request by the same user.

    Headers that say nothing of what is asked for (trace ids, a browser's hints) are left out,
    unless the answer names them in Vary, of which `vary` are the values.
    """
    told = [
        (lowered, value)
        for name, value in request
        if (lowered := (_remembered if len(name) <= _LONGEST_NAME else _told_as)(name))
    ]
    varies = _varying(vary)
    if varies:
        lines = [(name.lower(), value) for name, value in request]
        told += [line for line in lines if line[0] in varies and not _told_as(line[0])]
    told.sort()
    return b"\n".join([method.encode(), target, *map(b": ".join, told), b"", body])


_NAMES_WHO = frozenset(map(len, (*_CREDENTIALS, b"cookie")))


def signed_in(request: Headers) -> bool:
    """Whether a request says who asks: credentials, or other cookies than Figway's own."""
    for name, value in request:
        if len(name) in _NAMES_WHO:
            lowered = name.lower()
            if lowered in _CREDENTIALS or (lowered == b"cookie" and _cookies(value)):
                return True
    return False


def _cookies(value: bytes) -> bool:
    for part in value.split(b";"):
        if part.partition(b"=")[0].strip() not in (b"", _OWN_COOKIE):
            return True
    return False


def stripped(headers: Headers, names: Iterable[bytes]) -> Headers:
    """A header section without some fields."""
    gone = frozenset(names)
    return [pair for pair in headers if pair[0].lower() not in gone]
