"""The shadow worker as a function that a queue triggers: `proxy.serverless.worker.handler`.

A batch of messages is compared; an event of a schedule does the replays that people ordered. The
same comparing as in a container; the table, the noise that was learned and the connections live
as long as the sandbox. A message is answered for by itself (partial batch failure): one that cannot
be read, or whose results the control plane did not take, goes back to the queue, and in the end to
its dead letters. Each message is handed in as a batch named after it, so that one that comes again,
alone or with others, is not counted twice.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import os
import time
import uuid
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from figway.compare.plugin_names import plugin_names
from figway.routing.compile import CompiledTable
from proxy.aws.api import Service, fetch_secret, object_path, region_of
from proxy.aws.calls import Reply, finished
from proxy.aws.secrets import SCHEME, AwsSecrets
from proxy.capture.message import MAX_MESSAGE, BadMessage, Captured, decode
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.events import EventLog
from proxy.loop.tasks import TaskKeeper
from proxy.policies.credentials import Secrets
from proxy.serverless.control import ControlOrigins
from proxy.serverless.settings import LambdaSettings, SettingsError, load
from proxy.serverless.tables import ControlSource, SandboxTable, make_source
from proxy.shadow.backend_queue import BackendQueue
from proxy.shadow.engine import ShadowEngine
from proxy.shadow.replay import parts
from proxy.shadow.rows import RowSet
from proxy.shadow.settings import ShadowSettings, redaction_key
from proxy.upstreams.factory import open_upstream

MARGIN_MS = 2_000
"""Kept back of an invocation's time, to hand in what was compared."""
_TICK_S = 0.02
_MOST_BATCHES = 50
_LONGEST_NAME = 64
_OTHERS = ""
"""What is counted with no message of now: the rest of an invocation that ran out of time."""
_REFUSED = frozenset({400, 413, 415, 422})
"""The same would be refused again."""
_STILL_TICKS = 25
"""Ticks without a pair that ends, after which held ones end by what is known."""


class NotTaken(Exception):
    """The control plane did not take what was sent; it may later."""


class QueueWorker:
    """One sandbox of the worker. Must be made on its loop."""

    def __init__(
        self,
        settings: LambdaSettings,
        shadow: ShadowSettings,
        timer: DeadlineTimer,
        keys: ControlSource,
    ) -> None:
        self.log = EventLog()
        self.timer = timer
        self.keeper = TaskKeeper(self._failed)
        self.secrets = AwsSecrets(self.timer, self._secrets_changed, self._failed)
        self._references = Secrets(resolvers={SCHEME: self.secrets.get})
        self.table = SandboxTable(
            make_source(settings, self.timer),
            settings.table_max_age_s,
            self._swap,
            self.log,
            self.secrets,
            installation=settings.installation,
            several=not settings.table_url and len(settings.control_urls) > 1,
        )
        self._settings = settings
        self._shadow = shadow
        self._engine = ShadowEngine(
            shadow,
            lambda backend: open_upstream(backend, self.timer),
            self.keeper.spawn,
            self._paused_changed,
            self._failed,
            self._references,
        )
        self._pairs = self._engine.pairs
        self._learned = False
        self._control = ControlOrigins(settings.control_urls, self.timer)
        self._keys = keys
        self._stores: dict[str, Service] = {}
        self.table.start(settings)
        if self.table.served is not None:
            self._swap(self.table.served.compiled)
            self.secrets.serves(self.table.served.table)

    async def work(self, event: Mapping[str, Any], remaining_ms: int) -> dict[str, Any]:
        """Work off a batch of messages; which of them failed. Without any, do what is to be
        replayed."""
        until = time.monotonic() + max(0, remaining_ms - MARGIN_MS) / 1_000
        records = event.get("Records")
        failed: list[str] = []
        self.timer.start()
        try:
            await asyncio.sleep(0)
            if records:
                failed = await self._batch(list(records), until)
            else:
                await self._replay(until)
        finally:
            self.table.give_up_dialling()
            await asyncio.sleep(0)
            await self.keeper.close()
            self.timer.stop()
            for _ in range(3):
                await asyncio.sleep(0)
        return {"batchItemFailures": [{"itemIdentifier": item} for item in failed]}

    async def _batch(self, records: list[Mapping[str, Any]], until: float) -> list[str]:
        captures: dict[str, Captured] = {}
        reports: dict[str, dict[str, Any]] = {}
        failed: list[str] = []
        for record in records:
            key = str(record.get("messageId", ""))
            try:
                found = await self._read(str(record.get("body", "")))
            except (BadMessage, NotTaken) as error:
                self.log.error("shadow_message", f"Message {key} cannot be read: {error}.")
                failed.append(key)
                continue
            if isinstance(found, Captured):
                captures[key] = found
            else:
                reports[key] = found
        parts: dict[str, RowSet] = {}
        for key, batch in reports.items():
            rows = await self._report(batch)
            if rows is None:
                failed.append(key)
            elif rows.found:
                parts[key] = rows
        parts |= await self._compare(captures, until)
        return failed + await self._hand_in(parts)

    # -- messages ----------------------------------------------------------------------------

    async def _read(self, body: str) -> Captured | dict[str, Any]:
        """A capture, or a batch of counters. Raises `BadMessage`, and `NotTaken` for S3."""
        try:
            data = orjson.loads(body)
            if data["t"] == "report":
                batch: dict[str, Any] = data["batch"]
                return batch
            if data["t"] != "capture":
                raise BadMessage("neither capture nor report")
            if "s3" in data:
                content = await self._fetch(str(data["s3"]))
            else:
                content = base64.b64decode(data["d"], validate=True)
            return decode(_unzipped(content) if data.get("z") else content)
        except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as error:
            raise BadMessage(f"not a message of a proxy: {type(error).__name__}") from None

    async def _fetch(self, reference: str) -> bytes:
        bucket, _, key = reference.removeprefix("s3://").partition("/")
        service = self._stores.get(bucket)
        if service is None:
            if bucket != self._settings.bucket:  # a message may not choose what is read
                raise BadMessage("a bucket that is not the captures'")
            service = self._stores[bucket] = Service("s3", region_of(), self.timer)
        path = object_path(bucket, key)
        reply = await finished(lambda done: service.start("GET", path, [], None, done))
        if reply.status != 200:
            raise NotTaken(reply.error or f"S3 answers {reply.status}")
        return reply.body

    # -- comparing ---------------------------------------------------------------------------

    async def _compare(self, captures: dict[str, Captured], until: float) -> dict[str, RowSet]:
        """Compare what came in, as far as there is time; what became of it, by message."""
        if not captures:
            return {}
        newest = max(captured.revision for captured in captures.values())
        if newest > self._engine.table.revision:
            await self._fresh(until)
        else:
            self.table.look()
        names = {id(captured): key for key, captured in captures.items()}
        self._engine.tally.part_of = lambda captured: names.get(id(captured), _OTHERS)
        for captured in captures.values():
            self._pairs.take(captured)
        await self._know()
        await self._work_off(until)
        parts = self._engine.tally.take_parts()
        for rows in parts.values():
            for row in rows.found.values():
                row.captured = sum(row.verdicts.values()) + sum(row.dropped.values())
        return parts

    async def _work_off(self, until: float) -> None:
        quiet = still = 0
        before = self._pairs.open
        while quiet < 2 and time.monotonic() < until:
            self._pairs.tick()
            if still >= _STILL_TICKS:  # what waits now waits for more pairs than this batch has
                self._pairs.hurry()
            quiet = 0 if self._pairs.open else quiet + 1
            still = still + 1 if self._pairs.open == before else 0
            before = self._pairs.open
            await asyncio.sleep(_TICK_S if self._pairs.open else 0)
        if self._pairs.open:
            self._pairs.stop("out_of_time")
            await self.keeper.close()

    async def _know(self) -> None:
        """Take in, once a sandbox, what the control plane knows of the present windows."""
        if self._learned:
            return
        reply = await self._call("GET", "/api/v1/comparisons/learned", None)
        if reply.status in (200, 404):  # 404: a control plane of before second looks
            self._learned = True
        if reply.status == 200:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                self._engine.restore(orjson.loads(reply.body)["windows"])

    async def _replay(self, until: float) -> None:
        """Do replays as long as there are any, and time; what is begun and not done comes again."""
        await self._fresh(until)
        while time.monotonic() < until and (jobs := await self._jobs()):
            for part in [part for job in jobs for part in parts(job)]:
                if time.monotonic() >= until:
                    return
                results = await self._engine.replayer.replay(part)
                path = f"/api/v1/comparisons/replays/{quote(part['id'], safe='')}/results"
                await self._post(path, {"results": results})

    async def _jobs(self) -> list[dict[str, Any]]:
        """The replay jobs that wait for somebody."""
        instance = quote(self._settings.instance, safe="")
        reply = await self._call("GET", f"/api/v1/comparisons/replays?instance={instance}", None)
        if reply.status == 404:  # a control plane of before replays
            return []
        if reply.status != 200:
            why = reply.error or f"it answers {reply.status}"
            self.log.error("control_plane", f"The control plane tells of no replays: {why}.")
            return []
        jobs: list[dict[str, Any]] = orjson.loads(reply.body)["jobs"]
        return jobs

    async def _fresh(self, until: float) -> None:
        try:
            async with asyncio.timeout(max(0.1, min(5.0, until - time.monotonic()))):
                await self.table.refreshed()
        except TimeoutError:
            return

    def _swap(self, compiled: CompiledTable) -> None:
        self._engine.swap(compiled)

    def _secrets_changed(self) -> None:
        self._engine.table.secrets_changed()

    def _paused_changed(self, queue: BackendQueue) -> None:
        paused = queue.paused()
        if paused is not None:
            name = queue.target.backend.id
            self.log.warning(
                "shadow_paused", f"No copies go to {name} for a while: {paused['why']}."
            )

    # -- the control plane -------------------------------------------------------------------

    async def _report(self, batch: dict[str, Any]) -> RowSet | None:
        """Pass a proxy's counters on, and return its shadow's; None if they are to come again."""
        shadow = batch.pop("shadow", [])
        if not await self._post("/api/v1/reports", batch):
            return None
        rows = RowSet()
        for data in shadow:
            row = rows.row(data["route"], data["window"], data["revision"])
            for reason, number in data["skipped"].items():
                row.captured += number
                row.skip(reason, number)
            for reason, number in data["dropped"].items():
                row.captured += number
                row.drop(reason, number)
        return rows

    async def _hand_in(self, parts: dict[str, RowSet]) -> list[str]:
        """Hand in what became of messages; those that are to come again."""
        batches = {key: self._batch_of(key, rows) for key, rows in parts.items() if rows.found}
        names, failed = list(batches), []
        for start in range(0, len(names), _MOST_BATCHES):
            some = names[start : start + _MOST_BATCHES]
            if not await self._hand_in_some([batches[key] for key in some]):
                failed += some
        return [key for key in failed if key != _OTHERS]

    async def _hand_in_some(self, batches: list[dict[str, Any]]) -> bool:
        """All of them or none; what is refused together is handed in one by one."""
        path = "/api/v1/comparisons/batches/many"
        reply = await self._send(path, {"batches": batches})
        if reply.status not in _REFUSED or len(batches) == 1:
            return self._taken(path, reply)
        taken = [await self._post(path, {"batches": [batch]}) for batch in batches]
        return all(taken)  # those that were taken are not counted again

    def _batch_of(self, key: str, rows: RowSet) -> dict[str, Any]:
        now = int(time.time() * 1_000)
        return {
            "instance": self._settings.instance,
            "boot": f"m-{key}"[:_LONGEST_NAME] if key != _OTHERS else uuid.uuid4().hex,
            "sequence": 0,
            "from_ms": now,
            "to_ms": now,
            "routes": rows.to_data(),
            "worker": {"paused": self._engine.paused, "queue": {}},
        }

    async def _post(self, path: str, data: dict[str, Any]) -> bool:
        """Hand something in; False if it is to come again."""
        return self._taken(path, await self._send(path, data))

    async def _send(self, path: str, data: dict[str, Any]) -> Reply:
        body = orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS)
        return await self._call("POST", path, body)

    def _taken(self, path: str, reply: Reply) -> bool:
        if reply.status in (200, 204):
            return True
        why = reply.error or f"it answers {reply.status}"
        self.log.error("control_plane", f"The control plane did not take {path}: {why}.")
        return reply.status in _REFUSED

    async def _call(self, method: str, path: str, body: bytes | None) -> Reply:
        """Call the control pqueue."""
        await self._keys.ready()
        headers = self._keys.authorized()
        if body is not None:
            headers = [*headers, (b"Content-Type", b"application/json")]
        return await finished(lambda done: self._control.start(method, path, headers, body, done))

    def _failed(self, where: str, error: BaseException) -> None:
        # The exception's text may quote a body: its name alone is told.
        self.log.error("shadow_fault", f"Unexpected error in {where}: {type(error).__name__}.")


async def open_worker(settings: LambdaSettings, environ: Mapping[str, str]) -> QueueWorker:
    """Compose a worker on the running loop, with the keys that Secrets Manager holds.

    Raises `SettingsError` without a control plane, and ValueError without a key for redaction:
    nothing is compared then, and messages come again.
    """
    if not settings.control_url:
        raise SettingsError("FIGWAY_CONTROL_URL: missing. Results are handed in there.")
    try:
        plugins = plugin_names(environ.get("FIGWAY_COMPARE_PLUGINS", ""))
    except ValueError as error:
        raise SettingsError(f"FIGWAY_COMPARE_PLUGINS: {error}") from None
    timer = DeadlineTimer()
    timer.start()
    try:
        keys = ControlSource(settings, timer)
        own = environ.get("FIGWAY_REDACT_KEY", "")
        if not own and (name := environ.get("FIGWAY_REDACT_KEY_SECRET", "")):
            own = await fetch_secret(name, timer)
            if not own:
                raise ValueError(f"FIGWAY_REDACT_KEY_SECRET: {name} cannot be read")
        control = "" if own else await keys.ready()
    finally:
        timer.stop()
    shadow = ShadowSettings(
        key=redaction_key(own, control),
        concurrency=int(environ.get("FIGWAY_SHADOW_CONCURRENCY", "16")),
        timeout_ms=int(float(environ.get("FIGWAY_SHADOW_TIMEOUT_S", "10")) * 1_000),
        legacy_percent=int(environ.get("FIGWAY_SHADOW_LEGACY_PERCENT", "50")),
        plugins=plugins,
    )
    worker = QueueWorker(settings, shadow, timer, keys)
    if worker.table.served is not None and worker.secrets.waits(worker.table.served.table):
        timer.start()
        try:
            await worker.secrets.ready(worker.table.served.table)
        finally:
            timer.stop()
    return worker


def _unzipped(content: bytes) -> bytes:
    """Raises ValueError for what would not end."""
    unzip = zlib.decompressobj()
    data = unzip.decompress(content, MAX_MESSAGE)
    if unzip.unconsumed_tail:
        raise ValueError("too long")
    return data


class _State:
    loop: asyncio.AbstractEventLoop | None = None
    worker: QueueWorker | None = None


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Work off one batch. An asynchronous invocation that failed raises, so that it is retried."""
    loop, worker = _State.loop, _State.worker
    if loop is None:
        loop = _State.loop = asyncio.new_event_loop()
    if worker is None:
        worker = _State.worker = loop.run_until_complete(open_worker(load(), os.environ))
    remaining_ms = int(context.get_remaining_time_in_millis())
    result = loop.run_until_complete(worker.work(event, remaining_ms))
    records = event.get("Records") or [{}]
    if result["batchItemFailures"] and records[0].get("eventSource") == "figway:invoke":
        raise NotTaken("the results were not taken")
    return result
