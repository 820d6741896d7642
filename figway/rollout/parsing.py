"""Reads a rollout plan from plain data, as YAML or JSON gives it, and writes it down again.

Every mistake is a finding with a place and what to do about it; all of them are found at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from figway.model.table import Stage
from figway.model.words import WEIGHT_SCALE
from figway.rollout.hours import DAYS, clock, days_text
from figway.rollout.plan import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    MOST_STEPS,
    ErrorLimits,
    GateLimits,
    GuardSet,
    LatencyLimits,
    MoveHours,
    OnBreach,
    RolloutPlan,
    RolloutStep,
    Scope,
)
from figway.rollout.presets import PRESETS
from figway.validate.findings import Finding, Findings, Severity

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DURATION = re.compile(r"(\d{1,6})\s*(ms|s|m|h|d)")
_UNITS = {"ms": 1, "s": 1_000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*%")
_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)")
_FIELDS = (
    "id", "preset", "target", "steps", "gates", "guards", "on_breach", "observe", "warmup",
    "window", "stale_after",
)  # fmt: skip


def parse_plan(data: Any, path: str = "rollout") -> tuple[RolloutPlan | None, list[Finding]]:
    """The plan, and what is wrong with it; None when it cannot be made.

    `data` may name a `preset`; what it says itself wins over that.
    """
    reader = _Reader()
    plan = _plan(reader, data, path)
    wrong = any(found.severity is Severity.ERROR for found in reader.found)
    return (None if wrong else plan), reader.found


def _plan(reader: _Reader, given: Any, path: str) -> RolloutPlan | None:
    data = reader.mapping(given, path, _FIELDS)
    if data is None:
        return None
    preset = reader.choice(data, "preset", path, tuple(PRESETS), "")
    data = {**PRESETS.get(preset, {}), **data}
    plan_id = data.get("id")
    if not isinstance(plan_id, str) or not _ID.fullmatch(plan_id):
        reader.wrong(f"{path}.id", "is not an id", "use lower case letters, digits, - _ .")
        plan_id = "-"
    return RolloutPlan(
        id=plan_id,
        scope=_scope(reader, data.get("target"), f"{path}.target"),
        steps=_steps(reader, data.get("steps"), f"{path}.steps"),
        gates=_gates(reader, data.get("gates", {}), f"{path}.gates"),
        guards=_guards(reader, data.get("guards", {}), f"{path}.guards"),
        on_breach=OnBreach(
            reader.choice(data, "on_breach", path, tuple(OnBreach), OnBreach.STEP_BACK)
        ),
        observe=reader.flag(data, "observe", path, False),
        warmup_ms=reader.duration(data, "warmup", path, 2 * MINUTE_MS, most=DAY_MS),
        hours=_hours(reader, data.get("window"), f"{path}.window"),
        stale_after_ms=reader.duration(data, "stale_after", path, 30_000, least=5_000, most=DAY_MS),
    )


class _Reader:
    """Takes fields out of mappings, and notes what is wrong with them."""

    def __init__(self) -> None:
        self._findings = Findings()

    @property
    def found(self) -> list[Finding]:
        return self._findings.found

    def wrong(self, path: str, message: str, todo: str, code: str = "rollout_invalid") -> None:
        self._findings.error(code, path, message, todo)

    def mapping(self, data: Any, path: str, known: Iterable[str]) -> dict[str, Any] | None:
        if not isinstance(data, Mapping):
            self.wrong(path, "is not a mapping", f"give {', '.join(known)}")
            return None
        names = tuple(known)
        for name in data:
            if name not in names:
                message, todo = f"there is no field {_short(name)}", f"use {', '.join(names)}"
                self.wrong(f"{path}.{str(name)[:40]}", message, todo, "rollout_field_unknown")
        return {name: value for name, value in data.items() if name in names}

    def choice(
        self, data: Mapping[str, Any], name: str, path: str, among: tuple[str, ...], default: str
    ) -> str:
        value = data.get(name, default)
        if value == default or (isinstance(value, str) and value in among):
            return str(value)
        self.wrong(f"{path}.{name}", f"{_short(value)} is not known", f"use {', '.join(among)}")
        return default

    def flag(self, data: Mapping[str, Any], name: str, path: str, default: bool) -> bool:
        value = data.get(name, default)
        if isinstance(value, bool):
            return value
        self.wrong(
            f"{path}.{name}", f"{_short(value)} is neither true nor false", "write true or false"
        )
        return default

    def number(
        self, data: Mapping[str, Any], name: str, path: str, default: float,
        least: float, most: float,
    ) -> float:  # fmt: skip
        value = data.get(name, default)
        if (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and (least <= value <= most)
        ):
            return value
        message = f"{_short(value)} is not a number from {least:g} to {most:g}"
        self.wrong(f"{path}.{name}", message, f"such as {default:g}")
        return default

    def duration(
        self, data: Mapping[str, Any], name: str, path: str, default: int,
        least: int = 0, most: int = 90 * DAY_MS,
    ) -> int:  # fmt: skip
        value = data.get(name, default)
        if value == default and not isinstance(value, str):
            return default
        found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
        length = int(found[1]) * _UNITS[found[2]] if found else 0 if value == 0 else -1
        if least <= length <= most:
            return length
        todo = f"write it as 30s, 30m, 2h or 1d; from {span_text(least)} to {span_text(most)}"
        self.wrong(f"{path}.{name}", f"{_short(value)} is not a duration", todo)
        return default

    def percent(
        self, data: Mapping[str, Any], name: str, path: str, default: float, least: float = 0.0
    ) -> float:
        value = data.get(name)
        if value is None:
            return default
        found = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None or float(found[1]) > 100:
            todo = "write it with a per cent sign, such as 5% or 99.5%"
            self.wrong(f"{path}.{name}", f"{_short(value)} is not a share of 100 %", todo)
            return default
        share = float(found[1]) / 100
        if share < least:
            todo = f"write at least {_share(least)}"
            self.wrong(f"{path}.{name}", f"{_short(value)} is too little", todo)
            return default
        return share

    def points(
        self, data: Mapping[str, Any], name: str, path: str, default: float, least: float = 0.0
    ) -> int:
        """A share in basis points; a finer one is none that a table can hold."""
        found = self.percent(data, name, path, default, least) * WEIGHT_SCALE
        if abs(found - round(found)) > 1e-6:
            message = f"{_short(data.get(name))} is finer than a share can be"
            self.wrong(f"{path}.{name}", message, "write it in steps of 0.01%, such as 0.25%")
        return round(found)

    def url(self, data: Mapping[str, Any], name: str, path: str) -> str:
        value = data.get(name, "")
        if value == "" or (
            isinstance(value, str)
            and len(value) <= 2_000
            and value.startswith(("http://", "https://"))
        ):
            return str(value)
        self.wrong(f"{path}.{name}", f"{_short(value)} is not a URL", "begin it with https://")
        return ""


def _short(value: object) -> str:
    """A value as a finding shows it: of a long one the beginning."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _scope(reader: _Reader, given: Any, path: str) -> Scope:
    data = reader.mapping(given, path, ("capability", "route"))
    if data is None:
        return Scope()
    named = [name for name in ("capability", "route") if data.get(name)]
    if len(named) != 1 or not isinstance(data[named[0]], str):
        todo = "write {capability: orders} or {route: orders-list}"
        reader.wrong(path, "names not exactly one capability or route", todo, "rollout_scope")
        return Scope()
    return Scope(**{named[0]: data[named[0]]})


def _steps(reader: _Reader, given: Any, path: str) -> tuple[RolloutStep, ...]:
    if isinstance(given, list) and len(given) > MOST_STEPS:
        message, todo = f"has {len(given)} steps", f"list at most {MOST_STEPS}"
        reader.wrong(path, message, todo, "rollout_steps_empty")
        return ()
    if not isinstance(given, list) or not given:
        todo = f"list 1 to {MOST_STEPS} steps, or name a preset: {', '.join(PRESETS)}"
        reader.wrong(path, "is not a list of steps", todo, "rollout_steps_empty")
        return ()
    steps = tuple(_step(reader, entry, f"{path}[{n}]") for n, entry in enumerate(given))
    for number, (before, after) in enumerate(pairwise(steps), 1):
        if after.placement.exposure <= before.placement.exposure:
            message = f"{after.placement} does not go further than {before.placement}"
            todo = "let every step go further towards new"
            reader.wrong(f"{path}[{number}]", message, todo, "rollout_steps_order")
    return steps


def _step(reader: _Reader, given: Any, path: str) -> RolloutStep:
    data = reader.mapping(given, path, ("stage", "weight", "sample", "hold", "approve"))
    if data is None:
        return RolloutStep(stage=Stage.NEW)
    stages = ("shadow", "canary", "new")
    chosen = reader.choice(data, "stage", path, stages, "")
    if not chosen and "stage" in data:
        return RolloutStep(stage=Stage.NEW)
    stage = Stage(chosen or "canary")
    weight = 0
    if stage is Stage.CANARY:
        weight = reader.points(data, "weight", path, 0, least=0.0001)
        if data.get("weight") is None:
            reader.wrong(f"{path}.weight", "is missing", "write a share, such as 5%")
    elif "weight" in data:
        todo = f"leave it out, or leave out stage {stage.value}"
        reader.wrong(f"{path}.weight", "only a canary has a weight", todo)
    sample = None
    if "sample" in data:
        sample = reader.points(data, "sample", path, 1)
    hold = reader.duration(data, "hold", path, 0)
    approve = reader.flag(data, "approve", path, False)
    return RolloutStep(stage=stage, weight=weight, sample=sample, hold_ms=hold, approve=approve)


_GATES = ("parity", "shapes", "min_distinct", "max_one", "errors", "latency", "webhook")


def _gates(reader: _Reader, given: Any, path: str) -> GateLimits:
    data = reader.mapping(given, path, _GATES) or {}
    parity: float | None = 0.995
    if data.get("parity") is False:
        parity = None
    elif "parity" in data:
        parity = reader.percent(data, "parity", path, 0.995)
        if not 0.5 <= parity < 1:
            message = "agreement of 100 % can never be proven, and under 50 % is none"
            reader.wrong(f"{path}.parity", message, "write 99%, 99.5% or 99.9%, or false")
    return GateLimits(
        parity=parity,
        shapes=reader.flag(data, "shapes", path, True),
        min_distinct=int(reader.number(data, "min_distinct", path, 50, 0, 100_000)),
        max_one=reader.percent(data, "max_one", path, 0.5, least=0.01),
        errors=_errors(reader, data.get("errors", {}), f"{path}.errors"),
        latency=_latency(reader, data.get("latency", {}), f"{path}.latency"),
        webhook=reader.url(data, "webhook", path),
    )


def _errors(reader: _Reader, given: Any, path: str) -> ErrorLimits | None:
    if given is False:
        return None
    data = reader.mapping({} if given is True else given, path, ("ratio", "floor")) or {}
    floor = reader.percent(data, "floor", path, 0.001)
    if not 0 < floor <= 0.5:
        reader.wrong(f"{path}.floor", "is not above 0 % and up to 50 %", "write 0.1%")
        floor = 0.001
    return ErrorLimits(ratio=reader.number(data, "ratio", path, 1.5, 1.0, 100.0), floor=floor)


def _latency(reader: _Reader, given: Any, path: str) -> LatencyLimits | None:
    if given is False:
        return None
    known = ("quantile", "ratio", "floor_ms")
    data = reader.mapping({} if given is True else given, path, known) or {}
    return LatencyLimits(
        quantile=reader.number(data, "quantile", path, 0.95, 0.5, 0.999),
        ratio=reader.number(data, "ratio", path, 1.25, 1.0, 100.0),
        floor_ms=int(reader.number(data, "floor_ms", path, 20, 0, 60_000)),
    )


_GUARDS = ("breaker", "parity", "errors", "latency", "budget")


def _guards(reader: _Reader, given: Any, path: str) -> GuardSet:
    data = reader.mapping(given, path, (*_GUARDS, "webhook")) or {}
    flags = {name: reader.flag(data, name, path, True) for name in _GUARDS}
    return GuardSet(**flags, webhook=reader.url(data, "webhook", path))


def _hours(reader: _Reader, given: Any, path: str) -> MoveHours | None:
    if given is None:
        return None
    data = reader.mapping(given, path, ("days", "hours", "zone")) or {}
    days = parse_days(data.get("days", "mon-sun"))
    hours = data.get("hours", "00:00-24:00")
    found = _CLOCK.fullmatch(hours.replace(" ", "")) if isinstance(hours, str) else None
    zone = data.get("zone", "UTC")
    begin, end = (
        (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4]))
        if (found)
        else (0, 24 * 60)
    )
    code = "rollout_hours_invalid"
    if days is None:
        message = f"{_short(data.get('days'))} are no days"
        reader.wrong(f"{path}.days", message, "write mon-thu, or mon,wed,fri", code)
    if found is None or end > 24 * 60 or begin >= 24 * 60:
        reader.wrong(f"{path}.hours", f"{_short(hours)} are no hours", 'write "09:00-16:00"', code)
    if not isinstance(zone, str) or not zone or len(zone) > 64:
        reader.wrong(
            f"{path}.zone", f"{_short(zone)} is no zone", "write Europe/Berlin, or UTC", code
        )
        zone = "UTC"
    return MoveHours(days=days or frozenset(range(7)), begin=begin, end=end, zone=zone)


def parse_window(data: Any, path: str) -> tuple[MoveHours | None, list[Finding]]:
    """Days and hours by themselves, and what is wrong with them."""
    reader = _Reader()
    hours = _hours(reader, data, path)
    return (None if reader.found else hours), reader.found


def parse_days(given: Any) -> frozenset[int] | None:
    """`mon-thu`, `mon,wed`, `fri-mon`, or a list of days, as numbers; None if they are none."""
    parts = given if isinstance(given, list) else str(given).lower().split(",")
    found: set[int] = set()
    for part in parts:
        first, _, last = str(part).strip().lower().partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            return None
        start, end = DAYS.index(first), DAYS.index(last or first)
        found.update((start + n) % 7 for n in range((end - start) % 7 + 1))
    return frozenset(found) if found else None


# -- writing -----------------------------------------------------------------------------------


def span_text(ms: int) -> str:
    """A duration as it is written in a plan: `30m`, `1d`."""
    for unit in ("d", "h", "m", "s"):
        if ms and ms % _UNITS[unit] == 0:
            return f"{ms // _UNITS[unit]}{unit}"
    return f"{ms}ms" if ms else "0s"


def _share(share: float) -> str:
    return f"{round(share * 100, 6):g}%"


def plan_to_data(plan: RolloutPlan) -> dict[str, Any]:
    """The plan as plain data, whole: `parse_plan` of it is the same plan."""
    data: dict[str, Any] = {
        "id": plan.id,
        "target": {"capability": plan.scope.capability}
        if plan.scope.capability
        else {"route": plan.scope.route},
        "steps": [_step_to_data(entry) for entry in plan.steps],
        "gates": _gates_to_data(plan.gates),
        "guards": {name: getattr(plan.guards, name) for name in _GUARDS},
        "on_breach": plan.on_breach.value,
        "observe": plan.observe,
        "warmup": span_text(plan.warmup_ms),
        "stale_after": span_text(plan.stale_after_ms),
    }
    if plan.guards.webhook:
        data["guards"]["webhook"] = plan.guards.webhook
    if plan.hours is not None:
        data["window"] = window_to_data(plan.hours)
    return data


def window_to_data(hours: MoveHours) -> dict[str, Any]:
    """Days and hours as plain data."""
    return {
        "days": days_text(hours.days),
        "hours": f"{clock(hours.begin)}-{clock(hours.end)}",
        "zone": hours.zone,
    }


def _step_to_data(entry: RolloutStep) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if entry.stage is Stage.CANARY:
        data["weight"] = _share(entry.weight / WEIGHT_SCALE)
    else:
        data["stage"] = entry.stage.value
    if entry.sample is not None:
        data["sample"] = _share(entry.sample / WEIGHT_SCALE)
    if entry.hold_ms:
        data["hold"] = span_text(entry.hold_ms)
    if entry.approve:
        data["approve"] = True
    return data


def _gates_to_data(gates: GateLimits) -> dict[str, Any]:
    errors, latency = gates.errors, gates.latency
    data: dict[str, Any] = {
        "parity": False if gates.parity is None else _share(gates.parity),
        "shapes": gates.shapes,
        "min_distinct": gates.min_distinct,
        "max_one": _share(gates.max_one),
        "errors": errors and {"ratio": errors.ratio, "floor": _share(errors.floor)},
        "latency": latency
        and {
            "quantile": latency.quantile,
            "ratio": latency.ratio,
            "floor_ms": latency.floor_ms,
        },
    }
    for name in ("errors", "latency"):
        data[name] = data[name] or False
    if gates.webhook:
        data["webhook"] = gates.webhook
    return data
