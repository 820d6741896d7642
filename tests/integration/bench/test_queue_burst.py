"""A burst to a queue route, small: every id once, order by key, and by the rules when it fails."""

from __future__ import annotations

import asyncio
import json

import pytest

from bench.queue_burst import burst, client, table_of
from proxy.request.runtime import FacadeSettings
from tests.support.fake_sqs import FakeQueue
from tests.support.wire import Facade


async def test_every_request_is_one_message_in_order() -> None:
    found = await burst(400, 20, 500)
    assert found.holds, found
    assert (found.accepted, found.messages) == (400, 400)
    assert found.deepest > 0


FAULTS = {
    "throttle": (300, 200),
    "refuse": (300, 200),
    # FIFO: sent once more as the same message, so a single fault costs nothing and doubles nothing.
    "cut": (300, 300),
    "lost": (300, 300),
    "fail": (300, 300),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_queue_in_trouble_doubles_nothing(fault: str) -> None:
    """Every third send goes wrong: what was answered 202 is there once, and nothing else is."""
    requests, accepted = FAULTS[fault]
    calls = {"fault": fault}
    async with FakeQueue(faults=lambda number: calls["fault"] if number % 3 == 0 else "") as queue:
        facade = await asyncio.to_thread(Facade, "native", table_of(queue.url), FacadeSettings())
        times: list[float] = []
        found = await client(facade.port, 1, requests, times)
        records = [record.failure for record in facade.records]
        await asyncio.to_thread(facade.stop)
        ids = []
        while (message := queue.receive()) is not None:
            ids.append(json.loads(message["MessageBody"])["id"])
            queue.delete(message)
    assert found == accepted
    assert len(ids) == len(set(ids)) == accepted
    named = {"throttle": "service_throttled", "refuse": "service_refused"}.get(fault, "")
    assert records.count(named) >= requests - accepted
