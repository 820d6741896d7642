"""Whether a rule covers one pair of differing values."""

from __future__ import annotations

from collections.abc import Iterable

from figway.compare.canonical.json import Value, same_scalar
from figway.compare.moments import moment
from figway.compare.patterns import matches_whole, substitute
from figway.compare.rules import ComparisonRule

_LONGEST_FOR_PATTERNS = 1_000_000


def covered_by(rules: Iterable[ComparisonRule], kind: str, legacy: Value, new: Value) -> str | None:
    """The id of the first rule that covers this difference.

    `kind` is the difference's kind: only `ignore` covers a value that is missing on a side or of
    another type, but for `map_value` and `time_tolerance`, which may cross types.
    """
    for rule in rules:
        if (
            rule.kind == "ignore"
            or (kind in ("changed", "type") and _covers(rule, kind, legacy, new))
            or (kind == "notation" and _covers_notation(rule, legacy, new))
            or (rule.kind == "null_absent" and _null_absent(kind, legacy, new))
            or (rule.kind == "empty_null" and kind == "type" and _empty_null(legacy, new))
        ):
            return rule.id
    return None


def _null_absent(kind: str, legacy: Value, new: Value) -> bool:
    """A member that is null on one side and absent on the other."""
    return kind in ("missing", "added") and legacy is None and new is None


def _empty_null(legacy: Value, new: Value) -> bool:
    """Null on one side; an empty text, array or object on the other."""
    other = new if legacy is None else legacy
    return None in (legacy, new) and other in ("", [], {})


def _covers_notation(rule: ComparisonRule, legacy: Value, new: Value) -> bool:
    return rule.kind == "notation" or (
        rule.kind in ("map_value", "time_tolerance", "pattern")
        and _covers(rule, "changed", legacy, new)
    )


def _covers(rule: ComparisonRule, kind: str, legacy: Value, new: Value) -> bool:
    if rule.kind == "map_value":
        return any(same_scalar(legacy, a) and same_scalar(new, b) for a, b in rule.pairs)
    if rule.kind == "time_tolerance":
        left, right = moment(legacy), moment(new)
        near = bool(left and right and abs(left[1] - right[1]) <= rule.seconds)
        if rule.pattern and kind == "type":
            return False
        return near and all(_written_so(rule, side) for side in (legacy, new))
    if kind == "type":
        return False
    if rule.kind == "number_tolerance":
        return _near(rule, legacy, new)
    if rule.kind == "pattern":
        return _same_masked(rule.pattern, legacy, new)
    if not isinstance(legacy, str) or not isinstance(new, str):
        return False
    if rule.kind == "case":
        return legacy.casefold() == new.casefold()
    # A header whose value is a list (RFC 9110 section 5.6.1).
    return rule.kind == "unordered" and sorted(_list(legacy)) == sorted(_list(new))


def _written_so(rule: ComparisonRule, value: Value) -> bool:
    text = _as_text(value)
    return not rule.pattern or (text is not None and matches_whole(rule.pattern, text))


def _near(rule: ComparisonRule, legacy: Value, new: Value) -> bool:
    left, right = _number(legacy), _number(new)
    if left is None or right is None:
        return False
    larger = max(abs(left), abs(right))
    # 1.01 and 1.0 are a hair more than 0.01 apart in binary, which no one who writes 0.01 means.
    apart = abs(left - right) - 1e-12 * larger
    return apart <= rule.absolute or apart <= rule.relative * larger


def _number(value: Value) -> float | None:
    """The number, also when a header, a form or XML writes it as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number - number == 0 else None


def _same_masked(pattern: str, legacy: Value, new: Value) -> bool:
    left, right = _as_text(legacy), _as_text(new)
    if left is None or right is None:
        return False
    return substitute(pattern, "\0", left) == substitute(pattern, "\0", right)


def _as_text(value: Value) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    return value if isinstance(value, str) and len(value) <= _LONGEST_FOR_PATTERNS else None


def _list(header: str) -> list[str]:
    return [part.strip() for part in header.split(",")]
