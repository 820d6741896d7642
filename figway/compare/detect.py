"""What a pair of differing values looks like, and the rule that would cover just that.

A detector says "both are a UUID", never "this does not matter": it names the difference, and a
person (or what legacy does with itself) decides. A rule is proposed only where both values have a
form by themselves, and it covers that form and nothing else, so that accepting it hides no other
bug at the place: never anything at all, never an order, never a value that is missing. What more
may be excused, only several answers of legacy can tell: see `figway.compare.propose`.

Detectors look at the two values and the name they stand under; the first that fits wins, so the
list runs from the telling to the vague.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from figway.compare.asset_names import hash_pattern
from figway.compare.canonical.json import Value
from figway.compare.moments import HTTP_DATE_PATTERN, ISO_PATTERN, layout, moment
from figway.compare.rules import ComparisonRule, RuleError, read_rule
from figway.compare.tokens import JWT_PATTERN as JWT_PATTERN
from figway.compare.tokens import UUID_PATTERN as UUID_PATTERN
from figway.compare.tokens import same_form, token_pattern

_UUID, _JWT, _ISO, _HTTP_DATE = (
    re.compile(pattern) for pattern in (UUID_PATTERN, JWT_PATTERN, ISO_PATTERN, HTTP_DATE_PATTERN)
)
_TOKEN = re.compile(r"[A-Za-z0-9+/_=.~-]{16,}")
_CSRF_NAME = re.compile(r"csrf|xsrf|authenticity|requestverification|nonce", re.I)
_COUNTER_NAME = re.compile(
    r"count|hits|views|visits|seq|serial|sequence|version|revision|request_?(no|id|number)", re.I
)
_TIME_NAME = re.compile(
    r"at$|time|date|stamp|ts$|^(?:exp|iat|nbf)$|since|until|expir|creat|updat|modif|when|now", re.I
)
_NEAT_TOLERANCES = (1, 5, 60, 300)
"""Seconds. Further apart, two moments are not the same moment told twice."""
_NOISE_OF_SUMS = 1e-9
"""Share of a number that two ways to the same sum may differ by; more is another number."""
_LONGEST = 65_536

T = TypeVar("T", str, float)

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
    """A detector's name and, where a rule could cover the difference and no more, that rule."""

    detector: str
    rule: ComparisonRule | None = None


def detect(kind: str, legacy: Value, new: Value, place: Place) -> Detection | None:
    """What this difference looks like; None when nothing fits."""
    if kind == "type":
        return _detect_type(legacy, new)
    if kind in ("missing", "added"):
        present = legacy if kind == "missing" else new
        return Detection("null_or_missing") if present is None else None
    if kind == "order":
        return Detection("order_changed")
    if kind != "changed":
        return None
    if isinstance(legacy, str) and isinstance(new, str):
        if max(len(legacy), len(new)) > _LONGEST:
            return None
        return _first(_TEXT_DETECTORS, legacy, new, place)
    if isinstance(legacy, int | float) and isinstance(new, int | float):
        if isinstance(legacy, bool) or isinstance(new, bool):
            return None
        return _first(_NUMBER_DETECTORS, legacy, new, place)
    return None


def make_rule(place: Place, kind: str, **parameters: object) -> ComparisonRule | None:
    """A rule for one place; None where the place has no target that a rule may have."""
    data = {"id": f"{kind}:{place.target}", "kind": kind, "target": place.target, **parameters}
    try:
        return read_rule(data)
    except RuleError:
        # Such as a cookie with a strange name, or a path that is too long.
        return None


_DetectText = Callable[[str, str, Place], Detection | None]
_DetectNumber = Callable[[float, float, Place], Detection | None]


def _first(
    detectors: tuple[Callable[[T, T, Place], Detection | None], ...],
    legacy: T,
    new: T,
    place: Place,
) -> Detection | None:
    for detector in detectors:
        if found := detector(legacy, new, place):
            return found
    return None


def _detect_type(legacy: Value, new: Value) -> Detection | None:
    for text, number in ((legacy, new), (new, legacy)):
        if isinstance(text, str) and isinstance(number, int | float):
            try:
                if float(text) == number:
                    return Detection("number_as_text")
            except ValueError:
                continue
    return None


# -- moments ---------------------------------------------------------------------------------------


def _tolerance(apart: float, place: Place, layout: str = "") -> ComparisonRule | None:
    for seconds in _NEAT_TOLERANCES:
        if apart <= seconds:
            written = {"pattern": layout} if layout else {}
            return make_rule(place, "time_tolerance", seconds=seconds, **written)
    return None


def _moments(legacy: str, new: str, place: Place) -> Detection | None:
    left, right = moment(legacy), moment(new)
    if left is None or right is None or left[0] != right[0]:
        return None
    written = layout(legacy)
    # In two layouts it is the layout that differs, whatever the moment.
    if written != layout(new):
        return Detection(left[0])
    return Detection(left[0], _tolerance(abs(left[1] - right[1]), place, written))


def _epochs(legacy: float, new: float, place: Place) -> Detection | None:
    left, right = moment(legacy), moment(new)
    if left is None or right is None or left[0] != right[0]:
        return None
    # A number may as well be an id that counts up.
    if type(legacy) is not type(new) or not _TIME_NAME.search(place.name):
        return Detection(left[0])
    # Written as it is: neither as text nor in another unit.
    digits = f"[0-9]{{{len(repr(legacy))}}}" if type(legacy) is int else ""
    return Detection(left[0], _tolerance(abs(left[1] - right[1]), place, digits))


# -- texts -----------------------------------------------------------------------------------------


def _same_but(pattern: re.Pattern[str], legacy: str, new: str) -> bool:
    """Whether the two differ only in what the pattern matches, and it matches something."""
    masked, count = pattern.subn("\0", legacy)
    return bool(count) and masked == pattern.sub("\0", new)


def _jwt(legacy: str, new: str, place: Place) -> Detection | None:
    if _same_but(_JWT, legacy, new):
        signatures = [len(one.rpartition(".")[2]) for one in _JWT.findall(f"{legacy} {new}")]
        low, high = min(signatures), max(signatures)
        pattern = f"{JWT_PATTERN.removesuffix('*')}{{{low},{high}}}"
        return Detection("jwt", make_rule(place, "pattern", pattern=pattern))
    return None


def _uuid(legacy: str, new: str, place: Place) -> Detection | None:
    if _same_but(_UUID, legacy, new):
        found = [*_UUID.findall(legacy), *_UUID.findall(new)]
        return Detection("uuid", make_rule(place, "pattern", pattern=_uuid_pattern(found)))
    return None


def _uuid_pattern(found: list[str]) -> str:
    """UUIDs of the versions and the letter case seen: the nil UUID is none of them."""
    digit = "[0-9a-fA-F]"
    for case, fits in (("[0-9a-f]", str.islower), ("[0-9A-F]", str.isupper)):
        if all(fits(one) or not any(map(str.isalpha, one)) for one in found):
            digit = case
            break
    versions = "".join(sorted({one[14].lower() for one in found}))
    variants = "".join(sorted({*(one[19] for one in found), *"89abAB"}))
    return (
        f"{digit}{{8}}-{digit}{{4}}-[{versions}]{digit}{{3}}-[{variants}]{digit}{{3}}-{digit}{{12}}"
    )


def _naming(name: str, pattern: re.Pattern[str]) -> _DetectText:
    """A detector that names what it knows and proposes nothing."""

    def detector(legacy: str, new: str, place: Place) -> Detection | None:
        return Detection(name) if _same_but(pattern, legacy, new) else None

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
        return Detection("backend_url", make_rule(place, "pattern", pattern=f"(?i){pattern}"))
    return None


def _csrf(legacy: str, new: str, place: Place) -> Detection | None:
    if not _CSRF_NAME.search(place.target) or min(len(legacy), len(new)) < 8:
        return None
    pattern = token_pattern(legacy, new)
    return Detection("csrf_token", make_rule(place, "pattern", pattern=pattern))


def _etag(legacy: str, new: str, place: Place) -> Detection | None:
    return Detection("etag") if place.name.lower() == "etag" else None


def _letter_case(legacy: str, new: str, place: Place) -> Detection | None:
    if legacy.lower() == new.lower() and len(legacy) == len(new):
        return Detection("case", make_rule(place, "case"))
    return None


def _hashed_asset(legacy: str, new: str, place: Place) -> Detection | None:
    """Another build's name of the same file."""
    pattern = hash_pattern(legacy, new)
    if pattern is None:
        return None
    return Detection(
        "hashed_asset", make_rule(place, "pattern", pattern=pattern) if pattern else None
    )


def _random_token(legacy: str, new: str, place: Place) -> Detection | None:
    """One token drawn by lot for another of its form, in texts that are the same around it."""
    left, right = _TOKEN.findall(legacy), _TOKEN.findall(new)
    if len(left) != len(right) or not left or not _same_but(_TOKEN, legacy, new):
        return None
    unequal = [pair for pair in zip(left, right, strict=True) if pair[0] != pair[1]]
    if not all(same_form(*pair) for pair in unequal):
        return None
    patterns = {token_pattern(*pair) for pair in unequal}
    if len(patterns) != 1:
        return Detection("random_token")
    return Detection("random_token", make_rule(place, "pattern", pattern=patterns.pop()))


# -- numbers ---------------------------------------------------------------------------------------


def _counter(legacy: float, new: float, place: Place) -> Detection | None:
    if (
        type(legacy) is int
        and type(new) is int
        and min(legacy, new) >= 0
        and abs(legacy - new) <= 1000
        and _COUNTER_NAME.search(place.name)
    ):
        return Detection("counter")
    return None


def _rounding(legacy: float, new: float, place: Place) -> Detection | None:
    """Numbers that come from two ways to the same sum; a cent is more than that."""
    if type(legacy) is int and type(new) is int:
        return None
    try:
        apart, larger = float(abs(legacy - new)), float(max(abs(legacy), abs(new)))
    except OverflowError:
        return None
    if not math.isfinite(apart) or not math.isfinite(larger):
        return None
    if 0 < apart <= _NOISE_OF_SUMS * larger:
        relative = 10.0 ** math.ceil(math.log10(3 * apart / larger))
        return Detection("rounding", make_rule(place, "number_tolerance", relative=relative))
    return Detection("rounding") if apart < 0.0100001 else None


_TEXT_DETECTORS: tuple[_DetectText, ...] = (
    _backend_url,
    _jwt,
    _uuid,
    _moments,
    _naming("iso_timestamp", _ISO),
    _naming("http_date", _HTTP_DATE),
    _csrf,
    _letter_case,
    _hashed_asset,
    _random_token,
    _etag,
)
_NUMBER_DETECTORS: tuple[_DetectNumber, ...] = (_epochs, _counter, _rounding)
