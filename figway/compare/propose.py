"""What a rule would excuse, in one sentence, for the person who is asked to accept it."""

from __future__ import annotations

from figway.compare.rules import ComparisonRule


def excuses(rule: ComparisonRule | None, example: object = "") -> str:
    """What the rule covers at its target; empty for no rule. `example` is one of the values."""
    if rule is None:
        return ""
    if rule.kind == "time_tolerance":
        written = f", both written like {example}" if rule.pattern else ""
        return f"moments at most {_number(rule.seconds)} seconds apart{written}"
    if rule.kind == "number_tolerance":
        return f"numbers at most {_tolerance(rule)} apart"
    if rule.kind == "pattern":
        return f"any text of the form {rule.pattern} in place of another"
    return _SENTENCES[rule.kind]


_SENTENCES = {
    "ignore": "anything at all, and nothing",
    "unordered": "the same elements in any order",
    "keyed_array": "the same elements, by their key, in any order",
    "case": "the same letters in another case",
    "map_value": "the listed values of legacy for those of new",
    "notation": "the same value in another notation",
    "null_absent": "null in place of nothing, and the other way round",
    "empty_null": "null in place of an empty text, array or object, and the other way round",
}


def _tolerance(rule: ComparisonRule) -> str:
    parts = []
    if rule.absolute:
        parts.append(_number(rule.absolute))
    if rule.relative:
        parts.append(f"{_number(rule.relative * 100)} %")
    return " or ".join(parts)


def _number(value: float) -> str:
    return f"{value:g}"
