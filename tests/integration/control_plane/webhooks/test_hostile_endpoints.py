"""Endpoints that are slow, change their address, or answer nonsense: each harms itself only."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from control_plane.webhooks import delivery, store
from control_plane.webhooks.delivery import reach
from tests.support.control import Control
from tests.support.until import until

pytestmark = pytest.mark.long


@asynccontextmanager
async def peer(answer: bytes, *, hangs: bool = False) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers every request with these bytes, or never; its port, and the heads."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        if hangs:
            await reader.read()
        try:
            writer.write(answer)
            await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heads


async def _add(control: Control, name: str, url: str, types: list[str]) -> None:
    made = await control.post("/webhooks", {"id": name, "url": url, "types": types})
    assert made.status_code == 201, made.text


async def _sent(control: Control, name: str) -> dict[str, Any]:
    """The newest delivery of an endpoint, once it was tried."""

    async def tried() -> dict[str, Any] | None:
        await control.services.sender.round()
        items = (await control.get("/deliveries", webhook=name))["items"]
        return items[0] if items and items[0]["attempts"] else None

    found: dict[str, Any] = await until(tried)
    return found


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 503 X\r\nRetry-After: " + b"9" * 5_000 + b"\r\n\r\n", "HTTP 503"),
        (b"HTTP/1.1 503 X\r\nRetry-After: -1\r\n\r\n", "HTTP 503"),
        (b"HTTP/1.1 999999 X\r\n\r\n", "illegal"),
        (b"HTTP/1.1 200 X\r\nA: " + b"a" * 2_000_000 + b"\r\n\r\n", ""),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "disconnected"),
        (b"", "disconnected"),
    ],
)
async def test_nonsense_is_a_failed_attempt(control: Control, answer: bytes, error: str) -> None:
    """It is tried again later, and what is due to others is sent."""
    await control.seed()
    good = b"HTTP/1.1 204 X\r\n\r\n"
    async with peer(answer) as (bad, _), peer(good) as (port, heard):
        await _add(control, "bad", f"http://127.0.0.1:{bad}/", ["figway.route.*"])
        await _add(control, "good", f"http://127.0.0.1:{port}/", ["figway.route.*"])
        await control.flip(500)
        found = await _sent(control, "bad")
        assert found["status"] == "waiting"
        assert error in found["last_error"]
        assert (await _sent(control, "good"))["status"] == "delivered"
        assert len(heard) == 1


async def test_an_endless_answer_is_not_read(control: Control) -> None:
    """A receipt is a status; a hundred megabytes of body are left where they are."""
    await control.seed()
    endless = b"HTTP/1.1 200 X\r\nContent-Length: 100000000\r\n\r\n" + b"a" * 100_000_000
    async with peer(endless) as (port, _):
        await _add(control, "big", f"http://127.0.0.1:{port}/", ["figway.route.*"])
        await control.flip(500)
        assert (await _sent(control, "big"))["status"] == "delivered"


async def test_a_slow_endpoint_keeps_no_other_from_its_turn(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty deliveries wait at an endpoint that hangs; the one of another is among the first."""
    await control.seed()
    monkeypatch.setattr(delivery, "TIMEOUT_S", 0.2)
    async with peer(b"", hangs=True) as (slow, _):
        await _add(control, "a-slow", f"http://127.0.0.1:{slow}/", ["figway.route.*"])
        await control.services.sender.close()  # nothing is sent while they gather
        async with control.services.database.write() as connection:
            for number in range(50):
                await store.deliver_to(connection, f"evt_{number}", "a-slow", 1)
            await store.deliver_to(connection, "evt_x", "other", 2)
        async with control.services.database.read() as connection:
            due = await store.due(connection, 10, 20)
    assert {found.endpoint for found in due[:2]} == {"a-slow", "other"}
    assert len(due) == 20


async def test_what_was_looked_up_is_what_is_connected_to(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that means something harmless first, and a cloud's metadata a moment later."""
    await control.seed()
    asked: list[str] = []
    async with peer(b"HTTP/1.1 204 X\r\n\r\n") as (port, heads):
        loop = asyncio.get_running_loop()
        real = loop.getaddrinfo

        async def rebinding(host: Any, *rest: Any, **more: Any) -> Any:
            if host != "rebinding.example":
                return await real(host, *rest, **more)
            asked.append(host)
            address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
            return [(2, 1, 6, "", (address, port))]

        monkeypatch.setattr(loop, "getaddrinfo", rebinding)
        sent = await control.services.sender.post(
            f"http://rebinding.example:{port}/hook?a=b", {}, b"{}", 5.0
        )
    assert (sent.status, len(asked)) == (204, 1)
    assert heads[0].startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert f"host: rebinding.example:{port}".encode() in heads[0].lower()


async def test_the_certificate_has_to_name_the_host_of_the_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is connected to by address, and asked for by name."""

    async def resolved(*_: Any, **__: Any) -> Any:
        return [(10, 1, 6, "", ("2001:db8::1", 443, 0, 0)), (2, 1, 6, "", ("192.0.2.1", 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)
    found = await reach("https://hooks.example/T0/secret")
    assert [there.url for there in found] == [
        "https://[2001:db8::1]:443/T0/secret",
        "https://192.0.2.1:443/T0/secret",
    ]
    assert {(there.host, there.name) for there in found} == {("hooks.example", "hooks.example")}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 X\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 1_000_000, "pass"),
        (b"HTTP/1.1 409 X\r\n\r\n", "breach"),
        (b"HTTP/1.1 201 X\r\n\r\n", "hold"),
        (b"HTTP/1.1 204 X\r\n\r\n", "hold"),
        (b"HTTP/1.1 302 X\r\nLocation: /passes\r\n\r\n", "hold"),
        (b"HTTP/1.1 500 X\r\n\r\n", "hold"),
        (b"no HTTP", "hold"),
        (b"", "hold"),
    ],
)
async def test_only_200_lets_a_rollout_go_on(control: Control, answer: bytes, said: str) -> None:
    """And 409 alone leads it back: nothing that fails, redirects or says little does either."""
    async with peer(answer) as (port, heads):
        url = f"http://127.0.0.1:{port}/"
        await _add(control, "gate", url, [])
        assert (await control.services.sender.ask(url, {"rollout": "x"})).answer == said
    assert len(heads) == 1


async def test_a_check_that_hangs_holds(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """For seconds, not for ever; the question is asked again at the next look."""
    monkeypatch.setattr(delivery, "_CHECK_TIMEOUT_S", 0.05)
    async with peer(b"", hangs=True) as (port, _):
        url = f"http://127.0.0.1:{port}/"
        await _add(control, "gate", url, [])
        assert (await control.services.sender.ask(url, {"rollout": "x"})).answer == "hold"


async def test_an_endpoint_that_was_switched_off_answers_no_question(control: Control) -> None:
    """A gate with its URL holds, and says why."""
    async with peer(b"HTTP/1.1 200 X\r\n\r\n") as (port, heads):
        url = f"http://127.0.0.1:{port}/"
        await _add(control, "gate", url, [])
        assert (await control.services.sender.ask(url, {"rollout": "x"})).answer == "pass"
        await control.client.patch("/webhooks/gate", json={"enabled": False})
        said = await control.services.sender.ask(url, {"rollout": "x"})
    assert said.answer == "hold"
    assert "switched off" in said.text
    assert len(heads) == 1


async def test_no_question_is_a_repeat_of_another(control: Control) -> None:
    """Gate and guard ask in the same second: a receiver that drops repeats must drop neither."""
    async with peer(b"HTTP/1.1 200 X\r\n\r\n") as (port, heads):
        url = f"http://127.0.0.1:{port}/"
        await _add(control, "gate", url, [])
        for role in ("gate", "guard", "gate"):
            await control.services.sender.ask(url, {"rollout": "x", "role": role})
    ids = [line for head in heads for line in head.split(b"\r\n") if b"webhook-id" in line]
    assert len(set(ids)) == 3


def test_urls_of_endpoints_are_not_logged() -> None:
    """Those of Slack hold a secret; the client would log each."""
    assert logging.getLogger("httpx").getEffectiveLevel() > logging.INFO


async def test_a_name_that_comes_to_mean_metadata_is_not_connected_to(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules of addresses hold at each attempt: the name was harmless when it was added, and when
    the first event went out."""
    async with peer(b"HTTP/1.1 204 X\r\n\r\n") as (port, heads):
        meant = ["127.0.0.1"]
        loop = asyncio.get_running_loop()
        real = loop.getaddrinfo

        async def lookup(host: str, *given: Any, **more: Any) -> Any:
            if host != "hooks.example":
                return await real(host, *given, **more)
            return [(2, 1, 6, "", (address, port)) for address in meant]

        monkeypatch.setattr(loop, "getaddrinfo", lookup)
        await _add(control, "moves", f"http://hooks.example:{port}/", ["figway.test"])
        await control.post("/webhooks/moves/test", None)
        assert (await _sent(control, "moves"))["status"] == "delivered"
        for addresses in (
            ["169.254.169.254"],
            ["127.0.0.1", "::ffff:169.254.169.254"],
            ["fe80::1"],
        ):
            meant[:] = addresses
            await control.post("/webhooks/moves/test", None)
            refused = await _sent(control, "moves")
            assert (refused["status"], refused["last_status"]) == ("waiting", None)
            assert "link-local or metadata" in refused["last_error"]
        assert len(heads) == 1


async def test_many_that_hang_take_turns_with_those_that_answer(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty endpoints hang, ten answer: in as few rounds as there are twenties of endpoints, each
    has had its turn."""
    monkeypatch.setattr(delivery, "TIMEOUT_S", 0.2)
    await control.services.sender.close()
    async with (
        peer(b"", hangs=True) as (slow, hung),
        peer(b"HTTP/1.1 204 X\r\n\r\n") as (well, got),
    ):
        for number in range(50):
            port = well if number % 5 == 4 else slow
            await _add(control, f"e{number:02}", f"http://127.0.0.1:{port}/", ["figway.test"])
            await control.post(f"/webhooks/e{number:02}/test", None)
        await until(lambda: _round(control, lambda: len(got) == 10 and len(hung) >= 40))
        done = (await control.get("/deliveries", limit=100))["items"]
    assert sum(one["status"] == "delivered" for one in done) == 10
    assert all(one["attempts"] for one in done)


async def _round(control: Control, done: Callable[[], bool]) -> bool:
    await control.services.sender.round()
    return done()


async def test_a_sender_with_little_time_begins_no_round(control: Control) -> None:
    """A function is killed at its limit: what could last longer waits for the next schedule."""
    async with peer(b"HTTP/1.1 204 X\r\n\r\n") as (port, heads):
        await _add(control, "hook", f"http://127.0.0.1:{port}/", ["figway.test"])
        sender = control.services.sender
        assert await sender.drain(time.monotonic() + delivery.TIMEOUT_S - 1) == 0
        await control.post("/webhooks/hook/test", None)
        await until(lambda: _round(control, lambda: len(heads) == 1))
