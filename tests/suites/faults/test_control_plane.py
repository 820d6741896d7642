"""The control plane is slow, wrong, gone, or back with an older database."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import orjson

from figway.model.change import flip
from figway.model.codec import table_hash, to_data
from figway.model.table import Stage, Table
from tests.suites.faults.arena import Arena, play
from tests.suites.faults.rows import note
from tests.support.until import until


def staged(table: Table, stage: Stage) -> Table:
    """The table with its moved route in a stage."""
    routes = {**table.routes, "moved": flip(table.routes["moved"], stage=stage)}
    return replace(table, routes=routes)


def test_it_is_gone_and_comes_back(tmp_path: Path) -> None:
    """trap 52: traffic goes on, a cold start goes on; what was flipped meanwhile arrives."""

    async def talk(arena: Arena) -> None:
        arena.control.stop()
        await until(lambda: arena.proxy.event("control_plane_lost"), "it is noticed")
        assert (await arena.ask()).side == "new"
        await arena.proxy.stop()
        arena.proxy = arena.another_proxy()
        await arena.proxy.start()
        assert (await arena.ask()).side == "new"
        assert (await arena.proxy.table())["source"] == "last_good"
        arena.control.table = staged(arena.control.table, Stage.LEGACY)
        arena.control.etag, arena.control.revision = table_hash(arena.control.table), 2
        await arena.control.start()
        begun = time.perf_counter()
        await until(lambda: arena.control.ack["revision"] == 2, "the flip arrives")
        took = (time.perf_counter() - begun) * 1_000
        assert (await arena.ask()).side == "legacy"
        note(
            "The control plane is gone, the proxy restarts meanwhile",
            "nothing",
            "events `control_plane_lost`, `control_plane_back`; table source `last_good`",
            took,
        )

    play(talk, tmp_path)


def test_it_is_slow(tmp_path: Path) -> None:
    """trap 52: a control plane that takes calls and answers none holds nothing up."""

    async def talk(arena: Arena) -> None:
        control = arena.control
        control.stop()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            waiting.append(writer)
            await reader.read(-1)

        waiting: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(silent, "127.0.0.1", control.port)
        await until(lambda: waiting, "it is called")
        assert (await arena.ask()).side == "new"
        await arena.proxy.stop()
        arena.proxy = arena.another_proxy()
        begun = time.perf_counter()
        await arena.proxy.start()
        cold = time.perf_counter() - begun
        assert cold < 10
        assert (await arena.ask()).side == "new"
        server.close()
        for writer in waiting:
            writer.transport.abort()
        begun = time.perf_counter()
        await control.start()
        control.publish(staged(control.table, Stage.LEGACY))
        await until(lambda: control.ack["revision"] == control.revision, "it follows again", 30)
        took = (time.perf_counter() - begun) * 1_000
        note(
            "The control plane takes calls and answers none",
            f"nothing; a cold start takes {cold:.1f} s",
            "event `control_plane_lost`; table source `last_good`",
            took,
        )

    play(talk, tmp_path)


def test_it_is_wrong(tmp_path: Path) -> None:
    """trap 53: a table that cannot be right is refused, by its hash, its form or its findings."""

    async def talk(arena: Arena) -> None:
        control = arena.control
        good = to_data(control.table)
        bad = {**good, "default_backend": "nowhere"}
        codes = []

        def refused() -> object:
            return (control.ack["refused"] or {}).get("revision")

        for data, etag in (
            (good, "0" * 32),
            ({**good, "routes": "none"}, "1" * 32),
            (bad, table_hash(replace(control.table, default_backend="nowhere"))),
        ):
            control.publish_raw(data, etag)
            revision = control.revision
            await until(
                lambda revision=revision: (
                    (control.ack["refused"] or {}).get("revision") == revision
                ),
                "refused",
            )
            codes.append(control.ack["refused"]["findings"][0]["code"])
            assert (await arena.ask()).side == "new"
        assert len(set(codes)) == 3
        begun = time.perf_counter()
        control.raw = None
        await arena.publish(staged(control.table, Stage.LEGACY))
        took = (time.perf_counter() - begun) * 1_000
        assert control.ack["refused"] is None
        assert (await arena.ask()).side == "legacy"
        note(
            "The control plane publishes wrong tables",
            "nothing",
            "event `table_refused`; in the acknowledgement " + ", ".join(f"`{c}`" for c in codes),
            took,
        )

    play(talk, tmp_path)


def test_it_is_back_with_an_older_database(tmp_path: Path) -> None:
    """trap 51: the control plane is right, also with a lower number; the proxy says so."""

    async def talk(arena: Arena) -> None:
        control = arena.control
        old, etag = control.table, control.etag
        for stage in (Stage.LEGACY, Stage.CANARY, Stage.LEGACY):
            await arena.publish(staged(control.table, stage))
        assert (await arena.ask()).side == "legacy"
        control.stop()
        control.table, control.etag, control.revision = old, etag, 1
        await control.start()
        begun = time.perf_counter()
        await until(lambda: control.ack["revision"] == 1, "the older revision is served")
        took = (time.perf_counter() - begun) * 1_000
        assert (await arena.ask()).side == "new"
        await until(lambda: arena.proxy.event("table_went_back"), "it is said")
        note(
            "The control plane is back with an older database",
            "nothing; the older table is served",
            "event `table_went_back`",
            took,
        )

    play(talk, tmp_path)


def test_tables_come_twice_and_out_of_order(tmp_path: Path) -> None:
    """trap 51: what does not follow from the served table is asked for, whole."""

    async def talk(arena: Arena) -> None:
        control = arena.control
        sent: list[bytes] = []
        announce = control._announce

        def keep(extra: dict[str, object]) -> None:
            event = {"revision": control.revision, "etag": control.etag, **extra}
            sent.append(b"event: revision\ndata: " + orjson.dumps(event) + b"\n\n")

        control._announce = keep  # type: ignore[method-assign]
        for stage in (Stage.LEGACY, Stage.CANARY, Stage.NEW, Stage.LEGACY):
            control.publish(staged(control.table, stage))
        for event in [sent[3], sent[0], sent[0], sent[2], sent[1], sent[3], sent[0]]:
            for writer in control._streams:
                writer.write(event)
            await asyncio.sleep(0.05)
        begun = time.perf_counter()
        await until(lambda: control.ack["etag"] == control.etag, "the last table is served")
        await until(lambda: control.ack["revision"] == control.revision, "under its number")
        took = (time.perf_counter() - begun) * 1_000
        assert (await arena.ask()).side == "legacy"
        control._announce = announce  # type: ignore[method-assign]
        await arena.publish(staged(control.table, Stage.NEW))
        assert (await arena.ask()).side == "new"
        note(
            "Tables come twice and out of order",
            "nothing",
            "the last revision is acknowledged",
            took,
        )

    play(talk, tmp_path)
