"""Whether a user's read may be sent to legacy once more (principle: never at a user's expense).

A read that is safe by RFC 9110 is often not safe in fact: a second poll ends a session, a captcha
makes another code, a one-time link is spent. So legacy is asked again only where it says itself
that its answer may be stored or validated, or where a person said that the route bears it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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
    refused = _never(target, names | values, request, answer, elapsed_ms)
    if refused or reads is LegacyReads.ALLOWED or method not in _READS:
        return refused
    if names & _LIKELY_ONE_TIME:
        return "one_time"
    if status not in _STORABLE:
        return "failed"
    return _cacheable(request, answer)


def _query(target: bytes) -> tuple[set[str], set[str]]:
    query = target.partition(b"?")[2].decode("latin-1").lower()
    pairs = [part.partition("=") for part in query.split("&") if part]
    names = {unquote_plus(name) for name, _, _ in pairs}
    return names, {unquote_plus(value) for _, _, value in pairs}


def _never(
    target: bytes, words: set[str], request: Headers, answer: Headers, elapsed_ms: float
) -> Refusal:
    if _values(request, b"upgrade"):
        return "upgrade"
    if any(b"text/event-stream" in value.lower() for value in _values(answer, b"content-type")):
        return "event_stream"
    if any(b"text/event-stream" in value.lower() for value in _values(request, b"accept")):
        return "event_stream"
    if _values(answer, b"set-cookie"):
        return "sets_cookies"
    path = target.partition(b"?")[0].decode("latin-1").lower()
    if words & _POLLS or elapsed_ms > LONG_POLL_MS:
        return "long_poll"
    if words & _ONE_TIME or _WORDS.search(path):
        return "one_time"
    return ""


def _cacheable(request: Headers, answer: Headers) -> Refusal:
    control = b",".join(_values(answer, b"cache-control")).decode("latin-1").lower()
    directives = {part.partition("=")[0].strip() for part in control.split(",")}
    if "no-store" in directives or b"*" in _values(answer, b"vary"):
        return "not_cacheable"
    ages = {name: int(age) for name, age in _AGE.findall(control) if len(age) < 12}
    shared = "public" in directives or ages.get("s-maxage", 0) > 0
    if _personal(request) and ("private" in directives or not shared or _varies(answer)):
        return "credentials"
    kept = shared or ages.get("max-age", 0) > 0
    validated = bool(_values(answer, b"etag") or _values(answer, b"last-modified"))
    return "" if kept or validated else "not_cacheable"


def _personal(request: Headers) -> bool:
    """Whether a request says who asks: other cookies than Figway's own, or credentials."""
    if _values(request, b"authorization") or _values(request, b"proxy-authorization"):
        return True
    return any(
        part.partition(b"=")[0].strip() not in (b"", _OWN_COOKIE)
        for value in _values(request, b"cookie")
        for part in value.split(b";")
    )


def _varies(answer: Headers) -> bool:
    names = {
        name.strip().lower() for value in _values(answer, b"vary") for name in value.split(b",")
    }
    return bool(names & {b"cookie", b"authorization", b"*"})


def _values(headers: Headers, wanted: bytes) -> list[bytes]:
    return [value for name, value in headers if name.lower() == wanted]


# -- natural repeats ---------------------------------------------------------------------------

_NOT_PART = re.compile(
    rb"traceparent|tracestate|baggage|x-request-id|x-correlation-id|x-amzn-trace-id|x-b3-.*|b3"
    rb"|x-forwarded-.*|forwarded|via|x-real-ip|cf-.*|user-agent|accept-encoding|connection"
    rb"|keep-alive|if-none-match|if-modified-since|if-match|if-unmodified-since|if-range"
    rb"|cache-control|pragma|sec-.*|dnt|priority|content-length|referer|date|te|figway-.*"
    rb"|upgrade-insecure-requests|idempotency-key"
)


def repeat_key(method: str, target: bytes, request: Headers, body: bytes, answer: Headers) -> bytes:
    """What two requests share that legacy is to answer alike: the same request by the same user.

    Headers that say nothing of what is asked for (trace ids, a browser's hints) are left out,
    unless the answer names them in Vary.
    """
    varies = {
        name.strip().lower() for value in _values(answer, b"vary") for name in value.split(b",")
    }
    told = sorted(
        (name.lower(), value)
        for name, value in request
        if name.lower() in varies or not _NOT_PART.fullmatch(name.lower())
    )
    lines = [method.encode(), target, *(b"%b: %b" % pair for pair in told), b"", body]
    return b"\n".join(lines)


def signed_in(request: Headers) -> bool:
    """Whether a request brings credentials or cookies of its own."""
    return _personal(request)


def stripped(headers: Headers, names: Iterable[bytes]) -> Headers:
    """A header section without some fields."""
    gone = frozenset(names)
    return [pair for pair in headers if pair[0].lower() not in gone]
