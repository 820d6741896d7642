"""The ASGI door: a raw ASGI callable around the same flow as the native door's.

It has no framework, no middleware and no path of its own. What ASGI cannot carry is lost at this
door, and only here. Under `proxy.doors.uvicorn`, which is what the facade itself runs:

- header names arrive in lower case; reason phrases are the server's own;
- 1xx answers other than the server's own 100 are not relayed, and trailers are dropped;
- Content-Length is not relayed with a 304, and no status above 599 is.

That door hands to the native one what has none of the common forms. Under another server besides:

- requests are what the server makes of them: HTTP/1.0 answers of unknown length are framed as it
  does it, odd targets are taken or refused as it does, and a lone `?` or a fragment is dropped;
- upgrades are answered as plain requests;
- a client that closes its half of the connection counts as gone where the server says so;
- a login that lives in a connection (NTLM, Negotiate) gets 501: an ASGI scope does not say whose
  connection a request came over;
- requests over HTTP/2 and HTTP/3 get 505: a server that speaks them cannot be told that an answer
  broke off, and the client would wait for the rest for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from figway.message.forwarded import canonical, said
from figway.message.headers import Arrival
from figway.message.http import Headers
from figway.message.problem import Problem
from proxy.doors.peer import client_address, is_trusted, is_unbelieved_tls
from proxy.request.client import problem_answer
from proxy.request.flow import Flow
from proxy.request.runtime import Runtime
from proxy.upstreams.logins import ClientConnection
from proxy.wire.client_head import BadRequest, RequestHead, assemble
from proxy.wire.message import ResponseHead

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HOLD = 65_536
"""Bytes of an answer that wait for the server before the backend is told to pause."""
EXTENSION = "figway.client"
"""Extension of a scope: a callable that is told of the request's `AsgiClient`, by a server that
watches over the time a body takes, and tells by `AsgiClient.gone` that the client went away."""
_CLOSE = (b"connection", b"close")
_VERSIONS = ("1.1", "1.0")


class AsgiDoor:
    """An ASGI 3 application that serves a runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.draining = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:  # a WebSocket that the server has opened itself cannot be tunnelled raw any more
            await receive()
            await send({"type": "websocket.close", "code": 1011})

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        client = AsgiClient(self)
        try:
            head = _head(scope, self.runtime.settings.max_fields)
        except BadRequest as error:
            problem = Problem(error.status, error.code, "Bad request", error.detail)
            self.runtime.refused(_peer(scope), problem)
            answer, body = problem_answer(problem, "")
            client.close = scope["http_version"] in _VERSIONS
            client.respond(answer)
            client.body(body)
            client.end([])
            await client.deliver(send)
            return
        flow = Flow(self.runtime, head, client, self._arrival(scope, head))
        client.flow = flow
        tell = scope.get("extensions", {}).get(EXTENSION)
        if tell is not None:
            tell(client)
        else:
            head.expects = False  # this server answers for itself
        flow.begin()
        if flow.awaits_continue:
            client.pause_body()
        reader: asyncio.Task[None] | None = None
        if head.has_body or tell is None:  # else nothing more can come that must be read
            reader = asyncio.get_running_loop().create_task(client.read(receive, flow))
        try:
            await client.deliver(send)
        except OSError:
            flow.client_gone()
        except asyncio.CancelledError:
            flow.client_gone()
            raise
        finally:
            client.flow = None  # or each request would be garbage that only a collection frees
            if reader is not None:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)

    def _arrival(self, scope: Message, head: RequestHead) -> Arrival:
        networks = self.runtime.settings.trusted_proxies
        peer = _peer(scope)
        trusted = is_trusted(peer, networks)
        head.client = peer
        if trusted:
            head.client = client_address(peer, said(head.get).chain, networks)
        arrival = Arrival(peer, scope.get("scheme", "http"), head.host, trusted)
        if is_unbelieved_tls(head, arrival):
            self.runtime.not_believed(peer)
        return arrival


class AsgiClient:
    """The client's end of one request: callbacks on one side, coroutines on the other."""

    def __init__(self, door: AsgiDoor) -> None:
        self.flow: Flow | None = None
        self.close = door.draining
        self.own: ClientConnection | None = None
        self._door = door
        self._out: list[Message] = []
        self._size = 0
        self._paused = False
        self._ended = False
        self._wake: asyncio.Future[None] | None = None
        self._wanted = asyncio.Event()
        self._wanted.set()

    # -- ClientPort --------------------------------------------------------------------------

    def inform(self, head: ResponseHead) -> None:
        """ASGI has no message for interim answers; the server gives a 100 when it is asked on."""
        if head.status == 100:
            self._wanted.set()

    def respond(self, head: ResponseHead) -> None:
        """Begin the answer."""
        headers = [(name.lower(), value) for name, value in head.headers]
        if head.status == 304:  # uvicorn would wait for the bytes that the length announces
            headers = [pair for pair in headers if pair[0] != b"content-length"]
        if self.close or self._door.draining:
            headers.append(_CLOSE)
        self._put({"type": "http.response.start", "status": head.status, "headers": headers})

    def body(self, data: bytes) -> None:
        """A piece of the answer."""
        self._put({"type": "http.response.body", "body": data, "more_body": True})
        self._size += len(data)
        if self._size > HOLD and not self._paused and self.flow is not None:
            self._paused = True
            self.flow.client_paused()

    def end(self, trailers: Headers) -> None:
        """The answer is complete."""
        self._ended = True
        if self._out and "body" in self._out[-1]:
            self._out[-1]["more_body"] = False
        else:
            self._put({"type": "http.response.body", "body": b"", "more_body": False})

    def abort(self) -> None:
        """Return without the end of the answer: the server then breaks the connection off."""
        self._ended = True
        self._rouse()

    def pause_body(self) -> None:
        """Ask the server for no more of the body."""
        self._wanted.clear()

    def resume_body(self) -> None:
        """Ask again."""
        self._wanted.set()

    def connection(self) -> ClientConnection | None:
        """What pools know the client's connection by; None where the server does not say."""
        return self.own

    def body_came(self) -> None:
        """The client sends its body without waiting to be told."""
        if self.flow is not None and self.flow.awaits_continue:
            self._wanted.set()

    def refuse(self, problem: Problem) -> None:
        """The server has had enough of this request: answer so, if that can still be done."""
        self.close = True
        if self.flow is not None:
            self.flow.refuse(problem)

    def gone(self) -> None:
        """The server has lost the client."""
        if self.flow is not None:
            self.flow.client_gone()
        self.abort()

    # -- the coroutines ----------------------------------------------------------------------

    async def deliver(self, send: Send) -> None:
        """Send what the flow says until the answer has ended. Raises OSError for a dead client."""
        while True:
            while self._out:
                out, self._out, self._size = self._out, [], 0
                for message in out:
                    await send(message)
            if self._paused and self.flow is not None:
                self._paused = False
                self.flow.client_resumed()
            if self._out:
                continue
            if self._ended:
                return
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake

    async def read(self, receive: Receive, flow: Flow) -> None:
        """Tell the flow what the client sends, and that it went away."""
        while True:
            await self._wanted.wait()
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone()
                return
            self.take(message, flow)

    def take(self, message: Message, flow: Flow) -> None:
        """One message of the request's body."""
        if message["type"] == "http.request":
            if data := message.get("body"):
                flow.body(data)
            if not message.get("more_body"):
                flow.body_end()

    def _put(self, message: Message) -> None:
        self._out.append(message)
        self._rouse()

    def _rouse(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None and not wake.done():
            wake.set_result(None)


async def _lifespan(receive: Receive, send: Send) -> None:
    """There is nothing to start or stop here: the runtime belongs to whoever made it."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _head(scope: Message, max_fields: int) -> RequestHead:
    """The request head that a scope describes. Raises `BadRequest`."""
    if scope["http_version"] not in _VERSIONS:
        detail = "Only HTTP/1.1 and HTTP/1.0 are spoken here: let HTTP/2 end in a proxy in front."
        raise BadRequest(505, "http_version", detail)
    if len(scope["headers"]) > max_fields:
        raise BadRequest(431, "too_many_headers", "The request has too many header fields.")
    target: bytes = scope.get("raw_path") or scope["path"].encode()
    if query := scope.get("query_string"):
        target = target + b"?" + query
    headers: Headers = [(bytes(name), bytes(value)) for name, value in scope["headers"]]
    minor = 0 if scope["http_version"] == "1.0" else 1
    head = assemble(scope["method"], target, minor, headers)
    head.upgrade = b""
    return head


def _peer(scope: Message) -> str:
    client = scope.get("client")
    return canonical(str(client[0])) if client else ""
