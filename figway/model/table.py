"""The nouns of a migration: backends, capabilities, routes, and the table that holds them.

Everything here is an immutable value without behaviour. What may stand in a field is checked by
`figway.validate.table`; how a value is written down is the business of `figway.model.codec`.
Durations are milliseconds and sizes are bytes unless a name says otherwise; a weight is in basis
points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from figway.model.operations import FaultKind, OperationMatch
from figway.model.policies import NO_POLICIES, RoutePolicies
from figway.model.words import HtmlView, Strict
from figway.model.words import Side as Side

WEIGHT_SCALE = 10_000
"""Basis points in the whole: a weight of 10 000 sends every sticky key to new."""


class Stage(StrEnum):
    """Where a route stands on its way from legacy to new."""

    LEGACY = "legacy"
    SHADOW = "shadow"
    CANARY = "canary"
    NEW = "new"
    RETIRED = "retired"


class BackendKind(StrEnum):
    """How a backend is spoken to."""

    HTTP = "http"
    LAMBDA = "lambda"
    QUEUE = "queue"
    """A message to an SQS queue; the client is answered 202."""
    EVENTS = "events"
    """An event on an EventBridge bus or an SNS topic; the client is answered 202."""
    WORKFLOW = "workflow"
    """An execution of a Step Functions state machine: its result, or 202."""


class WorkflowMode(StrEnum):
    """Whether the client waits for an execution."""

    SYNC = "sync"
    """It gets the result: an express state machine, five minutes at most."""
    START = "start"
    """It gets 202 and a place to ask later."""


class HostPolicy(StrEnum):
    """Which Host a backend is sent: the client's, the backend's own, or a literal."""

    PRESERVE = "preserve"
    BACKEND = "backend"
    LITERAL = "literal"


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


class RuleKind(StrEnum):
    """What a comparison rule permits at its target; `figway.compare.rules` says how."""

    IGNORE = "ignore"
    NUMBER_TOLERANCE = "number_tolerance"
    TIME_TOLERANCE = "time_tolerance"
    UNORDERED = "unordered"
    KEYED_ARRAY = "keyed_array"
    CASE = "case"
    MAP_VALUE = "map_value"
    PATTERN = "pattern"
    NOTATION = "notation"
    NULL_ABSENT = "null_absent"
    EMPTY_NULL = "empty_null"
    NAME_STYLE = "name_style"
    REFERENCE = "reference"


class NoiseWord(StrEnum):
    """A person's word on a field: differences there are noise, or they are not."""

    NOISE = "noise"
    SIGNAL = "signal"


class LegacyReads(StrEnum):
    """When a user's read may be sent to legacy once more, to tell noise from differences."""

    CACHEABLE = "cacheable"
    """Where legacy itself marks its answer as storable or gives a validator, without cookies."""
    ALLOWED = "allowed"
    """A person says that legacy bears it: reads of this route change nothing, and cost little."""
    NEVER = "never"
    """Not at all: natural repeats and forms have to do."""


class BreakerForce(StrEnum):
    """An operator's override of a breaker."""

    NONE = "none"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts(Strict):
    """How long a backend may take, per attempt, in milliseconds."""

    connect_ms: int = 2_000
    """To open a connection, TLS included."""
    head_ms: int = 0
    """From the request being sent to the response head; 0 is 10 s for new, which leaves legacy its
    time, and 30 s for legacy."""
    idle_ms: int = 60_000
    """Between two pieces of a body. Does not apply to upgraded connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits(Strict):
    """What one worker may open towards a backend."""

    max_connections: int = 512
    """Connections at once; a request beyond it waits."""
    max_waiting: int = 1_024
    """Requests that may wait for a connection; beyond it they are shed."""
    wait_ms: int = 1_000
    """How long a request waits for a connection before it is shed."""
    keep_alive_ms: int = 55_000
    """How long an idle connection is kept; less where the backend announces less."""
    max_age_ms: int = 60_000
    """How long a connection serves new requests, so that a name that moves is followed; 0 is no
    limit. A request under way is not cut."""
    max_lasting: int = 8_192
    """Tunnels and event streams at once: they last for hours and count apart."""


class Balance(StrEnum):
    """How a backend's URLs share its requests."""

    ROUND_ROBIN = "round_robin"
    LEAST_OUTSTANDING = "least_outstanding"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierPolicy(Strict):
    """When one of several URLs is left out for a while, by what its answers look like."""

    failures: int = 5
    """Failures in a row: no connection, a reset, a timeout, a 5xx."""
    eject_ms: int = 10_000
    """First time out; it grows with each time in a row, up to ten times."""
    max_percent: int = 50
    """Share of the URLs that may be out at once; the last one never is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy(Strict):
    """Asking each URL whether it is well, beside the requests. Each worker asks."""

    path: str = ""
    """Target of the question, such as `/health`; nothing is asked when empty."""
    interval_ms: int = 5_000
    timeout_ms: int = 2_000
    """For the whole answer. Any status below 400 is well."""
    healthy: int = 2
    """Good answers in a row until it is used again."""
    unhealthy: int = 3
    """Bad ones in a row until it is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy(Strict):
    """Asking another URL of the same backend when one fails before its response head. Only safe
    methods, or where nothing was sent."""

    percent: int = 20
    """Retries as a share of the backend's own recent rate."""
    min_per_s: int = 5
    """Retries a second allowed whatever the rate, over all workers of a proxy; 0 with a percent
    of 0 retries nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialHeader(Strict):
    """A header that a backend is sent, by reference: the secret itself is never in a table."""

    header: str
    """Such as `Authorization`. It replaces what the client sent."""
    value: str
    """`env:FIGWAY_SECRET_NAME`, `file:/run/secrets/figway/name`, or
    `aws-secret:figway/backend/name`."""
    prefix: str = ""
    """Put before the secret, such as `Bearer `."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing(Strict):
    """Requests to an http backend are signed for AWS (Signature Version 4)."""

    service: str = ""
    """The service's name in the signature: `s3`, `execute-api`, `lambda` (a function URL), `es`,
    `aoss`. Nothing is signed when empty."""
    region: str = ""
    """AWS region of the service; the backend's `region`, or the environment's, when empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsResource(Strict):
    """What a backend of kind queue, events or workflow hands requests to, and what clients are
    answered."""

    resource: str = ""
    """queue: URL or ARN of the queue (FIFO when it ends in `.fifo`). events: name or ARN of an
    EventBridge bus, or ARN of an SNS topic. workflow: ARN of the state machine."""
    mode: WorkflowMode = WorkflowMode.SYNC
    """workflow: whether the client waits."""
    respond_async: bool = False
    """workflow in mode sync: start only, where a client prefers it (`Prefer: respond-async`,
    RFC 7240)."""
    location: str = ""
    """Location of a 202, such as `/api/exports/{id}`: `{id}` is the id of the message or execution,
    `{name}` a variable of the route's path, `{path.id}` one that is called `id`. No Location when
    empty."""
    retry_after_s: int = 0
    """Retry-After of a 202, in seconds; none when 0."""
    group_by: str = ""
    """FIFO: what is kept in order: `header:NAME`, `path:NAME` or `query:NAME`; the sticky key when
    empty."""
    detail_type: str = ""
    """EventBridge: the event's `detail-type`; the route's id when empty."""
    source: str = "figway"
    """EventBridge: the event's `source`."""
    with_credentials: bool = False
    """Also hand on Authorization and Cookie, which are then stored wherever messages, events and
    executions are. Without it they stay behind."""


NO_RESOURCE = AwsResource()
NO_SIGNING = Signing()


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackBudgetPolicy(Strict):
    """The load that fallback may add to a legacy backend."""

    percent: int = 20
    """Of the backend's own recent rate."""
    min_per_s: int = 10
    """Requests a second allowed whatever the rate, over all workers of a proxy."""
    carried_percent: int = 100
    """Of the most that a proxy saw the backend carry in a second of the last 30 days: so much it
    may carry with fallbacks in any case. 0 counts only the other two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend(Strict):
    """Something that answers requests for one side."""

    id: str
    """Name, unique among backends: lower case letters, digits, `-`, `_`, `.`; at most 64."""
    side: Side
    """The side it stands for."""
    kind: BackendKind = BackendKind.HTTP
    """`http` (needs `url`), `lambda` (needs `function`), or `queue`, `events`, `workflow` (need
    `aws.resource`)."""
    url: str = ""
    """Base URL, `http://host:port` or `https://host[:port]`; a path is put before the target."""
    urls: tuple[str, ...] = ()
    """Further URLs that answer like `url`, with the same path; requests are shared among all."""
    balance: Balance = Balance.ROUND_ROBIN
    outlier: OutlierPolicy = field(default_factory=OutlierPolicy)
    health: HealthPolicy = field(default_factory=HealthPolicy)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    credentials: tuple[CredentialHeader, ...] = ()
    host_policy: HostPolicy = HostPolicy.PRESERVE
    """Which Host header the backend is sent."""
    host: str = ""
    """The Host sent when `host_policy` is `literal`."""
    function: str = ""
    """Function name or ARN, with an optional `:qualifier`."""
    region: str = ""
    """AWS region; taken from the ARN, the queue's URL or the environment when empty. For a backend
    of kind http without `sign`: a function URL in that region that asks for IAM, whose requests are
    signed."""
    endpoint_url: str = ""
    """Another endpoint of AWS's API than its own: a local function host, LocalStack, a VPC
    endpoint."""
    sign: Signing = NO_SIGNING
    """kind http: the AWS service that requests are signed for."""
    aws: AwsResource = NO_RESOURCE
    """kind queue, events and workflow: what requests are handed to."""
    ca_file: str = ""
    """PEM bundle to verify the backend's certificate with, instead of the system's."""
    allow_link_local: bool = False
    """Permit a link-local address (169.254.0.0/16, fe80::/10), which holds cloud credentials."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    build_header: str = ""
    """Response header that names the build of new, lower case; another build begins another
    evidence window. A Lambda backend says its version by itself."""
    fallback_budget: FallbackBudgetPolicy = field(default_factory=FallbackBudgetPolicy)
    """What fallback may add to this backend's load; read on side legacy."""
    description: str = ""


HANDED_ON = frozenset({BackendKind.QUEUE, BackendKind.EVENTS, BackendKind.WORKFLOW})
"""Kinds whose requests become a message, an event or an execution: no method is safe there."""


def answers_later(backend: Backend) -> bool:
    """Does `backend` answer 202 before the work is done? Its answers compare with nothing."""
    if backend.kind is BackendKind.WORKFLOW:
        return backend.aws.mode is WorkflowMode.START
    return backend.kind in HANDED_ON


def is_topic(resource: str) -> bool:
    """Is the resource of an events backend an SNS topic, and no bus of EventBridge?"""
    return resource.split(":", 3)[2:3] == ["sns"]


_HEAD_MS = {Side.NEW: 10_000, Side.LEGACY: 30_000}


def timeouts_of(backend: Backend) -> Timeouts:
    """The times that hold for a backend, with the defaults of its side put in."""
    timeouts = backend.timeouts
    return timeouts if timeouts.head_ms else replace(timeouts, head_ms=_HEAD_MS[backend.side])


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
class ShadowPolicy(Strict):
    """What is copied to the side that did not serve."""

    sample: int = WEIGHT_SCALE
    """Share of requests copied, in basis points, by a salted bucket of the request."""
    from_new: bool = False
    """In stage canary and new, also copy what new served back to legacy."""
    dry_run: str = ""
    """Written contract under which unsafe methods may be copied; names how the side is told."""
    body_limit: int = 262_144
    """A larger request or response body is skipped, and counted."""
    unsafe_get: bool = False
    """A GET of this route changes something: never copy it."""
    legacy_reads: LegacyReads = LegacyReads.CACHEABLE
    """When legacy may be asked again. Never for polls, streams, upgrades, one-time links and
    answers that set cookies."""


Scalar = str | int | float | bool | None
"""A JSON value that is neither an array nor an object."""


@dataclass(frozen=True, slots=True)
class ComparisonRule(Strict):
    """What may differ at one place, as plain data: `figway.compare.rules` checks and compiles it.

    Parameters of other kinds than its own stay at their defaults.
    """

    id: str
    """Name, unique among the rules of its route."""
    kind: RuleKind
    target: str
    """`$.items[*].price`, `$.items[?@.type == "gift"].price`, `header:cache-control;max-age`,
    `set-cookie:sid;samesite`, `status`."""
    absolute: float = 0.0
    """number_tolerance: how far apart two numbers may be."""
    relative: float = 0.0
    """number_tolerance: the same as a share of the larger one, 0.01 for 1 %."""
    seconds: float = 0.0
    """time_tolerance: how far apart two moments may be."""
    key: str = ""
    """keyed_array: the member that names an element. reference: the path of what is referred to,
    `$.customers[*].id`."""
    pairs: tuple[tuple[Scalar, Scalar], ...] = ()
    """map_value: (legacy's value, the value that new may have instead)."""
    pattern: str = ""
    """pattern: RE2; what it matches, on either side, is equal. time_tolerance: RE2 of how both
    moments must be written; empty for any way."""
    note: str = ""
    """Why it is there, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseOverrule(Strict):
    """A person's word against what was learned about one field."""

    field: str
    """The field's key, `$.items[*].price|changed`, or a path, for every difference there."""
    word: NoiseWord


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonPolicy(Strict):
    """How the two answers of a route are compared, and what of them may be kept."""

    rules: tuple[ComparisonRule, ...] = ()
    headers: tuple[str, ...] = ()
    """Headers compared besides those that always are; lower case."""
    html: tuple[HtmlView, ...] = ()
    """Compare only these views of pages, where new has other markup; whole pages when empty."""
    noise_sample: int = 200
    """Share of shadowed safe reads that legacy is asked twice, in basis points."""
    noise_overrules: tuple[NoiseOverrule, ...] = ()
    redact_names: tuple[str, ...] = ()
    """Fields, parameters and headers that are secret besides the built-in ones."""
    redact_patterns: tuple[str, ...] = ()
    """RE2; what matches is hidden in any text."""
    redact_allow: tuple[str, ...] = ()
    """When set, only values under these names are kept, and everything else is hashed."""


PLAIN_COMPARISON = ComparisonPolicy()
"""Without rules: what a route has that says nothing. One object, as most routes share it."""


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
    """The revision that began the present evidence: its last flip, rule or backend. Set by the
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
