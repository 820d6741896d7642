"""The control plane in AWS Lambda: the same application behind Mangum, and its tasks on a schedule.

`handler` answers events of API Gateway and function URLs; `scheduled` does one round of what runs
beside the requests elsewhere, and is meant for an EventBridge rule. A sandbox hears of revisions
that others made by asking the database before a request, at most once a `poll_seconds`. Streams
cannot be held open here: proxies then poll, as they do beneath every stream. Needs PostgreSQL,
through a pooler or RDS Proxy: each sandbox has connections of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any

from mangum import Mangum

from control_plane.bootstrap import create_app, make_services, prepare
from control_plane.clock import now_ms
from control_plane.db.engine import UNAVAILABLE
from control_plane.fleet import store as fleet_store
from control_plane.services import Services
from control_plane.settings import Settings, SettingsError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_MARGIN_S = 2.0
"""Kept back of an invocation's time."""
_LONGEST_POLL_S = 1.0
"""The kill switch is not older than that, whatever the settings say of revisions."""
_ANSWER_S = 1.0
"""How long a request waits for a database that hangs before it goes on without."""

_NO_STREAM = {
    "type": "urn:figway:problem:no_stream",
    "title": "Streams are not served here",
    "status": 501,
    "detail": "This control plane runs as a function, which cannot hold a stream open: poll.",
}


class Serverless:
    """One sandbox of the control plane, on a loop that runs only while an invocation does."""

    def __init__(self, settings: Settings) -> None:
        """Prepares the database. Raises what `prepare` raises, and `SettingsError`."""
        if not settings.given_database_url():
            raise SettingsError(
                "FIGWAY_DATABASE_URL: missing. A function keeps no files: name a PostgreSQL."
            )
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)  # where Mangum looks for it
        self.services = make_services(settings)
        self.loop.run_until_complete(prepare(self.services))
        fresh = _Fresh(create_app(self.services), self.services, settings.poll_seconds)
        self._mangum = Mangum(fresh, lifespan="off")

    def handle(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event; one of a schedule does a round of the tasks."""
        if "requestContext" not in event:
            left_s = context.get_remaining_time_in_millis() / 1_000
            return self.loop.run_until_complete(self._round(left_s - _MARGIN_S))
        asyncio.set_event_loop(self.loop)
        return self._mangum(event, context)

    async def _round(self, seconds: float) -> dict[str, Any]:
        """What `start_tasks` repeats in a process, once. Raises what a part raises, in the end.

        What protects users comes first. Endpoints that hang take what is left of the time, and no
        more: a function that is killed at its limit would lose the rest of its work.
        """
        until = time.monotonic() + seconds
        services = self.services
        before = now_ms() - services.settings.forget_instance_hours * 3_600_000

        async def forget() -> None:
            async with services.database.write() as connection:
                await fleet_store.forget(connection, before)

        rounds: dict[str, Callable[[], Awaitable[object]]] = {
            "kill switch": services.kill.refresh,
            "refresh": services.publisher.refresh,
            "rollouts": services.ticker.round,
            "traffic": services.traffic.trim,
            "comparisons": services.comparisons.retention.trim,
            "fleet": forget,
            "old events": services.webhooks.trim,
            "old figures": services.ticker.trim,
            "events": partial(services.sender.drain, until),
        }
        failed: list[Exception] = []
        for work in rounds.values():
            try:
                await work()
            except Exception as error:  # one part's failure keeps no other from its turn
                failed.append(error)
        if failed:
            raise ExceptionGroup("scheduled work failed", failed)
        return {"done": list(rounds)}

    def close(self) -> None:
        """End the connections to the database, and the loop."""
        self.loop.run_until_complete(self.services.database.close())
        self.loop.close()
        asyncio.set_event_loop(None)


class _Fresh:
    """Puts the state of the database before each request, and keeps streams out."""

    def __init__(self, app: App, services: Services, poll_seconds: float) -> None:
        self._app = app
        self._services = services
        self._poll_s = min(poll_seconds, _LONGEST_POLL_S)
        self._asked = 0.0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"].endswith("/stream"):
            await _answer(send, _NO_STREAM)
            return
        if abs(time.time() - self._asked) >= self._poll_s:
            # Without the database the kill switch still works, and all else says so by itself.
            with suppress(*UNAVAILABLE):
                await self._services.database.within(_ANSWER_S, self._refresh())
                self._asked = time.time()
        await self._app(scope, receive, send)

    async def _refresh(self) -> None:
        await self._services.kill.refresh()
        await self._services.publisher.refresh()


async def _answer(send: Send, problem: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": problem["status"], "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem).encode()})


SECRETS = ("database_url", "bootstrap_admin_key", "bootstrap_proxy_key")


def with_secrets(environ: Mapping[str, str]) -> Settings:
    """The settings; those of `SECRETS` out of Secrets Manager where `FIGWAY_<NAME>_SECRET` names
    one, as everybody who may look at a function's configuration reads its variables.

    Raises `SettingsError`.
    """
    found: dict[str, Any] = {}
    for name in SECRETS:
        variable = f"FIGWAY_{name.upper()}_SECRET"
        if reference := environ.get(variable, ""):
            try:
                found[name] = _secret(reference)
            except Exception as error:  # the SDK's errors have no common ancestor that is public
                raise SettingsError(f"{variable}={reference} cannot be read: {error}") from None
    return Settings(**found)


def _secret(reference: str) -> str:
    import boto3  # the runtime brings it; no other part needs it

    # The SDK reads AWS_DEFAULT_REGION alone; every other part of Figway reads AWS_REGION.
    region = (
        reference.split(":")[3] if reference.startswith("arn:") else os.environ.get("AWS_REGION")
    )
    client = boto3.client("secretsmanager", region_name=region)
    return str(client.get_secret_value(SecretId=reference)["SecretString"]).strip()


class _State:
    sandbox: Serverless | None = None


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What the runtime client calls: `control_plane.serverless.handler`."""
    if _State.sandbox is None:
        _State.sandbox = Serverless(with_secrets(os.environ))
    return _State.sandbox.handle(event, context)
