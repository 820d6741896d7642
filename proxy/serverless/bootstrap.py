"""The composition root of the proxy function: from settings to what answers events.

Must be called on the loop of the sandbox. What a setting does not ask for is not imported.
"""

from __future__ import annotations

import os
import secrets
import time
from typing import Any

from figway.model.table import Table
from figway.routing.compile import CompiledTable
from figway.serving.attempts.breaker import BreakerState
from proxy.aws.secrets import SCHEME, AwsSecrets
from proxy.doors.aws_lambda import LambdaDoor
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.events import EventLog
from proxy.loop.tasks import TaskKeeper
from proxy.policies.credentials import Credentials, Secrets
from proxy.request.runtime import Runtime
from proxy.serverless.app import ServerlessProxy
from proxy.serverless.settings import LambdaSettings
from proxy.serverless.tables import SandboxTable, make_source
from proxy.serverless.telemetry import LambdaRecorder, Reports
from proxy.upstreams.factory import open_upstream

CAPTURE_BUDGET = 32 * 1024 * 1024
"""Body bytes that captures may hold in one sandbox."""


class Sandbox:
    """The parts of one sandbox, composed."""

    def __init__(self, settings: LambdaSettings) -> None:
        self.settings = settings
        self.log = EventLog()
        self.timer = DeadlineTimer()
        self.keeper = TaskKeeper(self.report)
        self.recorder = LambdaRecorder(
            log=settings.log,
            sample=settings.log_sample,
            query=settings.log_query,
            namespace=settings.namespace,
        )
        self.reports = Reports(
            self.recorder, settings.instance, secrets.token_hex(16), settings.report_s
        )
        source = make_source(settings, self.timer)
        self.secrets = AwsSecrets(self.timer, self._secrets_changed, self.report)
        self._references = Secrets(resolvers={SCHEME: self.secrets.get})
        self.table = SandboxTable(
            source,
            settings.table_max_age_s,
            self.swap,
            self.log,
            self.secrets,
            killed=self._killed,
            installation=settings.installation,
            several=not settings.table_url and len(settings.control_urls) > 1,
        )
        self.app = ServerlessProxy(
            self.timer,
            self.keeper,
            self.table,
            self.reports,
            settings.settle_ms,
            self.report,
        )
        self.runtime: Runtime | None = None
        self.capture: Any = None
        if settings.queue_url or settings.worker_function:
            self._open_queue()
        self.table.start(settings)

    @property
    def init_wait_ms(self) -> int:
        """How long the cold start waits for a fresh table."""
        if self.settings.init_wait_ms >= 0:
            return self.settings.init_wait_ms
        return 0 if self.table.served is not None else 3_000

    async def start(self) -> None:
        """Serve the bundled table. Raises what a backend that cannot be used raises, if no other
        table can come."""
        served = self.table.served
        if served is None:
            return
        if self.secrets.waits(served.table):
            await self.app.prepare(self.secrets.ready(served.table))
        try:
            self._check_legacy(served.table)
            self.swap(served.compiled)
        except (ValueError, OSError) as error:
            if not self.settings.control_url and not self.settings.table_url:
                raise
            self.log.error("last_good_unusable", f"The bundled table cannot be served: {error}")
            self.table.served = None
        else:
            self.secrets.serves(served.table)

    def _check_legacy(self, table: Table) -> None:
        """Raises ValueError or OSError where the backend of everything else cannot be opened: such
        a bundled table is worth less than one that is still to come."""
        backend = table.backends[table.default_backend]
        if backend.credentials:
            Credentials(backend, self.report, self._references)
        open_upstream(backend, self.timer).retire()

    def swap(self, compiled: CompiledTable) -> None:
        """Serve another table; what of it cannot be opened is left out."""
        if self.runtime is not None:
            self.runtime.swap(compiled)
        else:
            self.runtime = runtime = Runtime(
                compiled,
                open_upstream=lambda backend: open_upstream(backend, self.timer),
                timer=self.timer,
                recorder=self.recorder,
                spawn=self.keeper.spawn,
                report=self.report,
                settings=self.settings.facade,
                workers=self.settings.sandboxes,
                name=self.settings.instance,
                breaker_changed=self._breaker_changed,
                secrets=self._references,
                operations=self.recorder.operations,
            )
            runtime.kill = self.settings.kill or self.table.kill.on
            runtime.capture = self.capture
            self.app.serve(LambdaDoor(runtime, base_path=self.settings.base_path))
        if self.capture is not None:
            self.capture.table_changed(compiled.revision, len(compiled.plans))

    def _killed(self, on: bool) -> None:
        if self.runtime is not None:
            self.runtime.kill = self.settings.kill or on

    def _secrets_changed(self) -> None:
        if self.runtime is not None:
            self.runtime.secrets_changed()

    def report(self, where: str, error: BaseException) -> None:
        """An exception that should not have been."""
        self.log.error(
            "unexpected", f"Unexpected error in {where}: {type(error).__name__}: {error}"
        )

    def _open_queue(self) -> None:
        # Imported where they are asked for: a proxy without a shadow need not load them.
        from proxy.aws.api import Service, region_of
        from proxy.capture.capture import ShadowCapture
        from proxy.capture.counts import CountBook
        from proxy.serverless.captures_out import (
            Carrier,
            InvokeCarrier,
            OutQueue,
            S3Store,
            SqsCarrier,
        )

        settings, timer = self.settings, self.timer
        carrier: Carrier
        if settings.queue_url:
            sqs = Service("sqs", region_of(settings.queue_url), timer)
            carrier = SqsCarrier(settings.queue_url, sqs)
        else:
            invoke = Service("lambda", region_of(settings.worker_function), timer)
            carrier = InvokeCarrier(settings.worker_function, invoke)
        store = None
        if settings.bucket:
            store = S3Store(settings.bucket, Service("s3", region_of(), timer))
        book = CountBook()
        queue = OutQueue(carrier, store, book)
        self.app.queue = queue
        self.capture = ShadowCapture(queue, book, CAPTURE_BUDGET)

    def _breaker_changed(
        self, route: str, backend: str, before: BreakerState, after: BreakerState, when: int
    ) -> None:
        event = {
            "at_ms": int(time.time() * 1_000),
            "kind": "breaker",
            "route": route,
            "backend": backend,
            "worker": 0,
            "from": before.value,
            "to": after.value,
        }
        self.reports.event(event)
        self.log.warning(
            "breaker",
            f"The breaker of {route} towards {backend} went from {before} to {after}.",
            route=route,
            backend=backend,
            state=after.value,
        )


async def open_sandbox(settings: LambdaSettings) -> Sandbox:
    """Compose a sandbox on the running loop, and give it the time of its cold start."""
    sandbox = Sandbox(settings)
    await sandbox.start()
    if sandbox.init_wait_ms or sandbox.table.served is None:
        await sandbox.app.begin(sandbox.init_wait_ms)
    return sandbox


def trace_header() -> str:
    """The X-Ray header of the present invocation, which the runtime client puts there."""
    return os.environ.get("_X_AMZN_TRACE_ID", "")
