"""Bearer tokens of requests: the signature, then the claims (RFC 6750, RFC 7515, RFC 7519).

A verification costs tens of microseconds, so what a token led to is remembered until it expires or
the issuer's keys change; the memory is bounded, and a token is known by its hash.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from hashlib import blake2b
from typing import Any, NamedTuple

from figway.message.problem import Problem
from figway.model.policies import JwtPolicy
from figway.serving.claims import Refusal, check, valid_until
from proxy.policies.keys import KeyStore
from proxy.wire.client_head import RequestHead

MAX_TOKEN = 16_384
MAX_KNOWN = 4_096
"""Tokens remembered."""

_MISSING = Problem(
    401,
    "token_missing",
    "A bearer token is required",
    fields=((b"www-authenticate", b"Bearer"),),
)
_UNAVAILABLE = Problem(
    503, "token_keys_unavailable", "Tokens cannot be verified", "The issuer's keys are missing.", 1
)
_UNKNOWN_KEY = Refusal("invalid_token", "The token is signed with an unknown key.")
_MALFORMED = Refusal("invalid_token", "The token is malformed.")
_FORGED = Refusal("invalid_token", "The signature of the token does not hold.")


class _Known(NamedTuple):
    until: int
    refusal: Refusal | None


class TokenCheck:
    """The token policy of one route."""

    def __init__(self, policy: JwtPolicy, store: KeyStore) -> None:
        self._policy = policy
        self._store = store
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._generation = 0
        self._algorithms = [item.value for item in policy.algorithms]

    def problem(self, head: RequestHead, now: int) -> Problem | None:
        """None if the token of a request lets it through at `now`, seconds since the epoch."""
        values = [value for name, value in head.headers if name.lower() == b"authorization"]
        if not values or values[0][:7].lower() != b"bearer ":
            return _MISSING
        if len(values) > 1:  # a backend might believe the other one
            return _refused(Refusal("invalid_request", "More than one Authorization header."))
        token = values[0][7:].strip()
        digest = blake2b(token, digest_size=16).digest()
        if self._generation != self._store.generation:
            self._known.clear()
            self._generation = self._store.generation
        known = self._known.get(digest)
        if known is not None and now < known.until:
            return None if known.refusal is None else _refused(known.refusal)
        if not self._store.ready:
            return _UNAVAILABLE
        outcome = self._verify(token, now)
        if outcome is _UNKNOWN_KEY and self._store.wanted():
            return _UNAVAILABLE  # the key may be new: soon it is known whether it is
        if isinstance(outcome, _Known):
            self._remember(digest, outcome)
            outcome = outcome.refusal
        return None if outcome is None else _refused(outcome)

    def _remember(self, digest: bytes, known: _Known) -> None:
        self._known[digest] = known
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _verify(self, token: bytes, now: int) -> _Known | Refusal | None:
        """What a token leads to; `_Known` if that stays so for a while."""
        if len(token) > MAX_TOKEN or token.count(b".") != 2:
            return _MALFORMED
        header = _header(token)
        if header is None or "crit" in header:
            return _MALFORMED
        if header.get("alg") not in self._algorithms:
            return Refusal("invalid_token", "The token's algorithm is not accepted.")
        kid = header.get("kid", "")
        keys = self._store.keys.get(kid, ()) if isinstance(kid, str) else ()
        if not kid:  # RFC 7517, 4.5: without a key id, any key may be meant
            keys = tuple(key for group in self._store.keys.values() for key in group)
        if not keys:
            return _UNKNOWN_KEY
        claims = self._claims(token, keys)
        if claims is None:
            return _FORGED
        refusal = check(self._policy, claims, now)
        if refusal is None:
            return _Known(valid_until(self._policy, claims), None)
        if refusal.error == "insufficient_scope":
            return _Known(valid_until(self._policy, claims), refusal)
        return refusal

    def _claims(self, token: bytes, keys: tuple[Any, ...]) -> dict[str, Any] | None:
        """The claims, if one of the keys made the signature."""
        # Imported where it is asked for; the keys have loaded it already.
        from joserfc.errors import JoseError
        from joserfc.jws import JWSRegistry, deserialize_compact

        registry = JWSRegistry(algorithms=self._algorithms, strict_check_header=False)
        for key in keys:
            try:
                payload = deserialize_compact(
                    token, key, algorithms=self._algorithms, registry=registry
                ).payload
                claims = json.loads(payload)
            except (JoseError, ValueError, TypeError, RecursionError):
                continue  # the wrong key, the wrong type of key, or no token
            return claims if isinstance(claims, dict) else None
        return None


def _header(token: bytes) -> dict[str, Any] | None:
    from joserfc.util import urlsafe_b64decode

    try:
        header = json.loads(urlsafe_b64decode(token.partition(b".")[0]))
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def _refused(refusal: Refusal) -> Problem:
    value = f'Bearer error="{refusal.error}", error_description="{refusal.detail}"'
    status = 400 if refusal.error == "invalid_request" else refusal.status
    title = "The token is not sufficient" if status == 403 else "The token is not valid"
    code = "token_insufficient" if status == 403 else "token_invalid"
    field = (b"www-authenticate", value.encode("ascii", "replace"))
    return Problem(status, code, title, refusal.detail, fields=(field,))
