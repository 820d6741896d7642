"""A queue in Redis behind the facade in Lambda: connections, secrets and a freeze."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from figway.model.backend import AwsResource, Backend, BackendKind, RedisStream
from figway.model.table import Route, RouteMatch, Stage, Table
from figway.model.words import Side
from tests.support.fake_redis import ADDED, FakeRedis
from tests.support.serverless.life import POST, Life, bundle
from tests.support.wire import RawBackend, table_of

PASSWORD = "s3cret-of-redis"


def streamed(legacy: RawBackend, redis: FakeRedis) -> Table:
    """A table whose POST /a becomes an entry of a stream."""
    route = Route(
        id="jobs", match=RouteMatch(path="/a", methods=("POST",)), stage=Stage.NEW, new="jobs"
    )
    table = table_of(legacy.port, 0, route)
    stream = RedisStream(name="jobs", password="env:FIGWAY_SECRET_REDIS")
    jobs = Backend(
        id="jobs",
        side=Side.NEW,
        kind=BackendKind.QUEUE,
        url=f"redis://127.0.0.1:{redis.port}",
        aws=AwsResource(location="/jobs/{id}"),
        stream=stream,
    )
    return Table(
        default_backend="legacy",
        backends={**table.backends, "jobs": jobs},
        routes=table.routes,
    )


def test_invocations_share_a_connection_until_a_freeze(
    live: Callable[..., Life],
    backend: RawBackend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """trap 60: after it a kept connection is not trusted; trap 57: nothing is pending."""
    monkeypatch.setenv("FIGWAY_SECRET_REDIS", PASSWORD)
    with FakeRedis(ADDED) as redis:
        life = live(FIGWAY_TABLE_FILE=bundle(tmp_path / "t.json", streamed(backend, redis)))
        answers = [life.invoke(POST) for _ in range(3)]
        assert redis.connections == 1
        timer = life.sandbox.timer
        timer._monotonic = lambda: time.monotonic() + 600.0
        answers.append(life.invoke(POST))
        assert redis.connections == 2
    assert [answer["statusCode"] for answer in answers] == [202] * 4
    ids = [json.loads(command[4])["id"] for command in redis.added]
    said = [json.loads(answer["body"])["id"] for answer in answers]
    assert said == ids
    assert redis.commands[0] == [b"AUTH", PASSWORD.encode()]
    assert backend.requests == []
