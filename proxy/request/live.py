"""The backends and routes of a table as requests use them: joined with what must be running.

A request takes its `LiveRoute` once and keeps it, whatever table is swapped in meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from figway.message.rewrite import domains_of
from figway.model.backend import HANDED_ON, Backend, Timeouts
from figway.model.table import Stage
from figway.model.words import Side
from figway.routing.compile import Plan
from figway.routing.match import names_that_decide
from figway.routing.policy import Edits
from figway.serving.attempts.breaker import Breaker
from figway.serving.attempts.budget import FallbackBudget
from proxy.policies.credentials import Credentials
from proxy.policies.guard import Guard
from proxy.request.body_limit import stricter
from proxy.upstreams.barred import BarredUpstream
from proxy.upstreams.port import Upstream

_SHADOWED = frozenset({Stage.SHADOW, Stage.CANARY, Stage.NEW})


class LiveBackend:
    """A backend as requests use it.

    `prefix` is put before a request target, `domains` are the hosts it may put into cookies;
    `in_flight` counts users. `credentials` are None where there are none; `retry`, the budget of
    retries, where there is only one URL. `barred`: this proxy cannot open it. `hands_on`: requests
    become messages, events or executions.
    """

    __slots__ = (
        "authority",
        "backend",
        "barred",
        "credentials",
        "domains",
        "hands_on",
        "in_flight",
        "prefix",
        "retired",
        "retry",
        "upstream",
    )

    def __init__(
        self, backend: Backend, upstream: Upstream, credentials: Credentials | None = None
    ) -> None:
        self.hands_on = backend.kind in HANDED_ON
        # The URL of a stream says where Redis is, and nothing of a request.
        url = urlsplit("" if self.hands_on else backend.url)
        self.backend = backend
        self.upstream = upstream
        self.credentials = credentials
        self.retry: FallbackBudget | None = None
        self.authority = (url.netloc or backend.function).rpartition("@")[2].encode()
        self.prefix = url.path.rstrip("/").encode()
        self.domains = domains_of(backend)
        self.in_flight = 0
        self.retired = False
        self.barred = False


def barred(backend: Backend, why: str) -> LiveBackend:
    """Stands for a backend that cannot be opened: whoever asks it is told why."""
    live = LiveBackend(replace(backend, url=""), BarredUpstream(why))
    live.backend = backend
    live.barred = True
    return live


class LiveRoute:
    """A plan joined with what serves it.

    `captured` says that its stage may want a shadow; `guard` and the edits stem from its route
    policies, `max_body` (0 is no limit) in part; `decides` names the fields that it judges by.
    `head_ms` and `idle_ms` take the place of legacy's time-outs where no route matched: 0 waits for
    ever, -1 leaves them.
    """

    __slots__ = (
        "breaker",
        "budget",
        "captured",
        "decides",
        "edits_requests",
        "edits_response",
        "guard",
        "head_ms",
        "idle_ms",
        "legacy",
        "max_body",
        "new",
        "plan",
        "retired",
    )

    def __init__(
        self,
        plan: Plan,
        legacy: LiveBackend,
        new: LiveBackend | None,
        breaker: Breaker | None,
        budget: FallbackBudget,
        guard: Guard | None = None,
        max_body: int = 0,
        unrouted_ms: int = 0,
    ) -> None:
        policy_plan = plan.policy_plan
        self.guard = guard
        self.max_body = max_body
        self.edits_requests = policy_plan is not None and policy_plan.edits_requests
        self.edits_response: Edits | None = None
        if policy_plan is not None:
            self.edits_response = policy_plan.response
            own = policy_plan.policies.body.max_bytes
            self.max_body = stricter(own, max_body)
        self.head_ms = self.idle_ms = -1
        if plan.route is None:
            self.head_ms, self.idle_ms = _patience(plan.legacy.timeouts, unrouted_ms)
        self.plan = plan
        self.legacy = legacy
        self.new = new
        self.breaker = breaker
        self.budget = budget
        self.retired = plan.stage is Stage.RETIRED
        self.decides = names_that_decide(plan.route, plan.sticky)
        self.captured = bool(plan.shadow.sample) and plan.stage in _SHADOWED


def _patience(timeouts: Timeouts, unrouted_ms: int) -> tuple[int, int]:
    """How long legacy is waited for where no route names it: for its head, and between two pieces.

    For ever, as without a facade, but for what somebody set: `unrouted_ms`, or a time-out of the
    backend's own that is not the default.
    """
    default = Timeouts()
    head = -1 if timeouts.head_ms != default.head_ms else unrouted_ms
    idle = -1 if timeouts.idle_ms != default.idle_ms else unrouted_ms
    return head, idle


def side_of(route: LiveRoute, side: Side) -> LiveBackend:
    """The backend that stands for `side`."""
    if side is Side.NEW and route.new is not None:
        return route.new
    return route.legacy
