"""The nouns of a migration: capabilities, routes, and the table that holds them and their backends.

Everything here, in `figway.model.backend` and in `figway.model.comparison` is an immutable value
without behaviour. What may stand in a field is checked by `figway.validate.table`; how a value is
written down is the business of `figway.model.codec`. Durations are milliseconds and sizes are bytes
unless a name says otherwise; a weight is in basis points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from figway.model.backend import Backend
from figway.model.comparison import PLAIN_COMPARISON, ComparisonPolicy, ShadowPolicy
from figway.model.operations import FaultKind, OperationMatch
from figway.model.policies import NO_POLICIES, RoutePolicies
from figway.model.words import Strict


class Stage(StrEnum):
    """Where a route stands on its way from legacy to new."""

    LEGACY = "legacy"
    SHADOW = "shadow"
    CANARY = "canary"
    NEW = "new"
    RETIRED = "retired"


class KeySource(StrEnum):
    """Where a sticky key is read from."""

    COOKIE = "cookie"
    HEADER = "header"
    JWT_CLAIM = "jwt_claim"
    CLIENT_ADDRESS = "client_address"


class ConditionKind(StrEnum):
    """How a header, query parameter or cookie is held against a condition."""

    EXACT = "exact"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    CONTAINS = "contains"
    PRESENT = "present"
    ABSENT = "absent"


class BreakerForce(StrEnum):
    """An operator's override of a breaker."""

    NONE = "none"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StickyKey(Strict):
    """One link of the chain that a capability reads its sticky key from."""

    source: KeySource
    name: str = ""
    """Cookie, header or claim name; the claim is read from the Authorization bearer token."""


DEFAULT_COOKIE = "figway_id"


class SameSite(StrEnum):
    """With which requests browsers send a cookie (RFC 6265bis, 5.6.7)."""

    LAX = "Lax"
    STRICT = "Strict"
    NONE = "None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability(Strict):
    """A piece of functionality that moves as one journey: groups routes and owns their salt."""

    id: str
    salt: str = ""
    """Separates this capability's buckets from others'; its id when empty."""
    sticky: tuple[StickyKey, ...] = (StickyKey(source=KeySource.COOKIE, name=DEFAULT_COOKIE),)
    """Where the sticky key comes from: the first that the request carries."""
    issue_cookie: bool = True
    """Issue the first cookie of the chain to clients that bring no key; else their address."""
    cookie_same_site: SameSite = SameSite.LAX
    """SameSite of the issued cookie; `None` also makes it Secure."""
    cookie_domain: str = ""
    """Domain of the issued cookie; the host that was asked alone when empty."""
    cookie_max_age_s: int = 31_536_000
    """Seconds that a browser keeps the issued cookie; 0 until it is closed."""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(Strict):
    """What a header, query parameter or cookie must look like. Values compare as sent."""

    name: str
    kind: ConditionKind = ConditionKind.EXACT
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMatch(Strict):
    """Which requests belong to a route."""

    path: str
    """Path template: `/orders/{id}`, `/files/{rest=**}`; whole raw segments only."""
    hosts: tuple[str, ...] = ()
    """Hosts without port, exact or `*.example.com`; any when empty."""
    methods: tuple[str, ...] = ()
    """Methods, upper case; any when empty."""
    headers: tuple[Condition, ...] = ()
    query: tuple[Condition, ...] = ()
    cookies: tuple[Condition, ...] = ()
    operation: OperationMatch | None = None
    """Which operations inside the path, told by the body: GraphQL, SOAP, JSON-RPC, forms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackPolicy(Strict):
    """When legacy serves because new could not; only before the first byte reaches the client."""

    enabled: bool = True
    statuses: tuple[int, ...] = (502, 503, 504)
    """Statuses of new that count as "could not"."""
    idempotent_methods: bool = False
    """Also repeat PUT and DELETE, as both sides treat them as idempotent (RFC 9110, 9.2.2)."""
    idempotency_key: bool = False
    """Both sides honour `Idempotency-Key`, so that a keyed write may be repeated."""
    replay_buffer: int = 65_536
    """Body bytes kept for a second attempt; a larger body streams and forfeits it."""
    deadline_ms: int = 60_000
    """Until the response head, over all attempts together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy(Strict):
    """When new is left alone for a while, per route and backend."""

    enabled: bool = True
    window_ms: int = 30_000
    min_calls: int = 20
    failure_percent: int = 50
    slow_ms: int = 0
    """A response head later than this counts as a failure; 0 counts none."""
    open_ms: int = 10_000
    """First open time; doubles while probes fail."""
    max_open_ms: int = 300_000
    probes: int = 3
    """Concurrent probes while half-open."""
    ramp_ms: int = 10_000
    """Time over which the share of requests rises from nothing to all after recovery."""
    force: BreakerForce = BreakerForce.NONE
    healthy_statuses: tuple[int, ...] = ()
    """Statuses from 500 that are answers here, as 500 is for a SOAP fault: they open no breaker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Strict):
    """A match plus a policy."""

    id: str
    match: RouteMatch
    stage: Stage = Stage.LEGACY
    weight: int = 0
    """Share of sticky keys that new serves in stage canary, in basis points."""
    legacy: str = ""
    """Backend of side legacy; the table's default when empty."""
    new: str = ""
    """Backend of side new; may be empty only in stage legacy."""
    capability: str = ""
    """The capability it moves with; a route without one is one of its own."""
    fallback: FallbackPolicy = field(default_factory=FallbackPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    shadow: ShadowPolicy = field(default_factory=ShadowPolicy)
    comparison: ComparisonPolicy = PLAIN_COMPARISON
    policies: RoutePolicies = NO_POLICIES
    """What is asked of requests, and changed in them, before and after a backend serves."""
    reads: tuple[str, ...] = ()
    """Methods of this route that only read, besides the safe ones: a `POST` that searches. Such a
    request may be copied, asked again, replayed, exported, and repeated where new fails."""
    faults: FaultKind = FaultKind.AUTO
    """Which answers are faults: rated and compared as answers, whatever their status."""
    evidence_since: int = 0
    """The revision that began the present evidence: its last match, rule or backend. Set by the
    control plane."""
    description: str = ""


def _no_items() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Strict):
    """An immutable set of routes and backends; the unit that proxies pull and swap."""

    default_backend: str = ""
    """Backend that serves what no route matches: legacy."""
    kill_switch: bool = False
    """Send everything to legacy, whatever the routes say."""
    refuse_other_spellings: bool = True
    """Answer 400 where another spelling of a path could meet a guarded or retired route."""
    backends: Mapping[str, Backend] = field(default_factory=_no_items)
    capabilities: Mapping[str, Capability] = field(default_factory=_no_items)
    routes: Mapping[str, Route] = field(default_factory=_no_items)

    def capability_of(self, route: Route) -> Capability:
        """The capability that `route` moves with: the named one, or one of its own."""
        return self.capabilities.get(route.capability) or Capability(id=route.id)

    def legacy_of(self, route: Route) -> str:
        """Id of the backend that serves `route` on side legacy."""
        return route.legacy or self.default_backend
