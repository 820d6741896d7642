"""Queues in Redis by the real server, where it is installed: what it takes, keeps once, refuses."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from figway.model.backend import Timeouts
from proxy.upstreams.redis_stream import RedisStreamUpstream
from tests.integration.proxy.upstreams.test_redis_stream import KEY, PASSWORD, Secret, backend_of
from tests.support.fake_redis import SERVER, WHY_NOT, Redis, free_port, real_redis
from tests.support.handing_on import ask, opened, request
from tests.support.peer import Sink

pytestmark = pytest.mark.skipif(SERVER is None, reason=WHY_NOT)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    with (
        real_redis(tmp_path, "--requirepass", PASSWORD) as port,
        Redis(port, PASSWORD.encode()) as client,
    ):
        yield client


async def send(
    redis: Redis, *headers: tuple[bytes, bytes], secret: Any = None, **fields: Any
) -> Sink:
    async with opened(backend_of(redis.port, **fields)) as upstream:
        assert isinstance(upstream, RedisStreamUpstream)
        upstream.log_in_with(secret or Secret())
        return await ask(upstream, request(b'{"a": 1}', *headers))


async def test_entries_are_in_order_and_a_key_is_there_once(redis: Redis) -> None:
    backend = backend_of(redis.port, "redis://127.0.0.1:{port}/2", dedupe_s=60)
    async with opened(backend) as upstream:
        assert isinstance(upstream, RedisStreamUpstream)
        upstream.log_in_with(Secret())
        for number in range(20):
            assert (await ask(upstream, request(b"%d" % number))).head.status == 202
        for _ in range(3):
            sink = await ask(upstream, request(b"99", KEY))
            assert json.loads(sink.body) == {"id": "order-7"}
            redis(b"SELECT", b"2")
            redis(b"EXPIRE", b"{jobs}:once:order-7", b"40")
    redis(b"SELECT", b"2")
    found = [json.loads(entry) for entry in redis.entries(b"jobs")]
    assert [int(item["body"]) for item in found] == [*range(20), 99]
    assert found[-1]["id"] == "order-7"
    assert 0 < int(redis(b"TTL", b"{jobs}:once:order-7")) <= 40  # from the first on


async def test_a_stream_is_cut_to_about_its_length(redis: Redis) -> None:
    backend = backend_of(redis.port, max_length=10, timeouts=Timeouts())
    async with opened(backend) as upstream:
        assert isinstance(upstream, RedisStreamUpstream)
        upstream.log_in_with(Secret())
        sinks = await asyncio.gather(*(ask(upstream, request()) for _ in range(400)))
    assert {sink.head.status for sink in sinks} == {202}
    assert 10 <= int(redis(b"XLEN", b"jobs")) < 250


@pytest.mark.parametrize("headers", [(), (KEY,)], ids=["plain", "keyed"])
async def test_what_redis_refuses_it_did_not_take(
    redis: Redis, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    """Trap 44: `NOTHING` is true, and a key that was refused is free for the next try."""

    async def refused(name: str, kind: str, **fields: Any) -> None:
        sink = await send(redis, *headers, **fields)
        assert sink.events == [f"failed {kind} NOTHING"]
        assert sink.failure is not None
        assert name in sink.failure.detail
        assert PASSWORD not in sink.failure.detail

    redis(b"CONFIG", b"SET", b"maxmemory", b"1")
    await refused("OOM", "service_throttled")
    redis(b"CONFIG", b"SET", b"maxmemory", b"0")
    redis(b"CONFIG", b"SET", b"min-replicas-to-write", b"1")
    await refused("NOREPLICAS", "service_throttled")
    redis(b"CONFIG", b"SET", b"min-replicas-to-write", b"0")
    redis(b"SET", b"jobs", b"a string")
    await refused("WRONGTYPE", "service_refused")
    redis(b"DEL", b"jobs")
    redis(b"REPLICAOF", b"127.0.0.1", b"1")
    await refused("READONLY", "service_refused")
    redis(b"REPLICAOF", b"NO", b"ONE")
    await refused("WRONGPASS", "service_refused", secret=type("Other", (), {"password": "no"})())
    assert redis.entries(b"jobs") == []
    assert (await send(redis, *headers)).head.status == 202
    assert len(redis.entries(b"jobs")) == 1


@pytest.mark.parametrize("rights", [b"+xadd", b"+xadd +eval", b"+xadd +set", b"+eval +set"])
async def test_a_user_without_the_rights_leaves_nothing_behind(redis: Redis, rights: bytes) -> None:
    """A script that may only do half of it does nothing, and the key is free afterwards."""
    redis(b"ACL", b"SETUSER", b"figway", b"on", b">" + PASSWORD.encode(), b"~*", *rights.split())
    sink = await send(redis, KEY, user="figway")
    assert sink.events == ["failed service_refused NOTHING"]
    assert redis.entries(b"jobs") == []
    assert redis(b"EXISTS", b"{jobs}:once:order-7") == b"0"


async def test_the_rights_that_the_manual_names_are_enough(redis: Redis) -> None:
    rights = [b"on", b">" + PASSWORD.encode(), b"~jobs", b"~{jobs}:once:*"]
    redis(b"ACL", b"SETUSER", b"figway", *rights, b"+xadd", b"+eval", b"+set", b"+select")
    assert (await send(redis, KEY, user="figway")).head.status == 202
    assert (await send(redis, user="figway", max_length=100)).head.status == 202
    assert len(redis.entries(b"jobs")) == 2


async def test_a_script_that_keeps_redis_busy(redis: Redis) -> None:
    redis(b"CONFIG", b"SET", b"busy-reply-threshold", b"20")
    with Redis(redis.port, PASSWORD.encode()) as other:
        endless = threading.Thread(target=other, args=(b"EVAL", b"while true do end", b"0"))
        endless.start()
        try:
            sink = await send(redis)
            assert sink.events == ["failed service_throttled NOTHING"]
        finally:
            redis(b"SCRIPT", b"KILL")
            endless.join(10)


async def test_a_restarted_server_is_found_again(tmp_path: Path) -> None:
    with real_redis(tmp_path) as port:
        backend = backend_of(port)
        async with opened(backend) as upstream:
            assert (await ask(upstream, request())).head.status == 202
            with Redis(port) as client:
                client(b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes")
            await asyncio.sleep(0.05)
            assert (await ask(upstream, request())).head.status == 202
    async with opened(backend) as upstream:
        assert (await ask(upstream, request())).events == ["failed connect NOTHING"]


async def test_tls_is_verified(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    files = ["--tls-cert-file", str(tmp_path / "cert.pem"), "--tls-auth-clients", "no"]
    key = ["--tls-key-file", str(tmp_path / "key.pem")]
    with real_redis(tmp_path, *key, *files) as port, Redis(port) as plain:
        secure = free_port()
        assert plain(b"CONFIG", b"SET", b"tls-port", b"%d" % secure) == b"OK"
        url = f"rediss://localhost:{secure}/0"
        async with opened(backend_of(0, url, ca_file=str(tmp_path / "ca.pem"))) as upstream:
            assert (await ask(upstream, request())).head.status == 202
        async with opened(backend_of(0, url)) as upstream:
            assert (await ask(upstream, request())).events == ["failed tls NOTHING"]
        assert len(plain.entries(b"jobs")) == 1
