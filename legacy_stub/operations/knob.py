"""A fault on request that an operation answers itself: `server_error`.

The edge marks the request; SOAP answers a Server fault, GraphQL an error with the code
INTERNAL_SERVER_ERROR, JSON-RPC the error -32603. With `after`, the operation has run before.
"""

from __future__ import annotations

from starlette.requests import Request

MARK = "wayfarer.server_error"
MESSAGE = "This failure was asked for."


def fails(request: Request, *, after: bool) -> bool:
    """Shall this request's operations fail, before they run or after?"""
    return request.scope.get(MARK) == ("after" if after else "before")
