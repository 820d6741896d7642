"""What a proxy tells the fleet: which revision each worker serves, and what it refused.

Instances that disagree after a flip can be seen, and waited for, because each says what
it serves; a breaker that one worker opened is told at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from proxy.control.client import ControlError, ControlPlane
from proxy.processes.quarantine import merged
from proxy.processes.workers import Worker
from proxy.telemetry.backends import granted

if TYPE_CHECKING:
    from proxy.processes.supervisor import Supervisor
    from proxy.tables.check import Served
    from proxy.tables.follow import Follower

_COALESCE_S = 0.005  # workers apply within milliseconds of each other: one message for all
_PAUSE_S = 0.5


class Acknowledger:
    """Sends acknowledgements: at once on a change, and as a heartbeat."""

    def __init__(
        self, control: ControlPlane, make: Callable[[], dict[str, Any]], heartbeat_s: float
    ) -> None:
        self._control = control
        self._make = make
        self._heartbeat_s = heartbeat_s
        self._due = asyncio.Event()
        self.silent = False
        """Another proxy speaks for this instance."""
        self.failed = 0
        """Acknowledgements that did not arrive; the next one says all that they said."""

    def soon(self) -> None:
        """Something changed."""
        self._due.set()

    async def send(self) -> None:
        """Send one now. Raises `ControlError`."""
        self._due.clear()
        if self.silent:
            return
        try:
            await self._control.acknowledge(self._make())
        except ControlError:
            self.failed += 1
            raise

    async def run(self) -> None:
        """Send for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_s):
                    await self._due.wait()
                await asyncio.sleep(_COALESCE_S)
            try:
                await self.send()
            except ControlError:
                await asyncio.sleep(min(_PAUSE_S, self._heartbeat_s))


def acknowledgement(supervisor: Supervisor) -> dict[str, Any]:
    """The message for POST /fleet/acks. `revision` is the lowest that every live worker serves."""
    workers = [worker for worker in supervisor.workers.all if worker.alive]
    lowest = min(workers, key=lambda worker: worker.revision, default=None)
    refused, follower = supervisor.tables.refused, supervisor.tables.follower
    served = supervisor.tables.served
    return {
        "instance": supervisor.settings.instance_name,
        "boot": supervisor.parts.boot,
        "facade": supervisor.parts.facade_url,
        "workers": [
            {
                "id": worker.number,
                "pid": worker.child.pid,
                "revision": max(0, worker.revision),
                "etag": worker.etag,
                "started_ms": worker.child.started_ms,
                "kill": worker.kill,
                "ready": worker.ready,
                "restarts": worker.child.restarts,
                "hung": worker.child.hung,
            }
            for worker in workers
        ],
        "revision": max(0, lowest.revision) if lowest is not None else 0,
        "etag": lowest.etag if lowest is not None else "",
        "applied_ms": supervisor.tables.applied_ms,
        "refused": None
        if refused is None
        else {
            "revision": refused.revision,
            "etag": refused.etag,
            "findings": refused.findings,
        },
        "installation": supervisor.allegiance.followed,
        "foreign": follower is not None and follower.foreign,
        "offered": None if follower is None else _offered(follower, served),
        "kill": kill_state(supervisor),
        "kill_file": supervisor.kill.on_disk,
        "breakers": [item for worker in workers for item in worker.breakers],
        "out": [{"worker": worker.number, **item} for worker in workers for item in worker.out],
        "quarantine": merged(workers, None if served is None else served.table),
        "budgets": _budgets(supervisor, workers),
        "store_error": supervisor.tables.store.error,
        "version": release(),
        "stopping": supervisor.stopping,
        "lame": supervisor.lame,
    }


def kill_state(supervisor: Supervisor) -> dict[str, Any]:
    """Where the kill switch stands: what is in effect, and who says so."""
    kill, served = supervisor.kill, supervisor.tables.served
    live = supervisor.workers.live
    killed = sum(worker.kill for worker in live)
    return {
        "on": bool(live) and killed == len(live),
        "workers": len(live),
        "workers_on": killed,
        "control": kill.control.on,
        "number": kill.control.number,
        "file": kill.on_disk,
        "signal": kill.signal,
        "table": served is not None and served.table.kill_switch,
    }


def _offered(follower: Follower, served: Served | None) -> dict[str, Any] | None:
    """The table that the control plane announced last, where it is not the one served."""
    offer = follower.offered
    if offer is None or (
        served is not None and (offer.revision, offer.etag) == (served.revision, served.etag)
    ):
        return None
    return {
        "installation": offer.installation,
        "revision": offer.revision,
        "etag": offer.etag,
    }


def _budgets(supervisor: Supervisor, workers: list[Worker]) -> list[dict[str, Any]]:
    """What was asked of each budget, and what each legacy backend carries and has carried."""
    rows = supervisor.collector.backends.budgets()
    asked = {row["backend"] for row in rows if row["budget"] == "fallback"}
    plain = {"budget": "fallback", "spent": 0, "refused": 0, "refused_ms": 0}
    rows += [{"backend": key, **plain} for key in supervisor.load.backends if key not in asked]
    per_s = {
        (backend, use): value
        for backend, use, value in granted(item for worker in workers for item in worker.budgets)
    }
    for row in rows:
        if row["budget"] == "fallback":
            row |= supervisor.load.row(row["backend"])
        row["granted_per_s"] = round(per_s.get((row["backend"], row["budget"]), 0.0), 1)
    return rows


@cache
def release() -> str:
    """The release of Figway that runs here."""
    try:
        return version("figway")
    except PackageNotFoundError:
        return "unknown"
