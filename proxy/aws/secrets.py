"""Backend credentials in AWS Secrets Manager: read before a table serves, and every 5 minutes.

A table that names a secret waits for it, beside the requests; whoever serves is told when one has
changed. While it cannot be read again, what was read last stays. A table can only name what was put
there for it: secrets below a prefix of their own, so that it is no way to the proxy's other ones.
Calls are the callbacks of `proxy.serverless`, which outlive a freeze of the sandbox.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import orjson

from figway.model.backend import secret_references
from figway.model.table import Table
from proxy.loop.deadlines import DeadlineTimer

if TYPE_CHECKING:
    from proxy.aws.api import Service
    from proxy.aws.calls import Call, Reply

SCHEME = "aws-secret"
PREFIX_VARIABLE = "FIGWAY_AWS_SECRETS_PREFIX"
DEFAULT_PREFIX = "figway/backend/"
READ_AGAIN_S = 300.0
RETRY_S = 30.0
"""Until a secret that could not be read again is asked for once more."""
FIRST_AGAIN_S = 2.5
MOST_AGAIN_S = 60.0
"""The same for a table that waits for one: doubled each time, up to."""
FIRST_S = 5.0
"""How long a table waits for its secrets."""
_LOOK_MS = 1_000
_REGION = re.compile(r"[a-z0-9-]{1,64}").fullmatch
_ERROR = re.compile(r"[A-Za-z]{1,100}").fullmatch

Report = Callable[[str, BaseException], None]


def named(table: Table) -> frozenset[str]:
    """Names or ARNs of the secrets that a table refers to."""
    start = SCHEME + ":"
    return frozenset(
        reference.removeprefix(start)
        for backend in table.backends.values()
        for reference in secret_references(backend)
        if reference.startswith(start)
    )


class Reading:
    """First reads for one table. `told` is called once, when the last has ended."""

    def __init__(self, told: Callable[[], None]) -> None:
        self.calls: dict[str, Call] = {}
        self._told = told

    @property
    def dialling(self) -> bool:
        """See `Call.dialling`."""
        return any(call.dialling for call in self.calls.values())

    def cancel(self, error: str = "given up") -> None:
        """Give up what is open; `told` is called."""
        for call in list(self.calls.values()):
            call.cancel(error)

    def ended(self, name: str) -> None:
        """One of them has its answer."""
        del self.calls[name]
        if not self.calls:
            self._told()


class AwsSecrets:
    """The secrets of the served tables. `get` is the resolver of `aws-secret:`.

    `changed` is called when one that serves has another value, `report` when one cannot be read
    again. Implements `HasDeadline`; `clock` is the wall's, as the monotonic one may stand still in
    a frozen sandbox.
    """

    def __init__(
        self,
        timer: DeadlineTimer,
        changed: Callable[[], None],
        report: Report,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.deadline = 0
        self._timer = timer
        self._changed = changed
        self._report = report
        self._environ = os.environ if environ is None else environ
        self._clock = clock
        self._services: dict[str, Service] = {}
        self._values: dict[str, str] = {}
        self._faults: dict[str, str] = {}
        self._barred: set[str] = set()
        self._served: frozenset[str] = frozenset()
        self._again: dict[str, Call] = {}
        self._due = 0.0

    def __repr__(self) -> str:
        return f"AwsSecrets({len(self._values)} read)"

    def get(self, name: str) -> str:
        """What was read of a secret. Raises ValueError with the reason why nothing was."""
        value = self._values.get(name)
        if value is None:
            raise ValueError(self._faults.get(name, "it has not been read"))
        return value

    # -- a table -----------------------------------------------------------------------------

    def begin(self, table: Table, told: Callable[[], None]) -> Reading | None:
        """Read what the table names and nobody has tried yet; None if there is nothing to wait for.

        What could not be read before is read again beside the requests (`look`), so that a secret
        that is missing holds up one table, not every later one.

        `told` is called later, never within this call, whether they could be read or not.
        """
        reading = Reading(told)
        for name in sorted(named(table) - self._values.keys() - self._faults.keys()):
            call = self._start(name, partial(self._first, name, reading))
            if call is not None:
                reading.calls[name] = call
        return reading if reading.calls else None

    async def ready(self, table: Table) -> None:
        """The same for who can wait: at most `FIRST_S`. Raises nothing: `get` does."""
        over = asyncio.Event()
        reading = self.begin(table, over.set)
        if reading is None:
            return
        try:
            async with asyncio.timeout(FIRST_S):
                await over.wait()
        except TimeoutError:
            pass
        finally:
            reading.cancel("no answer in time")

    def waits(self, table: Table) -> bool:
        """Whether another try at the table may find what is missing."""
        return bool(named(table) - self._values.keys() - self._barred)

    def serves(self, table: Table) -> None:
        """Keep fresh what this table names from now on, and forget all else."""
        if not self._served:
            self._due = self._clock() + READ_AGAIN_S
        self._served = named(table)
        if self._served - self._values.keys():
            self._due = min(self._due, self._clock() + FIRST_AGAIN_S)
        for known in (self._values, self._faults):
            for name in known.keys() - self._served:
                del known[name]
        self._barred &= self._served
        if self._served:
            self._timer.add(self)
        else:
            self._timer.discard(self)

    # -- reading again -----------------------------------------------------------------------

    def expired(self, now: int) -> None:
        """See `HasDeadline`."""
        self.deadline = now + _LOOK_MS
        self.look()

    def look(self) -> None:
        """Read again what is due. Returns at once."""
        now = self._clock()
        if self._again or not self._served or 0 < self._due - now <= READ_AGAIN_S:
            return
        self._due = now + READ_AGAIN_S
        for name in sorted(self._served):
            call = self._start(name, partial(self._reread, name))
            if call is not None:
                self._again[name] = call

    @property
    def dialling(self) -> bool:
        """Something that is read again waits for its connection. See `Call.dialling`."""
        return any(call.dialling for call in self._again.values())

    def give_up_dialling(self) -> None:
        """End of an invocation: what still has no connection cannot outlive it."""
        for call in list(self._again.values()):
            if call.dialling:
                call.cancel("no connection in the time of an invocation")

    async def close(self) -> None:
        """Close every connection."""
        self._served = frozenset()
        self._timer.discard(self)
        for service in self._services.values():
            await service.origin.close()

    def _reread(self, name: str, reply: Reply) -> None:
        self._again.pop(name, None)
        before = self._values.get(name)
        if not self._take(name, reply):
            self._due = min(self._due, self._clock() + RETRY_S)
            self._report(f"{SCHEME}:{name}", ValueError(self._faults[name]))
        elif name in self._served and self._values[name] != before:
            self._changed()

    # -- one secret --------------------------------------------------------------------------

    def _first(self, name: str, reading: Reading, reply: Reply) -> None:
        self._take(name, reply)
        reading.ended(name)

    def _start(self, name: str, done: Callable[[Reply], None]) -> Call | None:
        # Imported where it is asked for: signing has its weight, and few tables need it.
        from proxy.aws.api import Service, region_of, secret_value

        prefix = self._environ.get(PREFIX_VARIABLE) or DEFAULT_PREFIX
        region = region_of(name)
        own = name.split(":", 6)[-1] if name.startswith("arn:") else name
        if not own.startswith(prefix):
            self._bar(name, f"not below {PREFIX_VARIABLE}, which is {prefix}")
            return None
        if _REGION(region) is None:  # it becomes part of a host name
            self._bar(name, "no region has such a name")
            return None
        service = self._services.get(region)
        if service is None:
            service = self._services[region] = Service("secretsmanager", region, self._timer)
        return secret_value(service, name, done)

    def _bar(self, name: str, why: str) -> None:
        self._faults[name] = why
        self._barred.add(name)

    def _take(self, name: str, reply: Reply) -> bool:
        from proxy.aws.api import read_secret

        value = read_secret(reply)
        if value:
            self._values[name] = value
            self._faults.pop(name, None)
            return True
        self._faults[name] = _reason(reply)
        return False


def _reason(reply: Reply) -> str:
    """Why there is no secret in an answer, in words that quote nothing of it but a type."""
    if not reply.status:
        return f"Secrets Manager cannot be asked: {reply.error}"
    if reply.status == 200:
        return "it holds neither text nor JSON with key"
    kind = ""
    with suppress(KeyError, TypeError, ValueError):
        kind = str(orjson.loads(reply.body)["__type"]).rpartition("#")[2]
    return f"Secrets Manager answers {reply.status} {kind if _ERROR(kind) else ''}".rstrip()
