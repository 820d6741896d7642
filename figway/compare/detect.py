"""What a pair of differing values looks like, and the rule that would cover just that.

A detector says "both are a UUID", never "this does not matter": it names the difference and
proposes a rule, a person (or the learned noise) decides. Detectors look at the two values and the
name they stand under; the first that fits wins, so the list runs from the telling to the vague.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from figway.compare.canonical_json import Value
from figway.compare.moments import HTTP_DATE_PATTERN, ISO_PATTERN, moment
from figway.compare.rules import ComparisonRule, RuleError

UUID_PATTERN = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
JWT_PATTERN = r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
TOKEN_PATTERN = r"[A-Za-z0-9+/_=.~-]{16,}"  # noqa: S105 - a pattern, not a secret

_UUID, _JWT, _ISO, _HTTP_DATE, _TOKEN = (
    re.compile(pattern)
    for pattern in (UUID_PATTERN, JWT_PATTERN, ISO_PATTERN, HTTP_DATE_PATTERN, TOKEN_PATTERN)
)
_CSRF_NAME = re.compile(r"csrf|xsrf|authenticity|requestverification|nonce", re.I)
_COUNTER_NAME = re.compile(
    r"count|hits|views|visits|seq|serial|sequence|version|revision|request_?(no|id|number)", re.I
)
_NEAT_TOLERANCES = (1, 5, 60, 300, 3600, 86_400)
_LONGEST = 65_536

HARD_SHAPES = frozenset({"uuid", "jwt", "iso_timestamp", "http_date", "epoch_s", "epoch_ms"})
"""Shapes that chance does not produce: a field of such a shape is volatile by its nature, and a
difference there that no longer has the shape is another difference."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pair stands."""

    target: str
    """What a rule for it would have as its target."""
    name: str
    """The nearest name, such as `created_at` or `etag`."""
    backend_hosts: frozenset[str] = frozenset()
    facade: str = ""


@dataclass(frozen=True, slots=True)
class Detection:
    """A detector's name and, where a rule could cover the difference, that rule."""

    detector: str
    rule: ComparisonRule | None = None


def detect(kind: str, legacy: Value, new: Value, place: Place) -> Detection | None:
    """What this difference looks like; None when nothing fits."""
    if kind == "type":
        return _detect_type(legacy, new)
    if kind in ("missing", "added"):
        present = legacy if kind == "missing" else new
        return Detection("null_or_missing", _rule(place, "ignore")) if present is None else None
    if kind != "changed":
        return None
    if isinstance(legacy, str) and isinstance(new, str):
        if max(len(legacy), len(new)) > _LONGEST:
            return None
        detectors: tuple[_Detect, ...] = _TEXT_DETECTORS
    else:
        detectors = _NUMBER_DETECTORS
    for detector in detectors:
        if found := detector(legacy, new, place):
            return found
    return None


_Detect = Callable[[Value, Value, Place], Detection | None]


def _detect_type(legacy: Value, new: Value) -> Detection | None:
    for text, number in ((legacy, new), (new, legacy)):
        if isinstance(text, str) and isinstance(number, int | float):
            try:
                if float(text) == number:
                    return Detection("number_as_text")
            except ValueError:
                continue
    return None


def _rule(place: Place, kind: str, **parameters: object) -> ComparisonRule | None:
    data = {"id": f"{kind}:{place.target}", "kind": kind, "target": place.target, **parameters}
    try:
        return ComparisonRule.from_dict(data)
    except RuleError:
        # Some places, such as a cookie with a strange name, have no target that a rule may have.
        return None


def _pattern_rule(place: Place, pattern: str) -> ComparisonRule | None:
    return _rule(place, "pattern", pattern=pattern)


def _moments(legacy: Value, new: Value, place: Place) -> Detection | None:
    left, right = moment(legacy), moment(new)
    if left is None or right is None or left[0] != right[0]:
        return None
    apart = abs(left[1] - right[1])
    for seconds in _NEAT_TOLERANCES:
        if apart <= seconds:
            return Detection(left[0], _rule(place, "time_tolerance", seconds=seconds))
    return Detection(left[0], _rule(place, "ignore"))


def _same_but(pattern: re.Pattern[str], legacy: str, new: str) -> bool:
    """Whether the two differ only in what the pattern matches, and it matches something."""
    masked, count = pattern.subn("\0", legacy)
    return bool(count) and masked == pattern.sub("\0", new)


def _masking(name: str, pattern: re.Pattern[str]) -> _Detect:
    def detector(legacy: str, new: str, place: Place) -> Detection | None:
        if _same_but(pattern, legacy, new):
            return Detection(name, _pattern_rule(place, pattern.pattern))
        return None

    return detector


def _backend_url(legacy: str, new: str, place: Place) -> Detection | None:
    """Absolute URLs of a known backend on one side, of the facade or another backend on the
    other.
    """
    if not place.backend_hosts or "//" not in legacy + new:
        return None
    facade_host = place.facade.rpartition("//")[2].lower()
    hosts = sorted(place.backend_hosts | ({facade_host} if facade_host else set()))
    pattern = f"(?:https?:)?//(?:{'|'.join(map(re.escape, hosts))})"
    if _same_but(re.compile(pattern, re.I), legacy, new):
        return Detection("backend_url", _pattern_rule(place, f"(?i){pattern}"))
    return None


def _csrf(legacy: str, new: str, place: Place) -> Detection | None:
    if _CSRF_NAME.search(place.target) and min(len(legacy), len(new)) >= 8:
        return Detection("csrf_token", _pattern_rule(place, r"[A-Za-z0-9+/_=.:~!|-]{8,}"))
    return None


def _etag(legacy: str, new: str, place: Place) -> Detection | None:
    if place.name.lower() == "etag":
        return Detection("etag", _rule(place, "ignore"))
    return None


def _letter_case(legacy: str, new: str, place: Place) -> Detection | None:
    if legacy.casefold() == new.casefold():
        return Detection("case", _rule(place, "case"))
    return None


def _random_token(legacy: str, new: str, place: Place) -> Detection | None:
    left, right = _TOKEN.findall(legacy), _TOKEN.findall(new)
    if (
        left
        and len(left) == len(right)
        and _same_but(_TOKEN, legacy, new)
        and all(
            a == b or (looks_random(a) and looks_random(b))
            for a, b in zip(left, right, strict=True)
        )
    ):
        return Detection("random_token", _pattern_rule(place, TOKEN_PATTERN))
    return None


def looks_random(text: str) -> bool:
    """Whether a text of 16 or more characters looks drawn by lot: mixed, and hardly repeating
    itself.
    """
    if len(text) < 16 or " " in text:
        return False
    digits = sum(character.isdigit() for character in text)
    letters = sum(character.isalpha() for character in text)
    if not digits or not letters:
        return False
    counts = {character: text.count(character) for character in set(text)}
    entropy = -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
    return entropy >= 2.8


def _counter(legacy: Value, new: Value, place: Place) -> Detection | None:
    if (
        type(legacy) is int
        and type(new) is int
        and min(legacy, new) >= 0
        and abs(legacy - new) <= 1000
        and _COUNTER_NAME.search(place.name)
    ):
        return Detection("counter", _rule(place, "ignore"))
    return None


def _rounding(legacy: Value, new: Value, place: Place) -> Detection | None:
    """Numbers so near that they come from two ways to the same sum: below a cent, or below 1e-6 of
    it.
    """
    if any(isinstance(side, bool) or not isinstance(side, int | float) for side in (legacy, new)):
        return None
    if type(legacy) is int and type(new) is int:
        return None
    apart = abs(legacy - new)
    if apart <= 1e-6 * max(abs(legacy), abs(new)) or apart < 0.0100001:
        tolerance = 10.0 ** math.ceil(math.log10(apart)) if apart > 0 else 1e-12
        return Detection("rounding", _rule(place, "number_tolerance", absolute=tolerance))
    return None


_TEXT_DETECTORS: tuple[_Detect, ...] = (
    _backend_url,
    _etag,
    _masking("jwt", _JWT),
    _masking("uuid", _UUID),
    _moments,
    _masking("iso_timestamp", _ISO),
    _masking("http_date", _HTTP_DATE),
    _csrf,
    _letter_case,
    _random_token,
)
_NUMBER_DETECTORS: tuple[_Detect, ...] = (_moments, _counter, _rounding)
