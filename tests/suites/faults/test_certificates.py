"""New presents a certificate that must not be trusted."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.suites.faults.arena import Arena, play
from tests.support.peer import Peer, Server


async def serve(peer: Peer) -> None:
    await peer.head()
    await peer.answer(b"new")


def context(folder: Path, kind: str) -> ssl.SSLContext:
    """A server's context; the authority that clients are told to trust is in `ca.pem`."""
    trusted, stranger = trustme.CA(), trustme.CA()
    trusted.cert_pem.write_to_path(str(folder / "ca.pem"))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    leaf = {
        "good": lambda: trusted.issue_cert("127.0.0.1"),
        "wrong name": lambda: trusted.issue_cert("elsewhere.example"),
        "expired": lambda: trusted.issue_cert("127.0.0.1", not_after=yesterday),
        "unknown authority": lambda: stranger.issue_cert("127.0.0.1"),
    }[kind]()
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(found)
    return found


@pytest.mark.parametrize("kind", ["wrong name", "expired", "unknown authority"])
def test_a_certificate_that_is_not_valid(tmp_path: Path, kind: str) -> None:
    """Nothing is sent to an impostor; legacy serves."""

    async def talk(arena: Arena) -> None:
        good = arena.control.table
        async with Server(serve).listen(context(tmp_path, kind)) as server:
            url = f"https://127.0.0.1:{server.port}"
            await arena.publish(arena.table(url, ca_file=str(tmp_path / "ca.pem")))
            read, write = await arena.ask(), await arena.ask("POST", body=b"{}")
            alone = await arena.ask(path="/alone/x")
            for seen in (read, write):
                assert (seen.status, seen.side, seen.record["failure"]) == (200, "legacy", "tls")
            assert (alone.status, alone.problem) == (502, "backend_tls")
            await arena.publish(good)
        await arena.tell(f"The certificate of new: {kind}", read, write)

    play(talk, tmp_path, ca_dir=str(tmp_path))


def test_a_certificate_that_is_valid(tmp_path: Path) -> None:
    """The control of the experiment: the same server with a good certificate serves."""

    async def talk(arena: Arena) -> None:
        async with Server(serve).listen(context(tmp_path, "good")) as server:
            url = f"https://127.0.0.1:{server.port}"
            await arena.publish(arena.table(url, ca_file=str(tmp_path / "ca.pem")))
            assert (await arena.ask()).side == "new"

    play(talk, tmp_path, ca_dir=str(tmp_path))
