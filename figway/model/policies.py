"""The nouns of route policies: what a route asks of requests before anybody serves them.

All are optional; a route without any costs its requests nothing. What may stand in a field is
checked by `figway.validate.policies`, what follows from it is `figway.routing.policy`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from figway.model.words import Side, Strict


class RateKey(StrEnum):
    """What a rate limit counts by."""

    ROUTE = "route"
    CLIENT_ADDRESS = "client_address"
    HEADER = "header"
    COOKIE = "cookie"
    JWT_CLAIM = "jwt_claim"


class RewriteKind(StrEnum):
    """How a path is rewritten."""

    PREFIX = "prefix"
    TEMPLATE = "template"


class JwtAlgorithm(StrEnum):
    """Signatures that a token may carry (RFC 7518, 3.1; RFC 8037); none with a shared secret."""

    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    EDDSA = "EdDSA"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderField(Strict):
    """A header and its value, as they are to be sent."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderEdits(Strict):
    """Headers that are replaced or taken away."""

    set: tuple[HeaderField, ...] = ()
    """Put in place of every header of that name; several of one name are all sent."""
    remove: tuple[str, ...] = ()


NO_EDITS = HeaderEdits()


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRewrite(Strict):
    """Another path for a backend. The query, and every byte that is not replaced, stays."""

    kind: RewriteKind = RewriteKind.PREFIX
    prefix: str = ""
    """prefix: the leading segments that are replaced, such as `/shop`."""
    to: str = ""
    """prefix: what comes in their place, `/v2` or nothing. template: the whole path, with
    variables of the route's template in braces: `/v2/orders/{id}`."""
    sides: tuple[Side, ...] = (Side.NEW,)
    """Whose backends get the rewritten path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPolicy(Strict):
    """Which request bodies are let through."""

    max_bytes: int = 0
    """A longer body gets 413; 0 is no limit of the route's own."""
    content_types: tuple[str, ...] = ()
    """Media types, `application/json` or `image/*`; a body of another type gets 415."""


ANY_BODY = BodyPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance(Strict):
    """An answer that is given to every request in place of a backend's."""

    status: int = 503
    retry_after_s: int = 60
    """For Retry-After; 0 sends none."""
    content_type: str = "text/plain; charset=utf-8"
    """Of `body`."""
    body: str = ""
    """What is sent; a problem document (RFC 9457) when empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit(Strict):
    """So many requests a window (GCRA); more get 429."""

    requests: int
    window_s: int = 1
    """Seconds in which `requests` are allowed."""
    burst: int = 0
    """Requests that may come at once; as many as `requests` when 0."""
    key: RateKey = RateKey.ROUTE
    """Whose requests are counted together; those without the key by client address."""
    key_name: str = ""
    """Name of the header, cookie or claim."""
    name: str = "default"
    """Name of the limit in RateLimit headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRule(Strict):
    """A claim that a token must carry."""

    name: str
    values: tuple[str, ...] = ()
    """Any of these: the claim itself, an item of an array, or a word of `scope`; any value when
    empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtPolicy(Strict):
    """Only requests with a valid bearer token (RFC 6750, RFC 7519) get through."""

    issuer: str
    """`iss` exactly, and where OpenID Connect Discovery finds the keys."""
    audiences: tuple[str, ...] = ()
    """One of them must be in `aud`; not checked when empty."""
    jwks_url: str = ""
    """The issuer's keys, when they are not to be discovered."""
    algorithms: tuple[JwtAlgorithm, ...] = (JwtAlgorithm.RS256, JwtAlgorithm.ES256)
    claims: tuple[ClaimRule, ...] = ()
    """What a token must carry besides; without it 403."""
    leeway_s: int = 60
    """By how much clocks may differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePolicies(Strict):
    """What holds for every request of a route, in this order."""

    maintenance: Maintenance | None = None
    rate_limits: tuple[RateLimit, ...] = ()
    jwt: JwtPolicy | None = None
    """CORS preflights are exempt: they carry no token."""
    body: BodyPolicy = ANY_BODY
    path: PathRewrite | None = None
    request_headers: HeaderEdits = NO_EDITS
    response_headers: HeaderEdits = NO_EDITS


NO_POLICIES = RoutePolicies()
"""What a route has that says nothing. One object, as most routes share it."""
