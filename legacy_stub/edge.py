"""The outermost layer: request ids, counting, the access log, faults that are real on the wire."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from legacy_stub.answers import JSON_TYPE, ApiError, error_body
from legacy_stub.faults import Fault, fault_of_header, refusal
from legacy_stub.operations import knob
from legacy_stub.shop import Shop

TRANSPORT = "wayfarer.transport"

# Long enough for the peer to read what was sent, since a reset throws away what it has not read.
_BEFORE_RESET = 0.02


class Edge:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, shop: Shop) -> None:
        self._app = app
        self._shop = shop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"] = str(uuid.uuid4())
        identity = (b"x-request-id", scope["request_id"].encode())
        status = 0

        async def signed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = [(b"server", b"Wayfarer/2.9"), identity]
                message = {**message, "headers": [*own, *message["headers"]]}
            await send(message)

        begun = time.perf_counter()
        await self._served(scope, receive, signed)
        if self._shop.settings.access_log:
            spent = (time.perf_counter() - begun) * 1000
            line = f"{scope['method']} {scope['path']!a} {status or '-'} {spent:.1f}ms\n"
            sys.stdout.write(line)
            sys.stdout.flush()

    async def _served(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/internal/"):
            await self._app(scope, receive, send)
            return
        self._shop.counters.received += 1
        try:
            fault = self._fault(scope)
        except ApiError as error:
            await _fail(scope, send, error)
            return
        if fault is None:
            await self._app(scope, receive, send)
            return
        self._shop.counters.faults[fault.kind] += 1
        await self._broken(fault, scope, receive, send)

    def _fault(self, scope: Scope) -> Fault | None:
        for name, value in scope["headers"]:
            if name == b"x-stub-fault":
                return fault_of_header(value.decode("latin-1"))
        return self._shop.faults.take(scope["method"], scope["path"])

    async def _broken(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind == "server_error":
            scope[knob.MARK] = "after" if fault.after else "before"
            await self._app(scope, receive, send)
            return
        if fault.kind == "truncate" or (fault.kind == "reset" and fault.value is not None):
            await self._app(scope, receive, _Cut(fault, scope, receive, send))
            return
        kept: list[Message] = []

        async def keep(message: Message) -> None:
            kept.append(message)

        if fault.after:
            await self._app(scope, receive, keep)
        if fault.kind == "status":
            await _fail(scope, send, refusal(500 if fault.value is None else fault.value))
        elif fault.kind == "reset":
            await _close(scope, receive, reset=True)
        elif fault.kind == "hang":
            await self._hang(fault, scope, receive)
        else:
            await self._shop.pause((1000 if fault.value is None else fault.value) / 1000)
            for message in kept:
                await send(message)
            if not fault.after:
                await self._app(scope, receive, send)

    async def _hang(self, fault: Fault, scope: Scope, receive: Receive) -> None:
        limit = None if fault.value is None else fault.value / 1000
        gone = asyncio.ensure_future(_gone(receive))
        ended = asyncio.ensure_future(self._shop.stopping.wait())
        try:
            await asyncio.wait((gone, ended), timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            ended.cancel()
        await _close(scope, receive, reset=False)


class _Cut:
    """Passes an answer on up to so many bytes of its body, then breaks the connection."""

    def __init__(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        self._fault = fault
        self._scope = scope
        self._receive = receive
        self._send = send
        self._left: int | None = fault.value
        self._declared: int | None = None
        self._broken = False

    async def __call__(self, message: Message) -> None:
        if self._broken:
            return
        if message["type"] == "http.response.start":
            lengths = [int(v) for k, v in message["headers"] if k.lower() == b"content-length"]
            self._declared = lengths[0] if lengths else None
            await self._send(message)
            return
        body = message.get("body", b"")
        if self._left is None:
            self._left = (len(body) if self._declared is None else self._declared) // 2
        if len(body) < self._left:
            self._left -= len(body)
            await self._send(message)
            return
        self._broken = True
        await self._send({**message, "body": body[: self._left], "more_body": True})
        await asyncio.sleep(_BEFORE_RESET)
        await _close(self._scope, self._receive, reset=self._fault.kind == "reset")


async def _fail(scope: Scope, send: Send, error: ApiError) -> None:
    body = error_body(error, scope["request_id"])
    length = str(len(body)).encode()
    headers = [(b"content-type", JSON_TYPE.encode()), (b"content-length", length)]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _close(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """End the connection with FIN, or with RST (SO_LINGER of zero seconds)."""
    transport: asyncio.Transport = scope["extensions"][TRANSPORT]["transport"]
    if reset:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    else:
        transport.close()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
