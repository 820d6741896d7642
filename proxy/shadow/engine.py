"""The comparing engine, assembled once for both of its hosts.

The hosts are the shadow worker's process and the Lambda function that works off the queue. They
bring captures, the table and the time; what they get are rows to hand in.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from figway.model.backend import Backend
from figway.routing.compile import CompiledTable
from proxy.capture.message import Captured
from proxy.policies.credentials import Secrets
from proxy.shadow.backend_queue import BackendQueue
from proxy.shadow.pairs import Pairs
from proxy.shadow.replay import Replayer
from proxy.shadow.settings import ShadowSettings
from proxy.shadow.table import ShadowTable
from proxy.shadow.tally import Tally
from proxy.shadow.thread import CompareThread
from proxy.upstreams.port import Upstream


class ShadowEngine:
    """Captures in, rows out.

    `opened` makes the upstream of a backend, `spawn` begins a task, `on_pause` hears of backends
    that are left alone, `on_fault` of faults of our own. `secrets` are where references lead.
    """

    def __init__(
        self,
        settings: ShadowSettings,
        opened: Callable[[Backend], Upstream],
        spawn: Callable[[Coroutine[Any, Any, None], str], object],
        on_pause: Callable[[BackendQueue], None],
        on_fault: Callable[[str, BaseException], None],
        secrets: Secrets | None = None,
    ) -> None:
        self.tally = Tally()
        self.thread = CompareThread()
        self.table = ShadowTable(settings, opened, spawn, self._begin, on_pause, on_fault, secrets)
        self.pairs = Pairs(self.table, self.tally, self.thread, settings, spawn)
        self.replayer = Replayer(self.table, self.thread, settings.timeout_ms)

    def _begin(self, queue: BackendQueue, captured: Captured) -> None:
        self.pairs.begin(queue, captured)

    def swap(self, compiled: CompiledTable) -> None:
        """Use another table."""
        self.pairs.table_changed(self.table.swap(compiled))

    def restore(self, windows: Iterable[Mapping[str, Any]]) -> None:
        """Take in the forms and looks that the control plane keeps of the present windows."""
        self.table.restore(windows)

    @property
    def paused(self) -> list[dict[str, Any]]:
        """Backends that are left alone, and why."""
        return [found for queue in self.table.queues.values() if (found := queue.paused())]

    async def close(self) -> None:
        """Close every connection; the work has been given up or done."""
        self.thread.close()
        await self.table.close()
