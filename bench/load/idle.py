"""Idle connections: each asks once, then stays silent until standard input says go on.

    python -m bench.load.idle PORT N...

For each N in turn it opens connections up to N, prints the number, and waits for a line.
"""

from __future__ import annotations

import asyncio
import resource
import sys

import uvloop

from bench.load.heads import browser_heads


async def run(port: int, counts: list[int]) -> None:
    """Open, tell, wait."""
    heads = browser_heads(1_000, 200)
    kept: list[asyncio.StreamWriter] = []
    loop = asyncio.get_running_loop()
    for count in counts:
        while len(kept) < count:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(heads[len(kept) % 1_000])
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            at = head.find(b"content-length: ") + 16
            await reader.readexactly(int(head[at : head.find(b"\r", at)]))
            kept.append(writer)
        print(count, flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
    for writer in kept:
        writer.transport.abort()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(run(int(sys.argv[1]), [int(item) for item in sys.argv[2:]]))
