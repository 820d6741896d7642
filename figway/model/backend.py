"""What answers requests: a backend, how it is spoken to, and what it may be asked to bear.

Durations are milliseconds unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from figway.model.words import Side, Strict


class BackendKind(StrEnum):
    """How a backend is spoken to."""

    HTTP = "http"
    LAMBDA = "lambda"
    QUEUE = "queue"
    """A message to an SQS queue, or an entry of a Redis stream; the client is answered 202."""
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
    healthy_statuses: tuple[int, ...] = ()
    """Statuses from 500 that are answers of this backend, as 500 is for a SOAP fault. Those that
    a route lists in `breaker.healthy_statuses` are answers to its requests in any case."""
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
    answered. For a Redis stream the latter alone."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisStream(Strict):
    """The stream that a backend of kind queue adds requests to, in a Redis at `url`."""

    name: str = ""
    """Key of the stream. It is made by the first entry."""
    user: str = ""
    """User to log in as (ACL, Redis 6); the default user when empty."""
    password: str = ""
    """Its password by reference: `env:FIGWAY_SECRET_NAME`, `file:/run/secrets/figway/name`, or
    `aws-secret:figway/backend/name`. No login when empty."""
    max_length: int = 0
    """Entries that the stream is cut to, about (`MAXLEN ~`): the oldest go, read or not. 0 cuts
    nothing."""
    dedupe_s: int = 300
    """Seconds in which an Idempotency-Key is taken once, by a script in Redis; with 0 a repeated
    key is a second entry with the same id."""


NO_STREAM = RedisStream()


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
    `aws.resource`; a queue in Redis needs `url` and `stream.name`)."""
    url: str = ""
    """Base URL, `http://host:port` or `https://host[:port]`; a path is put before the target. kind
    queue with `stream`: `redis://host[:port][/database]`, or `rediss://` for TLS."""
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
    stream: RedisStream = NO_STREAM
    """kind queue: the Redis stream that requests are handed to, in the place of an SQS queue."""
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


def is_stream(backend: Backend) -> bool:
    """Is the queue of `backend` a Redis stream?"""
    return backend.kind is BackendKind.QUEUE and backend.stream != NO_STREAM


def secret_references(backend: Backend) -> tuple[str, ...]:
    """Every secret that `backend` names."""
    own = (backend.stream.password,) if backend.stream.password else ()
    return (*(item.value for item in backend.credentials), *own)


def is_topic(resource: str) -> bool:
    """Is the resource of an events backend an SNS topic, and no bus of EventBridge?"""
    return resource.split(":", 3)[2:3] == ["sns"]


_HEAD_MS = {Side.NEW: 10_000, Side.LEGACY: 30_000}


def timeouts_of(backend: Backend) -> Timeouts:
    """The times that hold for a backend, with the defaults of its side put in."""
    timeouts = backend.timeouts
    return timeouts if timeouts.head_ms else replace(timeouts, head_ms=_HEAD_MS[backend.side])
