"""What a route asks of each request before it is served, and the state that this takes.

A guard belongs to a route; the state of its limits outlives a table in which the limit stays the
same. Only routes that have policies have one.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import replace
from time import time

from figway.message.forwarded import network_of
from figway.message.problem import Problem
from figway.model.policies import JwtPolicy, RateKey, RateLimit
from figway.model.table import KeySource, StickyKey
from figway.routing.compile import Plan
from figway.routing.decide import sticky_key
from figway.routing.match import is_preflight
from figway.routing.policy import PolicyPlan, maintenance_problem
from figway.serving.gcra import Gcra, Verdict
from proxy.loop.deadlines import DeadlineTimer
from proxy.policies import keys
from proxy.policies.keys import Fetch, KeyStore, Spawn
from proxy.policies.tokens import TokenCheck
from proxy.wire.client_head import RequestHead

_SOURCES = {
    RateKey.HEADER: KeySource.HEADER,
    RateKey.COOKIE: KeySource.COOKIE,
    RateKey.JWT_CLAIM: KeySource.JWT_CLAIM,
}
_EVERYBODY = b"*"
_NEEDS_JWT = "It verifies tokens, which needs: pip install 'figway[jwt]'"
_CLOSED = Problem(
    503, "route_quarantined", "This route cannot be served here", "Its tokens cannot be verified."
)


class Limit:
    """One rate limit of a route in one worker.

    Connections spread over the workers, so that each holds its share of a limit for the whole
    route; one client mostly meets one worker, so that a limit by key holds whole in each.
    """

    def __init__(self, policy: RateLimit, workers: int) -> None:
        share = workers if policy.key is RateKey.ROUTE else 1
        burst = -(-(policy.burst or policy.requests) // share)
        self.policy = policy
        self._gcra = Gcra(policy.requests / share, policy.window_s, burst)
        source = _SOURCES.get(policy.key)
        self._link = None if source is None else StickyKey(source=source, name=policy.key_name)

    @property
    def by_claim(self) -> bool:
        """Whether requests are counted by what a token claims."""
        return self.policy.key is RateKey.JWT_CLAIM

    def problem(self, head: RequestHead, now_us: int, *, verified: bool) -> Problem | None:
        """429 if one more request is one too many. A claim counts only where it is `verified`."""
        verdict = self._gcra.take(self._key(head, verified=verified), now_us)
        return None if verdict.allowed else self._refused(verdict)

    def _key(self, head: RequestHead, *, verified: bool) -> bytes:
        if self.policy.key is RateKey.ROUTE:
            return _EVERYBODY
        believed = self._link is not None and (verified or not self.by_claim)
        key = sticky_key(self._link, head) if self._link is not None and believed else b""
        # Apart from each other: a client must not be able to spend another one's requests.
        return b"k" + key[:512] if key else b"a" + network_of(head.client)

    def _refused(self, verdict: Verdict) -> Problem:
        """See draft-ietf-httpapi-ratelimit-headers-10."""
        policy = self.policy
        quota = f'"{policy.name}";q={policy.requests};w={policy.window_s}'
        state = f'"{policy.name}";r={verdict.remaining};t={verdict.retry_after_s}'
        fields = ((b"ratelimit-policy", quota.encode()), (b"ratelimit", state.encode()))
        detail = f"The limit is {policy.requests} requests in {policy.window_s} s."
        return Problem(
            429, "rate_limited", "Too many requests", detail, verdict.retry_after_s, fields
        )


class Guard:
    """The policies of one route, at work."""

    __slots__ = ("_limits", "_maintenance", "_policy_plan", "_tokens")

    def __init__(
        self,
        policy_plan: PolicyPlan,
        limits: tuple[Limit, ...],
        tokens: TokenCheck | None,
        *,
        closed: bool = False,
    ) -> None:
        maintenance = policy_plan.policies.maintenance
        self._policy_plan = policy_plan
        self._limits = limits
        self._tokens = tokens
        self._maintenance = None if maintenance is None else maintenance_problem(maintenance)
        if closed and self._maintenance is None:
            self._maintenance = _CLOSED

    def refuses(self, head: RequestHead, now_ns: int) -> Problem | None:
        """The answer to a request that is not to be served; None if it is.

        `now_ns` is monotonic. A claim counts once it is verified; else the client's address does:
        nobody spends another one's requests. A CORS preflight has neither token nor body.
        """
        if self._maintenance is not None:
            return self._maintenance
        now_us = now_ns // 1_000
        for limit in self._limits:
            if not limit.by_claim and (over := limit.problem(head, now_us, verified=False)):
                return over
        preflight, refused = is_preflight(head), None
        if self._tokens is not None and not preflight:
            refused = self._tokens.problem(head, int(time()))
        verified = self._tokens is not None and not preflight and refused is None
        for limit in self._limits:
            if limit.by_claim and (over := limit.problem(head, now_us, verified=verified)):
                return over
        if refused is not None or preflight:
            return refused
        if head.has_body and self._policy_plan.types:
            if sum(name.lower() == b"content-type" for name, _ in head.headers) > 1:
                return Problem(415, "content_type", "More than one Content-Type")
            return self._policy_plan.body_problem(head)
        return None


class Guards:
    """The guards of one worker's routes, and the keys that they share."""

    def __init__(
        self, timer: DeadlineTimer, spawn: Spawn, workers: int = 1, fetch: Fetch | None = None
    ) -> None:
        self._timer = timer
        self._spawn = spawn
        self._workers = workers
        self._fetch = fetch or keys.fetch
        self._stores: dict[JwtPolicy, KeyStore] = {}
        self._limits: dict[tuple[str, RateLimit], Limit] = {}
        self.closed: dict[str, str] = {}
        """Routes that verify tokens, where what that takes is not installed, and why: they answer
        503, as an unverified request must not pass."""

    def follow(self, plans: Iterable[Plan]) -> None:
        """Keep what the plans of a new table need, which are those with policies."""
        edges = [
            (plan.route_id, plan.policy_plan.policies)
            for plan in plans
            if plan.policy_plan is not None
        ]
        wanted = {
            _source(policy_plan.jwt) for _, policy_plan in edges if policy_plan.jwt is not None
        }
        if wanted and importlib.util.find_spec("joserfc") is None:
            self.closed = {route_id: _NEEDS_JWT for route_id, policies in edges if policies.jwt}
            wanted = set()
        else:
            self.closed = {}
        for gone in self._stores.keys() - wanted:
            self._stores.pop(gone).close()
        for policy in wanted - self._stores.keys():
            self._stores[policy] = KeyStore(policy, self._timer, self._spawn, self._fetch)
        limits = {
            (route_id, limit)
            for route_id, policy_plan in edges
            for limit in policy_plan.rate_limits
        }
        for stale in self._limits.keys() - limits:
            del self._limits[stale]

    def close(self) -> None:
        """Fetch no more keys."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()

    def guard(self, plan: Plan) -> Guard | None:
        """The guard of a plan that `follow` was told of; None for one without policies."""
        policy_plan = plan.policy_plan
        if policy_plan is None:
            return None
        limits = tuple(
            self._limit(plan.route_id, limit) for limit in policy_plan.policies.rate_limits
        )
        jwt = policy_plan.policies.jwt
        if plan.route_id in self.closed:
            return Guard(policy_plan, limits, None, closed=True)
        tokens = None if jwt is None else TokenCheck(jwt, self._stores[_source(jwt)])
        return Guard(policy_plan, limits, tokens)

    def _limit(self, route_id: str, policy: RateLimit) -> Limit:
        limit = self._limits.get((route_id, policy))
        if limit is None:
            limit = self._limits[route_id, policy] = Limit(policy, self._workers)
        return limit


def _source(policy: JwtPolicy) -> JwtPolicy:
    """What of a policy says where keys come from: those who share it share the keys."""
    return replace(JwtPolicy(issuer=policy.issuer), jwks_url=policy.jwks_url)
