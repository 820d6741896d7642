"""Whether the claims of a token, whose signature holds, let a request through (RFC 7519, 4.1).

Two refusals are told apart: a token that is not valid here and now (401), and a valid one that
lacks what the route asks for (403, RFC 6750, 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from figway.model.policies import ClaimRule, JwtPolicy

_LARGEST = 1 << 53


class Refusal(NamedTuple):
    """Why a token does not do: the error code of RFC 6750 and a text for people."""

    error: str
    detail: str

    @property
    def status(self) -> int:
        return 403 if self.error == "insufficient_scope" else 401


def check(policy: JwtPolicy, claims: Mapping[str, Any], now: int) -> Refusal | None:
    """None if `claims` satisfy `policy` at `now`, in seconds since the epoch."""
    if claims.get("iss") != policy.issuer:
        return _invalid("The token is of another issuer.")
    if policy.audiences and not set(policy.audiences) & _texts(claims.get("aud")):
        return _invalid("The token is for another audience.")
    expires = _time(claims.get("exp"))
    if expires is None:
        return _invalid("The token does not say when it expires.")
    if now >= expires + policy.leeway_s:
        return _invalid("The token has expired.")
    for name in ("nbf", "iat"):
        if name not in claims:
            continue
        when = _time(claims[name])
        if when is None or now < when - policy.leeway_s:
            return _invalid("The token is not valid yet.")
    for rule in policy.claims:
        if not _holds(rule, claims):
            return Refusal("insufficient_scope", f"The token lacks the claim {rule.name}.")
    return None


def valid_until(policy: JwtPolicy, claims: Mapping[str, Any]) -> int:
    """When `check` begins to refuse claims that it takes now, in seconds since the epoch."""
    return (_time(claims.get("exp")) or 0) + policy.leeway_s


def _invalid(detail: str) -> Refusal:
    return Refusal("invalid_token", detail)


def _time(value: Any) -> int | None:
    """A NumericDate; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if -_LARGEST < value < _LARGEST else None


def _texts(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    return {item for item in value if isinstance(item, str)} if isinstance(value, list) else set()


def _holds(rule: ClaimRule, claims: Mapping[str, Any]) -> bool:
    value = claims.get(rule.name)
    if value is None:
        return False
    if not rule.values:
        return True
    if rule.name in ("scope", "scp") and isinstance(value, str):
        values = set(value.split(" "))
    elif isinstance(value, bool):
        values = {"true" if value else "false"}
    elif isinstance(value, int):
        values = {str(value)}
    else:
        values = _texts(value)
    return not values.isdisjoint(rule.values)
