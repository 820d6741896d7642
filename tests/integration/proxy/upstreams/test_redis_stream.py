"""Queues in Redis against a peer that plays any answer: what is sent, what each answer and each
failure becomes, and that nothing is sent twice that may have been taken."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from figway.model.backend import (
    AwsResource,
    Backend,
    BackendKind,
    ConnectionLimits,
    RedisStream,
    Timeouts,
)
from figway.model.words import Side
from proxy.upstreams.port import Upstream
from proxy.upstreams.redis_stream import LIMIT, ONCE, RedisStreamUpstream
from proxy.wire.resp import MAX_REPLY
from tests.support.fake_redis import ADDED, Answer, FakeRedis
from tests.support.handing_on import ask, fields_of, opened, request
from tests.support.peer import Sink

KEY = (b"Idempotency-Key", b"order-7")
PASSWORD = "s3cret-of-redis"


class Secret:
    password = PASSWORD


def backend_of(port: int, url: str = "redis://127.0.0.1:{port}/0", **fields: Any) -> Backend:
    """A stream in the Redis on `port`; fields of the answer, of the backend and of the stream."""
    aws = {name: fields.pop(name) for name in ("location", "retry_after_s") if name in fields}
    own = {name: fields.pop(name) for name in ("limits", "ca_file") if name in fields}
    return Backend(
        id="jobs",
        side=Side.NEW,
        kind=BackendKind.QUEUE,
        url=url.format(port=port),
        timeouts=fields.pop("timeouts", Timeouts(head_ms=300, connect_ms=300)),
        aws=AwsResource(**aws),
        stream=RedisStream(**{"name": "jobs", **fields}),
        **own,
    )


async def conversation(redis: FakeRedis, *headers: tuple[bytes, bytes], **fields: Any) -> Sink:
    async with opened(backend_of(redis.port, **fields)) as upstream:
        return await ask(upstream, request(b'{"a": 1}', *headers))


# -- what is sent --------------------------------------------------------------------------------


async def test_an_entry_holds_the_message_that_a_queue_would_get() -> None:
    secret = [(b"Authorization", b"Bearer s3cret"), (b"Cookie", b"sid=s3cret"), (b"X-A", b"1")]
    with FakeRedis() as redis:
        sink = await conversation(redis, *secret, location="/jobs/{kind}/{id}", retry_after_s=5)
    (command,) = redis.commands
    assert command[:4] == [b"XADD", b"jobs", b"*", b"message"]
    message = json.loads(command[4])
    assert sink.head.status == 202
    assert json.loads(sink.body) == {"id": message["id"]}
    assert fields_of(sink)["location"] == f"/jobs/pdf/{message['id']}"
    assert fields_of(sink)["retry-after"] == "5"
    assert (message["method"], message["target"]) == ("POST", "/api/exports/pdf?x=1")
    assert (message["body"], message["isBase64Encoded"]) == ('{"a": 1}', False)
    assert message["headers"]["x-a"] == "1"
    assert b"s3cret" not in command[4]


async def test_a_connection_logs_in_and_chooses_its_database_first() -> None:
    with FakeRedis() as redis:
        backend = backend_of(redis.port, "redis://127.0.0.1:{port}/3", user="figway", max_length=9)
        async with opened(backend) as upstream:
            assert isinstance(upstream, RedisStreamUpstream)
            upstream.log_in_with(Secret())
            for _ in range(2):
                assert (await ask(upstream, request())).head.status == 202
    login, select, first, second = redis.commands
    assert login == [b"AUTH", b"figway", PASSWORD.encode()]
    assert select == [b"SELECT", b"3"]
    assert first[:6] == second[:6] == [b"XADD", b"jobs", b"MAXLEN", b"~", b"9", b"*"]
    assert redis.connections == 1


@pytest.mark.parametrize(
    ("name", "beside"), [("jobs", b"{jobs}:once:order-7"), ("a{b}c", b"a{b}c:once:order-7")]
)
async def test_a_key_is_taken_once_by_a_script(name: str, beside: bytes) -> None:
    with FakeRedis(ADDED, b"$5\r\nknown\r\n") as redis:
        async with opened(backend_of(redis.port, name=name, dedupe_s=60)) as upstream:
            answers = [await ask(upstream, request(b"{}", KEY)) for _ in range(2)]
    assert [sink.head.status for sink in answers] == [202, 202]
    assert answers[0].body == answers[1].body == b'{"id":"order-7"}'
    for command in redis.commands:
        assert command[:6] == [b"EVAL", ONCE, b"2", name.encode(), beside, b"60"]
        assert command[6:8] == [b"*", b"message"]


async def test_without_a_window_a_key_is_the_id_alone() -> None:
    with FakeRedis() as redis:
        sink = await conversation(redis, KEY, dedupe_s=0)
    assert redis.commands[0][0] == b"XADD"
    assert json.loads(sink.body) == {"id": "order-7"}


async def test_many_share_one_connection_and_each_gets_its_own_reply() -> None:
    """Replies come in the order of commands; one whose client is gone keeps its place."""
    failing = b"-OOM command not allowed\r\n"
    with FakeRedis(*[ADDED, failing] * 20, ADDED) as redis:
        redis.held = 41
        async with opened(backend_of(redis.port)) as upstream:
            sinks = []
            for number in range(40):
                made, body = request(b"%d" % number)
                sink = Sink()
                sending = upstream.send(made, sink)
                sending.write(body)
                sending.end()
                sinks.append(sink)
                if number == 10:
                    gone = sending
            while not redis.commands:
                await asyncio.sleep(0.005)
            gone.abort()
            assert (await ask(upstream, request(b"40"))).head.status == 202
            async with asyncio.timeout(10):
                for number, sink in enumerate(sinks):
                    if number != 10:
                        await sink.done.wait()
    assert redis.connections == 1
    sent = [int(json.loads(command[4])["body"]) for command in redis.commands]
    assert sent == list(range(41))
    for number, sink in enumerate(sinks):
        if number == 10:
            assert sink.events == []
        elif number % 2:
            assert sink.events == ["failed service_throttled NOTHING"]
        else:
            assert sink.head.status == 202


# -- failures ------------------------------------------------------------------------------------

ERRORS = {
    b"-OOM command not allowed when used memory > 'maxmemory'.": "service_throttled NOTHING",
    b"-LOADING Redis is loading the dataset in memory": "service_throttled NOTHING",
    b"-BUSY Redis is busy running a script.": "service_throttled NOTHING",
    b"-MISCONF Redis is configured to save RDB snapshots": "service_throttled NOTHING",
    b"-NOREPLICAS Not enough good replicas to write.": "service_throttled NOTHING",
    b"-CLUSTERDOWN The cluster is down": "service_throttled NOTHING",
    b"-ERR max number of clients reached": "service_throttled NOTHING",
    b"-READONLY You can't write against a read only replica.": "service_refused NOTHING",
    b"-NOAUTH Authentication required.": "service_refused NOTHING",
    b"-NOPERM this user has no permissions": "service_refused NOTHING",
    b"-WRONGTYPE Operation against a key": "service_refused NOTHING",
    b"-MOVED 3999 127.0.0.1:6381": "service_refused NOTHING",
    b"-ERR unknown command 'XADD'": "service_refused NOTHING",
    b"-ERR Error running script (call to f_1): @user_script:1: -OOM": "service_refused NOTHING",
    # A proxy in front says ERR of a command that it may have passed on.
    b"-ERR Connection timed out": "service_error SOME",
    b"-ERR The user executing the script can't run this command": "service_refused NOTHING",
    b"-upstream failure": "service_error SOME",
    b"-NEWCODE of a later version": "service_error SOME",
    b"-": "service_error SOME",
}


@pytest.mark.parametrize("error", ERRORS)
async def test_errors_are_told_by_name_and_say_what_was_taken(error: bytes) -> None:
    """Trap 44: only what Redis is known to refuse before it runs is `NOTHING`."""
    with FakeRedis(error + b" jobs s3cret\r\n") as redis:
        sink = await conversation(redis)
    assert sink.events == [f"failed {ERRORS[error]}"]
    assert len(redis.commands) == 1
    assert sink.failure is not None
    assert "s3cret" not in sink.failure.detail
    code = error[1:].split(b" ")[0].decode()
    if code.isupper():
        assert code in sink.failure.detail


@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize("answer", ["reset", "close"])
async def test_what_may_have_been_taken_is_repeated_only_under_a_key(
    answer: Answer, keyed: bool
) -> None:
    """Trap 44: a lost answer is `SOME`; under a key a second send is the same entry."""
    headers = [KEY] if keyed else []
    with FakeRedis(answer, ADDED) as redis:
        sink = await conversation(redis, *headers)
    if keyed:
        assert sink.head.status == 202
        assert redis.commands[0] == redis.commands[1]
    else:
        assert sink.events == ["failed reset SOME"]
    assert len(redis.commands) == 1 + keyed


async def test_a_refusal_after_a_doubtful_send_leaves_the_doubt() -> None:
    with FakeRedis("reset", b"-OOM no memory\r\n") as redis:
        sink = await conversation(redis, KEY)
    assert sink.events == ["failed service_throttled SOME"]


@pytest.mark.parametrize("keyed", [True, False])
async def test_no_reply_in_time_is_some(keyed: bool) -> None:
    with FakeRedis("hang") as redis:
        sink = await conversation(redis, *([KEY] if keyed else []))
    assert sink.events == ["failed timeout SOME"]
    assert len(redis.commands) == 1


HOSTILE: dict[str, bytes] = {
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a line without end": b"+" + b"x" * (MAX_REPLY + 1),
    "a huge string": b"$1073741824\r\n",
    "a size that is none": b"$+3\r\n7-0\r\n",
    "a string longer than it says": b"$3\r\n7-0000\r\n",
    "a list": b"*1\r\n$3\r\n7-0\r\n",
    "null": b"$-1\r\n",
    "a number": b":1\r\n",
    "a state": b"+OK\r\n",
    "another id": b"$4\r\n7-0a\r\n",
    "control characters": b"$4\r\n7-0\n\r\n",
    "RESP3": b"_\r\n",
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_what_is_no_reply_is_some(case: str) -> None:
    with FakeRedis(HOSTILE[case]) as redis:
        async with opened(backend_of(redis.port)) as upstream:
            assert (await ask(upstream, request())).events == ["failed protocol SOME"]
            redis.answers = [ADDED]
            assert (await ask(upstream, request())).head.status == 202
    assert len(redis.commands) == 2


async def test_replies_nobody_asked_for_end_the_connection() -> None:
    """A surplus reply would be taken for the next command's."""
    with FakeRedis(ADDED + ADDED, b"-OOM no\r\n") as redis:
        async with opened(backend_of(redis.port)) as upstream:
            assert (await ask(upstream, request())).head.status == 202
            sink = await ask(upstream, request())
    assert sink.events == ["failed service_throttled NOTHING"]
    assert redis.connections == 2


async def test_a_byte_at_a_time_is_a_reply() -> None:
    with FakeRedis("slow:$3\r\n7-0\r\n") as redis:
        assert (await conversation(redis)).head.status == 202


async def test_a_late_reply_is_nobody_elses() -> None:
    """After a time-out the next command goes over another connection."""
    with FakeRedis(ADDED, b"-OOM no\r\n") as redis:
        redis.held = 2  # the first reply comes with that to the second command
        backend = backend_of(redis.port, timeouts=Timeouts(head_ms=150, connect_ms=300))
        async with opened(backend) as upstream:
            assert (await ask(upstream, request())).events == ["failed timeout SOME"]
            redis.held = 1
            sink = await ask(upstream, request())
    assert sink.events == ["failed service_throttled NOTHING"]
    assert redis.connections == 2


async def test_a_connection_that_was_idle_is_not_trusted() -> None:
    """Its server, or a balancer between, may be closing it just now: that would be `SOME`."""
    with FakeRedis() as redis:
        async with opened(backend_of(redis.port)) as upstream:
            assert (await ask(upstream, request())).head.status == 202
            await asyncio.sleep(0.7)
            assert (await ask(upstream, request())).head.status == 202
    assert redis.connections == 2


async def test_a_primary_that_became_a_replica_is_left() -> None:
    """The name leads to the new one; the old connection would be refused for ever."""
    with FakeRedis(b"-READONLY You can't write\r\n", ADDED) as redis:
        async with opened(backend_of(redis.port)) as upstream:
            assert (await ask(upstream, request())).events == ["failed service_refused NOTHING"]
            assert (await ask(upstream, request())).head.status == 202
    assert redis.connections == 2


# -- before anything is sent ---------------------------------------------------------------------


async def test_a_redis_that_is_down_took_nothing(unused_tcp_port: int) -> None:
    async with opened(backend_of(unused_tcp_port)) as upstream:
        assert (await ask(upstream, request())).events == ["failed connect NOTHING"]


LOGINS: dict[str, tuple[Answer, str]] = {
    "wrong": (b"-WRONGPASS invalid username-password pair\r\n", "service_refused NOTHING"),
    "none is set": (b"-ERR AUTH <password> called without any\r\n", "service_refused NOTHING"),
    "loading": (b"-LOADING Redis is loading\r\n", "service_throttled NOTHING"),
    "a proxy": (b"-ERR Connection refused\r\n", "service_error NOTHING"),
    "silence": ("hang", "connect NOTHING"),
    "closed": ("close", "connect NOTHING"),
    "another protocol": (b"SSH-2.0-OpenSSH\r\n", "protocol NOTHING"),
}


@pytest.mark.parametrize("case", LOGINS)
async def test_before_the_login_is_over_nothing_is_sent(case: str) -> None:
    answer, failed = LOGINS[case]
    with FakeRedis(login=answer) as redis:
        async with opened(backend_of(redis.port)) as upstream:
            assert isinstance(upstream, RedisStreamUpstream)
            upstream.log_in_with(Secret())
            sinks = await asyncio.gather(*(ask(upstream, request()) for _ in range(3)))
    assert [sink.events for sink in sinks] == [[f"failed {failed}"]] * 3
    assert redis.added == []
    assert all(PASSWORD not in str(sink.failure) for sink in sinks)


async def test_a_server_that_is_full_says_so_before_it_is_asked() -> None:
    with FakeRedis("hang", greeting=b"-ERR max number of clients reached\r\n") as redis:
        async with opened(backend_of(redis.port, "redis://127.0.0.1:{port}/1")) as upstream:
            sink = await ask(upstream, request())
    assert sink.events == ["failed service_throttled NOTHING"]
    assert redis.added == []


async def test_over_the_limit_nothing_is_sent() -> None:
    """Trap 58."""
    with FakeRedis() as redis:
        async with opened(backend_of(redis.port)) as upstream:
            for body in (b"x" * (LIMIT + 1), b"x" * (LIMIT - 10)):
                sink = await ask(upstream, request(body))
                assert sink.events == ["failed message_too_large NOTHING"]
            assert redis.connections == 0
            assert (await ask(upstream, request(b"x" * (LIMIT - 2_000)))).head.status == 202


async def test_a_link_local_address_is_not_called() -> None:
    async with opened(backend_of(0, "redis://169.254.169.254:6379")) as upstream:
        assert (await ask(upstream, request())).events == ["failed connect NOTHING"]


async def test_closing_fails_what_is_under_way() -> None:
    with FakeRedis("hang") as redis:
        async with opened(backend_of(redis.port, timeouts=Timeouts())) as upstream:
            asked = asyncio.ensure_future(ask(upstream, request()))
            await _until(redis)
            await upstream.close()
            assert (await asked).events == ["failed reset SOME"]


async def test_what_waits_for_a_connection_is_bounded() -> None:
    """Each may hold 1 MiB."""
    with FakeRedis("hang", login="hang") as redis:
        limits = ConnectionLimits(max_waiting=2)
        backend = backend_of(redis.port, "redis://127.0.0.1:{port}/1", limits=limits)
        async with opened(backend) as upstream:
            sinks = await asyncio.gather(*(ask(upstream, request()) for _ in range(4)))
    events = sorted(sink.events[0] for sink in sinks)
    assert events == ["failed connect NOTHING"] * 2 + ["failed saturated NOTHING"] * 2


async def _until(redis: FakeRedis) -> None:
    began = time.monotonic()
    while not redis.commands and time.monotonic() - began < 10:
        await asyncio.sleep(0.005)


def test_a_url_that_leads_to_no_redis_is_refused() -> None:
    async def make() -> Upstream:
        async with opened(backend_of(1, "http://127.0.0.1:{port}")) as upstream:
            return upstream

    with pytest.raises(ValueError, match="not a redis or rediss URL"):
        asyncio.run(make())
