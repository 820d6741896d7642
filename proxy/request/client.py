"""The client's end of a request: what a door offers to a flow, and the facade's own answers."""

from __future__ import annotations

from typing import Final, Protocol

from figway.message.http import Headers
from figway.message.problem import Problem
from proxy.upstreams.logins import ClientConnection
from proxy.wire.message import ResponseHead


class ClientPort(Protocol):
    """The client's end of one request, as a door offers it.

    After `end` or `abort`, and after it has called `Flow.client_gone`, the door is called no more.
    """

    def inform(self, head: ResponseHead) -> None:
        """Relay an interim answer, if the client understands one."""

    def respond(self, head: ResponseHead) -> None:
        """Begin the answer. Status 101 opens a tunnel: bytes flow raw both ways from here on."""

    def body(self, data: bytes) -> None:
        """A piece of the answer's body, or of the tunnel."""

    def end(self, trailers: Headers) -> None:
        """The answer is complete, or the tunnel closed."""

    def abort(self) -> None:
        """The answer broke off: end it so that the client notices."""

    def pause_body(self) -> None:
        """Stop delivering the request's body."""

    def resume_body(self) -> None:
        """Deliver it again."""

    def connection(self) -> ClientConnection | None:
        """The client's connection, where one is known to be a single client's; else None."""


class _Nobody:
    """The client's end when the client has gone."""

    def inform(self, head: ResponseHead) -> None:
        """The client is gone: nothing is sent."""

    respond = inform

    def body(self, data: bytes) -> None:
        """The client is gone: nothing is sent."""

    def end(self, trailers: Headers) -> None:
        """The client is gone: nothing is sent."""

    def abort(self) -> None:
        """The client is gone: nothing is sent."""

    pause_body = resume_body = abort

    def connection(self) -> ClientConnection | None:
        """There is none any more."""
        return None


NOBODY: ClientPort = _Nobody()
"""Takes the place of a client that has gone."""

_REASONS: Final = {
    400: b"Bad Request",
    408: b"Request Timeout",
    413: b"Content Too Large",
    414: b"URI Too Long",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
    508: b"Loop Detected",
}


def problem_answer(problem: Problem, instance: str) -> tuple[ResponseHead, bytes]:
    """Head and body of an answer of the facade's own."""
    body = problem.body(instance)
    reason = _REASONS.get(problem.status, b"")
    return ResponseHead(problem.status, reason, problem.headers(body)), body
