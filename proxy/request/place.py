"""Where in the table a request met its backend: for those that make a message of it."""

from __future__ import annotations

from functools import lru_cache

from figway.message.forwarded import network_of
from figway.routing.compile import Plan
from figway.routing.decide import Decision, sticky_key
from figway.routing.pattern import Pattern, parse
from proxy.wire.client_head import RequestHead
from proxy.wire.message import RequestPlace


def place_of(plan: Plan, head: RequestHead, decision: Decision) -> RequestPlace:
    """The route, its variables, and the key that the request's user is known by."""
    variables = {}
    if plan.route is not None:
        variables = _pattern(plan.route.match.path).variables(head.path)
    return RequestPlace(plan.route_id, variables, _key(plan, head, decision))


def _key(plan: Plan, head: RequestHead, decision: Decision) -> bytes:
    """The sticky key as a split reads it; the client's address where there is none."""
    for link in plan.sticky:
        if key := sticky_key(link, head):
            return key
    return decision.issue or network_of(head.client)


@lru_cache(maxsize=1_024)
def _pattern(template: str) -> Pattern:
    return parse(template)
