"""Headers that every answer of the control plane carries."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

API = "figway-api"
"""Tells the command line that what answered is a control plane, and no other server."""

_ALWAYS = [
    (API.encode(), b"v1"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not `no-referrer`: a form of ours would then be sent with `Origin: null` by a host name over
    # plain http, and be refused as another site's.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_UNLESS_SET = [
    (b"cache-control", b"no-store"),
    # The strictest there is; a page that is meant for browsers sets its own.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


class SecurityHeaders:
    """Adds them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                present = {name.lower() for name, _ in headers}
                headers += _ALWAYS
                headers += [pair for pair in _UNLESS_SET if pair[0] not in present]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, with_headers)
