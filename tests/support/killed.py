"""Processes of a control plane that do one thing each, and may be killed (SIGKILL) in the middle.

A place to be killed at is a place at which something differs for whoever comes afterwards: before
each statement that writes, before each commit, and after it. What lies between two of them are
reads. Each process is a fork of one that has imported everything, so that hundreds are affordable.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from sqlalchemy import delete, event
from sqlalchemy.ext.asyncio import AsyncTransaction

from control_plane.auth.keys import generate
from control_plane.bootstrap import create_app, make_services, prepare
from control_plane.db.engine import Database
from control_plane.db.rollout_models import LeaseRow
from control_plane.settings import Settings
from tests.support.control import Control
from tests.support.rollouts import PLAN, Heard, set_clock

_READS = ("SELECT", "PRAGMA", "BEGIN", "SAVEPOINT", "RELEASE", "SHOW")


class Places:
    """Counts the places at which a process may be killed, and kills it at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.passed = 0
        self._kill_at = kill_at

    def reach(self) -> None:
        """One more. At the one that was asked for nothing is done any more: not even an `except`
        or a `finally`."""
        self.passed += 1
        if self.passed == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def watching(self, database: Database) -> Iterator[None]:
        """Count what is written to a database."""
        engine, commit = database.engine.sync_engine, database._commit

        def before(*args: Any) -> None:
            if not args[2].lstrip().upper().startswith(_READS):
                self.reach()

        async def committed(transaction: AsyncTransaction) -> None:
            self.reach()
            await commit(transaction)
            self.reach()

        event.listen(engine, "before_cursor_execute", before)
        database._commit = committed  # type: ignore[method-assign]
        try:
            yield
        finally:
            database._commit = commit  # type: ignore[method-assign]
            event.remove(engine, "before_cursor_execute", before)


@asynccontextmanager
async def still(url: str, key: str, moment_ms: int) -> AsyncIterator[Control]:
    """A control plane that does only what it is told to, at a moment that was. Evidence proves
    agreement."""
    with pytest.MonkeyPatch.context() as patch:
        set_clock(patch, moment_ms - int(time.time() * 1_000))
        services = make_services(Settings(database_url=url, bootstrap_admin_key=key))
        try:
            await prepare(services)
            control = Control(services, create_app(services), key)
            Heard(control)
            async with control.client:
                yield control
        finally:
            await services.database.close()


async def act(control: Control, what: str, key: str) -> None:
    """What the process is there for: a look, a round of deliveries, or a person's word."""
    if what == "look":
        await control.services.ticker.round()
    elif what == "send":
        await control.services.sender.round()
    else:
        body: dict[str, Any] = {"reason": "test"}
        if what == "start":
            body["plan"] = PLAN
        async with control.client_with(key) as person:
            answer = await person.post(f"/rollouts/orders/{what}", json=body)
        assert answer.status_code == 200, answer.text


async def goes_on(control: Control, what: str, key: str) -> dict[str, Any]:
    """What comes of it in the end: the lease of whoever was killed runs out, the person who got no
    answer looks whether it was done and says it again, and the machine looks three times."""
    await control.services.publisher.refresh()
    async with control.services.database.write() as connection:
        await connection.execute(delete(LeaseRow))
    told = await _timeline(control)
    was_done = what.replace("-", "_") in {line["kind"] for line in told}
    if what not in ("look", "send") and not was_done:
        await act(control, what, key)
    for _ in range(3):
        await control.services.ticker.round()
        assert control.services.ticker.failing == {}
    if what == "send":
        await control.services.sender.drain()
    return await outcome(control)


async def outcome(control: Control) -> dict[str, Any]:
    """Everything that was made of it, but for numbers and moments."""
    found = await control.get("/rollouts/orders")
    events = (await control.get("/out-events", limit=500))["items"]
    audit = (await control.get("/audit", limit=500))["items"]
    revisions = (await control.get("/revisions", limit=200))["items"]
    told = [line["revision"] for line in await _timeline(control) if line["revision"]]
    assert sorted(told) == sorted(e["revision"] for e in revisions if e["source"] == "rollout")
    deliveries = (await control.get("/deliveries", limit=500))["items"]
    return {
        "stands": {name: found[name] for name in ("phase", "waiting_for", "step", "stands")},
        "timeline": [
            [line["kind"], line["phase"], line["waiting_for"], line["step"],
             line["revision"] is not None, [reason["code"] for reason in line["reasons"]]]
            for line in await _timeline(control)
        ],
        "revisions": [[entry["source"], entry["summary"]] for entry in revisions],
        "events": Counter(entry["type"] for entry in events),
        "audit": Counter(f"{entry['action']} by {entry['actor']}" for entry in audit),
        "deliveries": Counter(f"{one['type']} {one['status']}" for one in deliveries),
    }  # fmt: skip


async def _timeline(control: Control) -> list[dict[str, Any]]:
    answer = await control.client.get("/rollouts/orders/timeline", params={"limit": 500})
    found: list[dict[str, Any]] = answer.json()["items"] if answer.status_code == 200 else []
    return found


# -- the processes -----------------------------------------------------------------------------


class Forks:
    """Asks for processes. Each job is a mapping: `url`, `key`, `moment_ms`, `what`, and `kill_at`
    for one that acts (0 for nowhere), or `goes_on`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, **job: Any) -> dict[str, Any]:
        """What became of one: `killed`, or what it answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process that forks has ended"
        found: dict[str, Any] = json.loads(line)
        assert "failed" not in found, found["failed"]
        return found


@contextmanager
def forks() -> Iterator[Forks]:
    """A process that forks for each job."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield Forks(process)
    finally:
        process.kill()
        process.communicate()


def _serve() -> None:
    asyncio.run(_warmed())
    for line in sys.stdin:
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.close(read)
            _answer(json.loads(line), write)
        os.close(write)
        with os.fdopen(read) as answers:
            said = answers.read()
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            said = json.dumps({"killed": True})
        print(said or json.dumps({"failed": f"it ended with {status}"}), flush=True)


async def _warmed() -> None:
    """What a process does once, and takes seconds for: imports, endpoints, a first request."""
    with tempfile.TemporaryDirectory() as folder:
        url, key = f"sqlite:///{folder}/figway.sqlite3", str(generate())
        async with still(url, key, int(time.time() * 1_000)) as control:
            await control.services.ticker.round()
            await control.get("/audit")


def _answer(job: dict[str, Any], write: int) -> None:
    """Do a job in this process, and end it."""
    try:
        said = asyncio.run(_done(job))
    except BaseException as error:
        said = {"failed": f"{type(error).__name__}: {error}"}
    os.write(write, json.dumps(said).encode())
    os._exit(0)


async def _done(job: dict[str, Any]) -> dict[str, Any]:
    async with still(job["url"], job["key"], job["moment_ms"]) as control:
        what, key = job["what"], job["person"]
        if job.get("goes_on"):
            return await goes_on(control, what, key)
        places = Places(job["kill_at"])
        with places.watching(control.services.database):
            await act(control, what, key)
        return {"passed": places.passed}


if __name__ == "__main__":
    _serve()
