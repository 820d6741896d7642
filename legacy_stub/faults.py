"""Faults on request: what to break, for which requests, how often."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from legacy_stub.answers import ApiError, invalid

KINDS = ("status", "delay", "reset", "truncate", "hang", "server_error")


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail. `value` is a status, milliseconds or bytes, by kind; None is its default."""

    kind: str
    value: int | None = None
    after: bool = False


@dataclass(slots=True)
class _Rule:
    id: int
    path: str
    method: str | None
    fault: Fault
    times: int | None

    def covers(self, method: str, path: str) -> bool:
        if self.method not in (None, method):
            return False
        if self.path.endswith("*"):
            return path.startswith(self.path[:-1])
        return path == self.path


class FaultPlan:
    """The rules in force, oldest first; each is used up after `times`."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._last = 0

    def add(self, wanted: dict[str, object]) -> dict[str, object]:
        """Add a rule as the test API spells it. Raises `ApiError` (422)."""
        path, method, times = wanted.get("path"), wanted.get("method"), wanted.get("times", 1)
        if not isinstance(path, str) or not path.startswith("/"):
            raise invalid("path", "path must begin with a slash.")
        if method is not None and not isinstance(method, str):
            raise invalid("method", "method must be text.")
        if times is not None and (not isinstance(times, int) or times < 1):
            raise invalid("times", "times must be at least 1, or null for ever.")
        if wanted.get("when", "before") not in ("before", "after"):
            raise invalid("when", "when is before or after.")
        fault = _fault(wanted.get("kind"), wanted.get("value"), wanted.get("when") == "after")
        self._last += 1
        rule = _Rule(self._last, path, method.upper() if method else None, fault, times)
        self._rules.append(rule)
        return _described(rule)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for a request, counted as used."""
        for rule in self._rules:
            if rule.covers(method, path):
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times == 0:
                        self._rules.remove(rule)
                return rule.fault
        return None

    def all(self) -> list[dict[str, object]]:
        """The rules in force."""
        return [_described(rule) for rule in self._rules]

    def clear(self) -> None:
        """Forget all rules."""
        self._rules.clear()


def fault_of_header(text: str) -> Fault:
    """The fault that `X-Stub-Fault` asks for. Raises `ApiError` (422)."""
    spelled, _, when = text.partition(";")
    kind, _, value = spelled.strip().partition("=")
    if when.strip() not in ("", "after"):
        raise invalid("X-Stub-Fault", "Only after may follow the semicolon.")
    if value and not (value.isascii() and value.isdigit()):
        raise invalid("X-Stub-Fault", "The value must be a number.")
    return _fault(kind, int(value) if value else None, when.strip() == "after")


def _fault(kind: object, value: object, after: bool) -> Fault:
    if not isinstance(kind, str) or kind not in KINDS:
        raise invalid("kind", f"kind is one of {', '.join(KINDS)}.")
    if value is not None and (type(value) is not int or value < 0):
        raise invalid("value", "value must be a whole number.")
    if kind == "status" and value is not None and not 200 <= value <= 599:
        raise invalid("value", "A status is from 200 to 599.")
    return Fault(kind, value, after)


def _described(rule: _Rule) -> dict[str, object]:
    fault = asdict(rule.fault)
    when = "after" if fault.pop("after") else "before"
    about = {"id": rule.id, "path": rule.path, "method": rule.method}
    return {**about, **fault, "when": when, "times": rule.times}


def refusal(status: int) -> ApiError:
    """The error that a `status` fault answers with."""
    return ApiError(status, "injected", "This failure was asked for.")
