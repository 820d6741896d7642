"""The feed behind the streams: it waits for nobody."""

from __future__ import annotations

import pytest

from control_plane.http.problems import ApiProblem
from control_plane.publishing.hub import Hub, event


async def test_a_slow_reader_is_cut_off_and_others_are_not() -> None:
    """trap 51: a proxy that does not read its stream cannot hold up a flip."""
    hub = Hub(10)
    slow, quick = hub.subscribe(), hub.subscribe()
    received = 0
    for number in range(1_000):
        hub.publish(event("revision", {"revision": number}))
        while not quick.empty():
            assert quick.get_nowait() is not None
            received += 1
    assert received == 1_000
    assert hub.streams == 1
    assert [part async for part in hub.stream(slow)] == []


async def test_the_number_of_streams_is_limited() -> None:
    hub = Hub(1)
    queue = hub.subscribe()
    with pytest.raises(ApiProblem, match="FIGWAY_MAX_STREAMS"):
        hub.subscribe()
    hub.publish(b"x")
    hub.close()
    assert [part async for part in hub.stream(queue, b"first")] == [b"first"]
