"""The last touch on a request before a backend gets it: path, headers, credentials.

Only lanes that need any of it call this; see `Lane.edits_requests`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.wire.message import OutboundRequest

if TYPE_CHECKING:
    from figway.routing.policy import PolicyPlan
    from proxy.request.runtime import Target


def edited(
    request: OutboundRequest, raw: bytes, policy_plan: PolicyPlan | None, target: Target
) -> OutboundRequest:
    """`request` as `target` is to get it. `raw` is the request target that the client sent."""
    path, headers = request.target, request.headers
    if policy_plan is not None:
        rewritten = policy_plan.target(raw, target.backend.side)
        if rewritten is not raw:
            path = target.prefix + rewritten
        if policy_plan.request is not None:
            headers = policy_plan.request.apply(headers)
    if target.credentials is not None:
        headers = target.credentials.apply(headers)
    return OutboundRequest(
        request.method,
        path,
        headers,
        has_body=request.has_body,
        content_length=request.content_length,
        upgrade=request.upgrade,
    )
