"""Ranges and spellings that single fields must keep to."""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from figway.model.backend import (
    AwsResource,
    ConnectionLimits,
    FallbackBudgetPolicy,
    HealthPolicy,
    OutlierPolicy,
    RedisStream,
    RetryPolicy,
    Timeouts,
)
from figway.model.comparison import ComparisonPolicy, ShadowPolicy
from figway.model.policies import BodyPolicy, JwtPolicy, Maintenance, RateLimit
from figway.model.table import BreakerPolicy, FallbackPolicy
from figway.validate.findings import Findings
from figway.validate.sizes import MAX_TEXT

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_MEBIBYTE = 1_048_576

_Ranges = tuple[tuple[str, int, int, str], ...]
_RANGES: dict[type, _Ranges] = {
    Timeouts: (
        ("connect_ms", 1, _MINUTE, "timeout_range"),
        ("head_ms", 0, _HOUR, "timeout_range"),
        ("idle_ms", 1, _DAY, "timeout_range"),
    ),
    ConnectionLimits: (
        ("max_connections", 1, 65_535, "limit_range"),
        ("max_waiting", 0, 1_000_000, "limit_range"),
        ("wait_ms", 0, _MINUTE, "limit_range"),
        ("keep_alive_ms", 0, _HOUR, "limit_range"),
        ("max_age_ms", 0, 24 * _HOUR, "limit_range"),
        ("max_lasting", 0, 65_535, "limit_range"),
    ),
    AwsResource: (("retry_after_s", 0, 604_800, "retry_after_range"),),
    RedisStream: (
        ("max_length", 0, 1_000_000_000, "stream_range"),
        ("dedupe_s", 0, 604_800, "stream_range"),
    ),
    FallbackBudgetPolicy: (
        ("percent", 0, 1_000, "budget_range"),
        ("min_per_s", 0, 1_000_000, "budget_range"),
        ("carried_percent", 0, 1_000, "budget_range"),
    ),
    FallbackPolicy: (
        ("replay_buffer", 0, 16 * _MEBIBYTE, "fallback_range"),
        ("deadline_ms", 1, _HOUR, "fallback_range"),
    ),
    BreakerPolicy: (
        ("window_ms", 1_000, _HOUR, "breaker_range"),
        ("min_calls", 1, 1_000_000, "breaker_range"),
        ("failure_percent", 1, 100, "breaker_range"),
        ("slow_ms", 0, _HOUR, "breaker_range"),
        ("open_ms", 100, _HOUR, "breaker_range"),
        ("max_open_ms", 100, _DAY, "breaker_range"),
        ("probes", 1, 1_000, "breaker_range"),
        ("ramp_ms", 0, _HOUR, "breaker_range"),
    ),
    ShadowPolicy: (
        ("sample", 0, 10_000, "sample_range"),
        ("body_limit", 0, 16 * _MEBIBYTE, "body_limit_range"),
    ),
    ComparisonPolicy: (("noise_sample", 0, 10_000, "noise_sample_range"),),
    OutlierPolicy: (
        ("failures", 1, 10_000, "outlier_range"),
        ("eject_ms", 100, _HOUR, "outlier_range"),
        ("max_percent", 0, 100, "outlier_range"),
    ),
    HealthPolicy: (
        ("interval_ms", 100, _HOUR, "health_range"),
        ("timeout_ms", 10, _MINUTE, "health_range"),
        ("healthy", 1, 100, "health_range"),
        ("unhealthy", 1, 100, "health_range"),
    ),
    RetryPolicy: (
        ("percent", 0, 1_000, "budget_range"),
        ("min_per_s", 0, 1_000_000, "budget_range"),
    ),
    Maintenance: (
        ("status", 200, 599, "policy_range"),
        ("retry_after_s", 0, 604_800, "policy_range"),
    ),
    RateLimit: (
        ("requests", 1, 1_000_000, "policy_range"),
        ("window_s", 1, 86_400, "policy_range"),
        ("burst", 0, 1_000_000, "policy_range"),
    ),
    BodyPolicy: (("max_bytes", 0, 1 << 50, "policy_range"),),
    JwtPolicy: (("leeway_s", 0, 3_600, "policy_range"),),
}
_GETTERS: dict[type, Callable[[Any], Any]] = {
    cls: attrgetter(*(name for name, *_ in ranges)) for cls, ranges in _RANGES.items()
}

ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}").fullmatch
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
"""RFC 9110, 5.6.2: methods, field names, cookie names."""
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = rf"{_LABEL}(?:\.{_LABEL})*"
_IPV6 = r"\[[0-9a-f:.]+\]"
ROUTE_HOST = re.compile(rf"(?:\*\.)?{_NAME}|{_IPV6}").fullmatch
"""A host that a route names: lower case, without port, `*.` in front at most."""
LITERAL_HOST = re.compile(rf"(?:{_NAME}|{_IPV6})(?::[0-9]{{1,5}})?", re.IGNORECASE).fullmatch
FUNCTION = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:)?"
    r"[A-Za-z0-9_-]{1,140}(?::[A-Za-z0-9$_-]{1,128})?"
).fullmatch
VISIBLE = re.compile(r"[\x21-\x7e]*").fullmatch


def check_ranges(value: object, path: str, findings: Findings) -> None:
    """Report the numbers of a policy that are out of their range."""
    numbers = _GETTERS[type(value)](value)
    if len(_RANGES[type(value)]) == 1:  # attrgetter of one name gives no tuple
        numbers = (numbers,)
    for (name, low, high, code), number in zip(_RANGES[type(value)], numbers, strict=True):
        if not low <= number <= high:
            message = f"{number} is out of range"
            findings.error(code, f"{path}.{name}", message, f"use {low} to {high}")


def check_text(text: str, path: str, findings: Findings, *, lines: bool = False) -> None:
    """Report a text that cannot be stored or sent; `lines` permits line breaks and tabs."""
    if text == "" or text.isprintable() or len(text) > MAX_TEXT:  # too long: reported as such
        return
    bare = re.sub(r"[\r\n\t\u2028\u2029]", "", text) if lines else text
    if any(_is_bad(character) for character in bare):
        what = "the text holds control characters or broken Unicode"
        findings.error("text_invalid", path, what, "remove them")


def _is_bad(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f" or "\ud800" <= character <= "\udfff"
