"""Request heads like those of `load.lua`, for the generators in Python."""

from __future__ import annotations

import random

AGENT = (
    b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/131.0.0.0 Safari/537.36"
)
_TAILS = ("", "/items", "/items/{0}", "/a/b/{0}")
_HEAD = (
    b"GET %b HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: %b\r\n"
    b"Accept: application/json, text/plain, */*\r\nAccept-Language: en-GB,en;q=0.9\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Referer: https://shop.example/catalogue?page=3\r\n"
    b"Connection: keep-alive\r\nCookie: session=%016x; figway_id=%024x\r\n"
    b"Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n"
    b"Cache-Control: no-cache\r\nPriority: u=4\r\n"
    b"traceparent: 00-%032x-%016x-01\r\n\r\n"
)


def browser_heads(count: int, routes: int) -> list[bytes]:
    """`count` heads, no two alike, over `routes` routes."""
    chance = random.Random(4711)
    users = [chance.getrandbits(96) for _ in range(2_000)]
    heads = []
    for number in range(count):
        route = chance.randrange(routes)
        tail = _TAILS[route % 4].format(number)
        path = f"/api/v1/resource-{route}/{100_000 + number}{tail}".encode()
        bits = chance.getrandbits
        heads.append(_HEAD % (path, AGENT, bits(64), users[number % 2_000], bits(128), bits(64)))
    return heads
