"""The setting of the backlog reaches the kernel."""

from __future__ import annotations

import socket
import sys

import pytest

from figway.routing.compile import compile_table
from proxy.loop.deadlines import DeadlineTimer
from proxy.request.runtime import FacadeSettings, Runtime
from proxy.telemetry.recorder import WorkerRecorder
from proxy.upstreams.factory import open_upstream
from tests.support.tables import table
from tests.support.wire import DOORS


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO of a listener is Linux's")
@pytest.mark.parametrize("name", sorted(DOORS))
async def test_the_backlog_is_that_of_the_settings(name: str) -> None:
    """L4: asyncio sets 100 when it begins to listen, whatever the socket had before."""
    timer = DeadlineTimer()
    runtime = Runtime(
        compile_table(table(), 1, "one"),
        open_upstream=lambda backend: open_upstream(backend, timer),
        timer=timer,
        recorder=WorkerRecorder(None),
        spawn=lambda coroutine, _: coroutine.close(),
        report=lambda where, error: None,
        settings=FacadeSettings(backlog=333),
    )
    door = DOORS[name](runtime)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        await door.listen(listener.dup())
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    assert int.from_bytes(info[28:32], sys.byteorder) == 333  # tcpi_sacked: its backlog
    await door.drain(0.0)
    await runtime.close()
