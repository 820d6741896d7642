"""Live feeds: prices as server-sent events, the support chat, and pages that are slow or flaky."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from legacy_stub.answers import ApiError, answer, whole
from legacy_stub.clock import fine_stamp
from legacy_stub.money import money
from legacy_stub.shop import Shop, shop_of

_BURST = 1_000
_ADVICE = (
    "Let me look that up for you.",
    "The key is under the third flower pot.",
    "I shall ask my colleague in Lisboa.",
    "That is in the small print, I am afraid.",
)


async def prices(request: Request) -> Response:
    """`GET /live/prices`"""
    interval = whole(request.query_params, "interval", 1_000, 10, 60_000)
    limit = whole(request.query_params, "limit", 0, 1, 1 << 36)
    seen = request.headers.get("last-event-id", "")
    start = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 12 else 0
    feed = _feed(shop_of(request), start, interval / 1000, limit)
    headers = {"cache-control": "no-cache", "content-type": "text/event-stream; charset=utf-8"}
    return StreamingResponse(feed, headers=headers)


async def _feed(shop: Shop, start: int, interval: float, limit: int) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n"
    hotels = [(row["id"], row["price"]) for row in shop.hotels.all()]
    number = start
    while not shop.stopping.is_set() and not (limit and number - start >= limit):
        number += 1
        hotel, base = hotels[number * 7 % len(hotels)]
        price = base * (100 + number * 37 % 21 - 10) // 100
        data = orjson.dumps({"hotel_id": hotel, "price": money(price), "at": fine_stamp()})
        yield b"id: %d\nevent: price\ndata: %s\n\n" % (number, data)
        await shop.pause(interval)


async def support(socket: WebSocket) -> None:
    """`/ws/support`: greets, answers, and hangs up when it is told to."""
    offered = socket.scope.get("subprotocols", [])
    await socket.accept("support.v1" if "support.v1" in offered else None)
    greeting = {"type": "greeting", "agent": "Maja", "text": "Wayfarer support, good day!"}
    await socket.send_text(_text(greeting))
    number = 0
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("bytes") is not None:
                await socket.send_bytes(message["bytes"])
                continue
            said = message["text"]
            if (farewell := _farewell(said)) is not None:
                await socket.close(*farewell)
                return
            for _ in range(_answers(said)):
                number += 1
                reply = _ADVICE[number % len(_ADVICE)]
                spoken = {"type": "answer", "number": number, "echo": said, "text": reply}
                await socket.send_text(_text(spoken))
    except WebSocketDisconnect:
        return


def _text(message: Mapping[str, object]) -> str:
    return orjson.dumps(message).decode()


def _answers(said: str) -> int:
    count = said.removeprefix("burst ")
    if count != said and count.isascii() and count.isdigit() and len(count) < 6:
        return min(int(count), _BURST)
    return 1


def _farewell(said: str) -> tuple[int, str] | None:
    if said == "bye":
        return 1000, "goodbye"
    command, _, rest = said.partition(" ")
    code, _, reason = rest.partition(" ")
    if command != "close" or not (code.isascii() and code.isdigit() and len(code) == 4):
        return None
    allowed = int(code) == 1000 or 3000 <= int(code) <= 4999
    return (int(code), reason[:100]) if allowed else None


async def slow(request: Request) -> Response:
    """`GET /slow`"""
    wanted = whole(request.query_params, "ms", 500, 0, 60_000)
    await shop_of(request).pause(wanted / 1000)
    return answer(request, {"slept_ms": wanted})


async def flaky(request: Request) -> Response:
    """`GET /flaky`"""
    try:
        rate = float(request.query_params.get("rate", "0.3"))
    except ValueError as error:
        raise ApiError(400, "bad_request", "rate must be a number.", "rate") from error
    if shop_of(request).dice.random() < rate:
        raise ApiError(503, "unavailable", "The booking clerk is at lunch.")
    return answer(request, {"ok": True})
