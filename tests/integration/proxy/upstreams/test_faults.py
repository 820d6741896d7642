"""A backend that cannot be reached, or is slow at the wrong moment."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme

from figway.model.backend import Backend, Timeouts
from figway.model.words import Side
from figway.serving.attempts.failures import FailureKind, Sent
from proxy.upstreams.dial import Dialer
from tests.support.peer import Client, Peer, Script, Server, against, client_for, get, post
from tests.support.until import until


async def test_refused() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with client_for(port) as client:
        sink = await client.ask(post(3), b"abc")
        assert sink.events == ["failed connect NOTHING"]


async def test_the_name_does_not_resolve() -> None:
    async with client_for(0, url="http://nowhere.invalid:80") as client:
        sink = await client.ask()
        assert sink.events == ["failed connect NOTHING"]
        assert sink.failure is not None
        assert "resolve" in sink.failure.detail


async def test_no_connection_in_time() -> None:
    """A listener whose backlog is full never completes the handshake."""
    loop = asyncio.get_running_loop()
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        filling = [socket.socket() for _ in range(8)]
        for one in filling:
            one.setblocking(False)
            one.connect_ex(address)
        await asyncio.sleep(0.05)
        async with client_for(address[1], timeouts=Timeouts(connect_ms=100)) as client:
            sink = await client.ask()
            assert sink.events == ["failed connect NOTHING"]
        for one in filling:
            one.close()
    assert loop.is_running()


async def test_abort_while_connecting_leaves_nothing() -> None:
    async def script(peer: Peer) -> None:
        await peer.hang()

    async with against(script) as (client, _):
        sending, sink = client.send(get())
        sending.abort()
        assert client.pool.open == 0
        await asyncio.sleep(0.02)
        assert sink.events == []


async def test_no_head_in_time() -> None:
    """Trap 18: and the connection is dropped, as its answer may still come."""

    async def script(peer: Peer) -> None:
        await peer.head()
        if peer.number == 1:
            await peer.hang()
        await peer.answer()

    async with against(script, timeouts=Timeouts(head_ms=80)) as (client, _):
        assert (await client.ask()).events == ["failed timeout SOME"]
        assert (await client.ask()).body == b"ok"


async def test_a_head_that_drips_is_out_of_time_all_the_same() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000:
            await peer.say(bytes([byte]))
            await asyncio.sleep(0.01)

    async with against(script, timeouts=Timeouts(head_ms=80)) as (client, _):
        assert (await client.ask()).events == ["failed timeout SOME"]


async def test_a_slow_client_does_not_count_against_the_head() -> None:
    """The time to the head begins when the request is complete."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.exactly(2)
        await peer.answer()

    async with against(script, timeouts=Timeouts(head_ms=100)) as (client, _):
        sending, sink = client.send(post(2))
        await asyncio.sleep(0.3)
        sending.write(b"ok")
        sending.end()
        await sink.done.wait()
        assert sink.body == b"ok"


async def test_a_backend_that_stops_in_the_body() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await peer.hang()

    async with against(script, timeouts=Timeouts(idle_ms=80)) as (client, _):
        sink = await client.ask()
        assert sink.events == ["head 200", "body", "failed timeout SOME"]


async def test_a_body_that_drips_is_fine() -> None:
    """Trap 19: only silence is timed, and each piece comes as it arrives."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for _ in range(12):
            await peer.say(b"data: x\n\n")
            await asyncio.sleep(0.03)

    async with against(script, timeouts=Timeouts(idle_ms=200, head_ms=200)) as (client, _):
        sink = await client.ask()
        assert sink.events == ["head 200", "body", "end"]
        assert len(sink.pieces) == 12


async def test_a_paused_answer_is_not_out_of_time() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.answer(b"x" * 4_000_000)

    async with against(script, timeouts=Timeouts(idle_ms=80)) as (client, _):
        sending, sink = client.send(get())
        sink.on_head = sending.pause
        await sink.started.wait()
        await asyncio.sleep(0.3)
        assert not sink.done.is_set()
        sending.resume()
        await sink.done.wait()
        assert len(sink.body) == 4_000_000


async def test_a_backend_that_stops_taking_the_body() -> None:
    """Trap 18."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await asyncio.sleep(30)

    async with against(script, timeouts=Timeouts(idle_ms=100)) as (client, _):
        sending, sink = client.send(post(None))
        while not sink.done.is_set():
            if sink.pauses == sink.resumes:
                sending.write(b"x" * 65_536)
            await asyncio.sleep(0)
        assert sink.events == ["failed timeout SOME"]


async def test_reset_in_the_body() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await peer.reader.readuntil(b"y")
        peer.reset()

    async with against(script) as (client, _):
        sending, sink = client.send(post(None))
        sending.write(b"x")
        await sink.started.wait()
        sending.write(b"y")
        await sink.done.wait()
        assert sink.events == ["head 200", "body", "failed reset SOME"]


async def test_answered_before_it_was_asked() -> None:
    """Trap 17: what comes before the request is written is not its answer."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.answer()
        await peer.hang()

    async with against(script) as (client, _):
        await client.ask()
        connection = client.pool._idle[-1]
        _, sink = client.send(post(2))
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert sink.events == ["failed protocol NOTHING"]
        assert client.pool.open == 0


METADATA = ["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200"]


@pytest.mark.parametrize(
    "address", [*METADATA, "fe80::1%eth0", "::ffff:169.254.1.1", "::ffff:100.100.100.200"]
)
def test_link_local_addresses_need_an_allowance(address: str) -> None:
    backend = Backend(id="b", side=Side.NEW, url="http://metadata.example")
    assert Dialer(backend).refuse_peer((address, 80)) != ""
    assert Dialer(backend).refuse_peer(("10.0.0.1", 80)) == ""
    allowed = Backend(id="b", side=Side.NEW, url=backend.url, allow_link_local=True)
    assert Dialer(allowed).refuse_peer((address, 80)) == ""


@pytest.mark.parametrize("address", METADATA)
async def test_a_name_that_resolves_to_metadata_is_sent_nothing(address: str) -> None:
    """A harmless name whose address changes after it was saved: the guard is at the dial. The
    connection ends before a byte of a request, so that any method may go elsewhere."""
    heard: list[bytes] = []

    async def script(peer: Peer) -> None:
        heard.append(await peer.reader.read(1))

    async with against(script) as (client, _):
        guard = client.pool.refuse_peer
        client.pool.refuse_peer = lambda peername: guard((address, 80))
        sink = await client.ask(post(3), b"abc")
        assert sink.events == ["failed connect NOTHING"]
        assert sink.failure is not None
        assert "link-local" in sink.failure.detail
        assert client.pool.open == 0
        client.pool.refuse_peer = guard
        await until(lambda: heard == [b""])


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "localhost:80"])
def test_a_url_that_names_no_place(url: str) -> None:
    with pytest.raises(ValueError, match="Backend b"):
        Dialer(Backend(id="b", side=Side.NEW, url=url))


# -- TLS ---------------------------------------------------------------------------------------


def _server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


async def serve(peer: Peer) -> None:
    while True:
        await peer.head()
        await peer.answer(b"x" * 300_000)


async def test_tls_is_spoken_and_verified(authority: trustme.CA, ca_file: str) -> None:
    tls = _server_context(authority, "localhost")
    async with Server(serve).listen(tls) as server:
        url = f"https://localhost:{server.port}"
        async with client_for(0, url=url, ca_file=ca_file) as client:
            sending, sink = client.send(get())
            sink.on_head = sending.pause
            await sink.started.wait()
            sending.resume()
            await sink.done.wait()
            assert len(sink.body) == 300_000
            await client.ask()
            assert server.accepted == 1


@pytest.mark.parametrize("case", ["unknown authority", "other name"])
async def test_a_wrong_certificate(authority: trustme.CA, ca_file: str, case: str) -> None:
    tls = _server_context(authority, "elsewhere" if case == "other name" else "localhost")
    async with Server(serve).listen(tls) as server:
        url = f"https://localhost:{server.port}"
        known = ca_file if case == "other name" else ""
        async with client_for(0, url=url, ca_file=known) as client:
            sink = await client.ask()
            assert sink.events == ["failed tls NOTHING"]
            assert sink.failure is not None
            assert sink.failure.kind is FailureKind.TLS
            assert sink.failure.sent is Sent.NOTHING


@asynccontextmanager
async def over_tls(script: Script) -> AsyncIterator[Client]:
    """A client that expects TLS of a server that does not speak it."""
    async with Server(script).listen() as server:
        url = f"https://localhost:{server.port}"
        async with client_for(0, url=url) as client:
            yield client


async def test_no_tls_where_it_was_expected() -> None:
    async def script(peer: Peer) -> None:
        await peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with over_tls(script) as client:
        assert (await client.ask()).events == ["failed tls NOTHING"]


async def test_closed_in_the_handshake() -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        peer.reset()

    async with over_tls(script) as client:
        assert (await client.ask()).events == ["failed tls NOTHING"]
        await until(lambda: client.pool.open == 0)
