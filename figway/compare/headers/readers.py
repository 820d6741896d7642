"""A reader for each kind of header field: what its value says to a client.

Two values that a reader brings to the same form say the same: a set in another order, a quoted
parameter and a bare one, names in another letter case. What a reader leaves out no client can see.
A reader gives one text, or texts by part: a directive, a parameter, a relation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from figway.compare.headers.fields import assignment, collected, extended, split, unquoted
from figway.compare.moments import moment

HeaderValue = str | dict[str, str]
Resolve = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """What the meaning of one field depends on besides its value."""

    resolve: Resolve
    """A URL as a user agent would end up with it."""
    date: str = ""
    """The Date of the same answer: relative times count from it."""


Reader = Callable[[list[str], AnswerContext], HeaderValue]
"""(the field's values, one a line; what is around them) -> what they say."""


def read(name: str, values: list[str], around: AnswerContext) -> HeaderValue:
    """What the lines of one field say. An unknown field is its text, lines joined."""
    reader = _READERS.get(name)
    return joined(values) if reader is None else reader(values, around)


def joined(values: list[str]) -> str:
    """Several lines of one name are one list (RFC 9110 section 5.3)."""
    return ", ".join(values)


# -- sets and single words ---------------------------------------------------------------------


def _names(values: list[str], _: AnswerContext) -> str:
    """A set of names that have no letter case."""
    return ", ".join(sorted({unquoted(item).lower() for item in split(joined(values), ",")}))


def _methods(values: list[str], _: AnswerContext) -> str:
    """A set of names that have one, as methods do."""
    return ", ".join(sorted(set(split(joined(values), ","))))


def _media_types(values: list[str], around: AnswerContext) -> str:
    spelt = [";".join(split(item, ";")) for item in split(joined(values), ",")]
    return _names([", ".join(spelt)], around)


def _word(values: list[str], _: AnswerContext) -> str:
    """One word without letter case; said twice, it is something else to a client."""
    return joined(values).lower()


def _words(values: list[str], _: AnswerContext) -> str:
    """Words without letter case whose order has a meaning, such as preferences."""
    return ", ".join(split(joined(values).lower(), ","))


# -- directives and parameters -----------------------------------------------------------------


def _directives(values: list[str], _: AnswerContext) -> HeaderValue:
    """`a, b=1, c="x, y"`: by name, in any order (Cache-Control, Pragma, X-Robots-Tag)."""
    return collected(assignment(item) for item in split(joined(values), ","))


def _cache_control(values: list[str], around: AnswerContext) -> HeaderValue:
    found = _directives(values, around)
    assert isinstance(found, dict)
    # Lists of field names (RFC 9111 sections 5.2.2.4 and 5.2.2.7).
    for name in ("no-cache", "private"):
        if found.get(name):
            found[name] = _names([found[name]], around)
    return found


def _settings(values: list[str], _: AnswerContext) -> HeaderValue:
    """`a; b=1`: by name, in any order (Strict-Transport-Security, X-XSS-Protection)."""
    return collected(assignment(item) for item in split(joined(values), ";"))


def _disposition(values: list[str], around: AnswerContext) -> HeaderValue:
    """A word with parameters, quoted or not (Content-Disposition, RFC 6266)."""
    kind, *rest = split(joined(values), ";") or [""]
    found = collected(assignment(item) for item in rest)
    for name, value in found.items():
        if name.endswith("*"):
            found[name] = extended(value)
    return {"": kind.lower(), **found}


def _listed(values: list[str], _: AnswerContext) -> HeaderValue:
    """A dictionary of structured fields (RFC 9651): members by name, parameters in any order."""
    found = []
    for item in split(joined(values), ","):
        first, *rest = split(item, ";")
        name, value = assignment(first)
        if value.startswith("(") and value.endswith(")"):
            value = " ".join(sorted(value[1:-1].split()))
        found.append((name, "; ".join([value, *sorted(rest)])))
    return collected(found)


# -- policies ----------------------------------------------------------------------------------

NONCE = re.compile(r"'nonce-(?:[A-Za-z0-9+/=_-]+|\[redacted:nonce:[0-9a-f]{8}\])'")
"""Also as it is stored with a pair of answers."""
_KEPT_CASE = re.compile(r"'(?:sha(?:256|384|512)|nonce)-.*|.*//[^/]*/.*|/.*", re.I)


def _policies(values: list[str], around: AnswerContext) -> HeaderValue:
    """Content-Security-Policy: each policy by directive, its sources as a set.

    A nonce is made for each answer (CSP level 3, section 7.1), so that there is one is what counts.
    """
    policies = sorted(
        (_policy(item) for item in joined(values).split(",")), key=lambda found: sorted(found)
    )
    if len(policies) == 1:
        return policies[0]
    return {
        f"{name}#{at}": text for at, one in enumerate(policies, 1) for name, text in one.items()
    }


def _policy(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for directive in text.split(";"):
        name, *sources = directive.split() or [""]
        if name:
            # The first of two directives of one name counts.
            found.setdefault(name.lower(), " ".join(sorted({_source(word) for word in sources})))
    return found


def _source(word: str) -> str:
    if NONCE.fullmatch(word):
        return "'nonce-…'"
    return word if _KEPT_CASE.fullmatch(word) else word.lower()


# -- links and URLs ----------------------------------------------------------------------------


def _links(values: list[str], around: AnswerContext) -> HeaderValue:
    """Link (RFC 8288): by relation, targets as they resolve, their order not counted."""
    found: dict[str, list[str]] = {}
    for item in split(joined(values), ","):
        target, *rest = split(item, ";") or [""]
        parameters = collected(assignment(one) for one in rest)
        relations = parameters.pop("rel", "").lower().split() or ["(none)"]
        url = around.resolve(target.removeprefix("<").removesuffix(">"))
        spelt = "; ".join([url, *(f"{name}={parameters[name]}" for name in sorted(parameters))])
        for relation in relations:
            found.setdefault(relation, []).append(spelt)
    return {relation: ", ".join(sorted(targets)) for relation, targets in found.items()}


def _url(values: list[str], around: AnswerContext) -> str:
    return around.resolve(joined(values))


def _refresh(values: list[str], around: AnswerContext) -> HeaderValue:
    """`5; url=/next`: seconds, and the URL as it resolves."""
    seconds, *rest = re.split(r"[;,]", joined(values), maxsplit=1)
    url = re.sub(r"^\s*url\s*=\s*", "", "".join(rest), flags=re.I).strip(" \t'\"")
    return {"": seconds.strip(), "url": around.resolve(url) if url else ""}


# -- validators and times ----------------------------------------------------------------------

_ETAG = re.compile(r'(W/)?"[\x21\x23-\x7e\x80-\xff]*"')


def _etag(values: list[str], _: AnswerContext) -> str:
    """Whether there is one, and how strong it is; the value is the server's own."""
    found = _ETAG.fullmatch(joined(values))
    if found is None:
        return "not an entity tag"
    return "weak" if found[1] else "strong"


def _http_date(values: list[str], _: AnswerContext) -> str:
    """Whether it tells a time that caches can read; which time is the server's own."""
    found = moment(joined(values))
    return "a date" if found and found[0] == "http_date" else "not a date"


def _instant(values: list[str], _: AnswerContext) -> str:
    """A fixed moment, however written: `@1688169599`, an HTTP date, `true` (RFC 9745)."""
    text = joined(values)
    found = moment(text.removeprefix("@"))
    return f"@{found[1]:.0f}" if found else text.lower()


def _seconds(values: list[str], around: AnswerContext) -> str:
    """Seconds from now, also where a date says when (Retry-After)."""
    text = joined(values)
    when, now = moment(text), moment(around.date)
    if when and now and when[0] == "http_date":
        return f"{when[1] - now[1]:.0f}"
    return text


def _number(values: list[str], _: AnswerContext) -> str:
    text = joined(values)
    return text.lstrip("0") or "0" if text.isascii() and text.isdigit() else text


# -- authentication, digests, JSON, ranges -------------------------------------------------------

_CHALLENGE = re.compile(r"([A-Za-z][\w!#$%&'*+.^`|~-]*)(?:[ \t]+(.*))?", re.S)


def _challenges(values: list[str], _: AnswerContext) -> HeaderValue:
    """Challenges by scheme (RFC 9110 section 11.6.1); nonces are the server's own."""
    found: dict[str, list[tuple[str, str]]] = {}
    scheme = ""
    for item in split(joined(values), ","):
        begins = _CHALLENGE.fullmatch(item)
        if begins and not item[len(begins[1]) :].lstrip().startswith("="):
            scheme = begins[1].lower()
            found.setdefault(scheme, [])
            item = begins[2] or ""
        if item:
            name, value = assignment(item)
            fresh = name in ("nonce", "opaque")
            found.setdefault(scheme, []).append((name, "…" if fresh else value))
    return {
        name: ", ".join(f"{key}={value}" for key, value in sorted(pairs))
        for name, pairs in found.items()
    }


def _digests(values: list[str], _: AnswerContext) -> str:
    """The algorithms; the digests are of bytes whose meaning is compared itself."""
    return ", ".join(sorted({assignment(item)[0] for item in split(joined(values), ",")}))


def _md5(values: list[str], _: AnswerContext) -> str:
    return "a digest" if joined(values) else ""


def _json(values: list[str], _: AnswerContext) -> str:
    """Several JSON texts in a list (Report-To, NEL)."""
    try:
        return json.dumps(json.loads(f"[{joined(values)}]"), sort_keys=True)
    except (ValueError, RecursionError):
        return joined(values)


def _content_range(values: list[str], _: AnswerContext) -> str:
    return re.sub(r"\s+", " ", joined(values).lower())


_READERS: dict[str, Reader] = {
    **dict.fromkeys(
        (
            *("vary", "access-control-allow-headers", "access-control-expose-headers", "trailer"),
            *("accept-ranges", "content-language", "clear-site-data", "accept-encoding"),
            *("accept-ch", "critical-ch"),
        ),
        _names,
    ),
    **dict.fromkeys(("allow", "access-control-allow-methods", "public"), _methods),
    **dict.fromkeys(("accept", "accept-patch", "accept-post"), _media_types),
    **dict.fromkeys(
        (
            *("x-frame-options", "x-content-type-options", "x-permitted-cross-domain-policies"),
            *("x-download-options", "x-dns-prefetch-control", "x-ua-compatible"),
            *("preference-applied", "origin-agent-cluster"),
        ),
        _word,
    ),
    "referrer-policy": _words,
    "cache-control": _cache_control,
    **dict.fromkeys(
        ("pragma", "surrogate-control", "cdn-cache-control", "x-robots-tag"), _directives
    ),
    **dict.fromkeys(
        (
            *("strict-transport-security", "x-xss-protection", "cross-origin-opener-policy"),
            *("cross-origin-embedder-policy", "cross-origin-resource-policy"),
        ),
        _settings,
    ),
    "content-disposition": _disposition,
    **dict.fromkeys(("permissions-policy", "reporting-endpoints", "alt-svc", "priority"), _listed),
    **dict.fromkeys(
        (
            *("content-security-policy", "content-security-policy-report-only"),
            *("feature-policy", "x-content-security-policy", "x-webkit-csp"),
        ),
        _policies,
    ),
    "link": _links,
    **dict.fromkeys(("location", "content-location", "sourcemap", "x-sourcemap"), _url),
    "refresh": _refresh,
    "etag": _etag,
    "last-modified": _http_date,
    **dict.fromkeys(("deprecation", "sunset"), _instant),
    "retry-after": _seconds,
    "access-control-max-age": _number,
    **dict.fromkeys(("www-authenticate",), _challenges),
    **dict.fromkeys(("digest", "repr-digest", "content-digest"), _digests),
    "content-md5": _md5,
    **dict.fromkeys(("report-to", "nel"), _json),
    "content-range": _content_range,
}

OWN_VALUES = frozenset({"etag", "last-modified", "content-security-policy", "www-authenticate"})
"""Fields of which a part is the server's own: its value is not compared, its presence is."""
