"""The last touch on a request before a backend gets it: path, headers, credentials.

Only lanes that need any of it call this; see `Lane.edits_requests`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.upstreams.port import OutboundRequest

if TYPE_CHECKING:
    from figway.policy import EdgePlan
    from proxy.runtime import Target


def edited(
    request: OutboundRequest, raw: bytes, edge: EdgePlan | None, target: Target
) -> OutboundRequest:
    """`request` as `target` is to get it. `raw` is the request target that the client sent."""
    path, headers = request.target, request.headers
    if edge is not None:
        rewritten = edge.target(raw, target.backend.side)
        if rewritten is not raw:
            path = target.prefix + rewritten
        if edge.request is not None:
            headers = edge.request.apply(headers)
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
