"""What a proxy cannot open of a table harms itself only, is shown, and ends by itself."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from figway.model.backend import AwsResource, Backend, BackendKind, CredentialHeader
from figway.model.table import Route, Stage, Table
from figway.model.words import Side
from tests.support.fleet import Proxy, World, world
from tests.support.until import until

pytestmark = pytest.mark.process


def with_backends(table: Table, *backends: Backend, **routes: str) -> Table:
    """The table with further backends, and routes whose new they are."""
    known = {**table.backends, **{item.id: item for item in backends}}
    pattern = table.routes["moved"]
    added = {
        key: replace(pattern, id=key, new=new, match=replace(pattern.match, path=f"/{key}/{{x}}"))
        for key, new in routes.items()
    }
    return replace(
        table,
        backends=MappingProxyType(known),
        routes=MappingProxyType({**table.routes, **added}),
    )


def row_of(w: World, backend: str) -> dict[str, Any]:
    rows = w.control.ack.get("quarantine", [])
    return next((row for row in rows if row["id"] == backend), {})


async def bad_backends_harm_nobody_else(w: World, proxy: Proxy, *bad: Backend) -> None:
    """Route `broken` has each of them for new, and nobody uses `idle`, its twin."""
    for backend in bad:
        idle = replace(backend, id="idle")
        table = with_backends(w.make_table(Stage.NEW), backend, idle, broken=backend.id)
        w.control.publish(table)
        await until(
            lambda: w.control.ack["etag"] == w.control.etag, f"{backend.id}: the table is served"
        )
        await until(lambda name=backend.id: row_of(w, name), f"{backend.id} is left out")
        assert row_of(w, backend.id)["routes"] == ["broken"]
        assert row_of(w, "idle")["routes"] == []
        assert w.control.ack["refused"] is None
        assert await proxy.served_by("/moved/x") == "new"
        assert await proxy.served_by("/broken/x") == "legacy"
    w.control.publish(w.make_table(Stage.LEGACY))
    await until(lambda: w.control.ack["etag"] == w.control.etag, "flipped back")
    assert await proxy.served_by("/moved/x") == "legacy"
    await until(lambda: w.control.ack["quarantine"] == [], "nothing is left out")


async def test_a_backend_that_cannot_be_opened_harms_itself_only(tmp_path: Path) -> None:
    """B1: no region, no secret, no certificate: the table is served, flips and all."""
    header = CredentialHeader(header="Authorization", value="env:FIGWAY_SECRET_GONE")
    async with world(tmp_path / "state") as w:
        proxy = await w.proxy(ca_dir=str(tmp_path))
        url = "https://127.0.0.1:1"
        bus = AwsResource(resource="shop")
        (tmp_path / "empty.pem").write_text("")
        (tmp_path / "junk.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
        await bad_backends_harm_nobody_else(
            w,
            proxy,
            Backend(id="region", side=Side.NEW, kind=BackendKind.LAMBDA, function="f"),
            Backend(id="bus", side=Side.NEW, kind=BackendKind.EVENTS, aws=bus),
            Backend(id="secret", side=Side.NEW, url=url, credentials=(header,)),
            Backend(id="gone", side=Side.NEW, url=url, ca_file=str(tmp_path / "gone.pem")),
            Backend(id="empty", side=Side.NEW, url=url, ca_file=str(tmp_path / "empty.pem")),
            Backend(id="junk", side=Side.NEW, url=url, ca_file=str(tmp_path / "junk.pem")),
        )
        events = [row for report in w.control.reports for row in report["events"]]
        assert any(row["kind"] == "quarantine" and row["to"] == "ok" for row in events)


async def test_a_file_that_hangs_blocks_nobody(tmp_path: Path) -> None:
    """B2: a FIFO, a device, a folder: read off the loop by the supervisor, if at all."""
    os.mkfifo(tmp_path / "fifo")
    async with world(tmp_path / "state") as w:
        proxy = await w.proxy(ca_dir=str(tmp_path), secrets_dir=str(tmp_path))
        url = "https://127.0.0.1:1"
        secret = CredentialHeader(header="Authorization", value=f"file:{tmp_path / 'fifo'}")
        await bad_backends_harm_nobody_else(
            w,
            proxy,
            Backend(id="fifo", side=Side.NEW, url=url, ca_file=str(tmp_path / "fifo")),
            Backend(id="folder", side=Side.NEW, url=url, ca_file=str(tmp_path)),
            Backend(id="device", side=Side.NEW, url=url, ca_file="/dev/zero"),
            Backend(id="secret", side=Side.NEW, url=url, credentials=(secret,)),
        )


async def test_a_refusal_does_not_tell_which_files_exist(tmp_path: Path) -> None:
    """B2: outside the folder, what exists and what does not look the same."""
    (tmp_path / "ca").mkdir()
    (tmp_path / "there").write_text("x")
    (tmp_path / "ca" / "link").symlink_to(tmp_path / "there")
    async with world(tmp_path / "state") as w:
        await w.proxy(ca_dir=str(tmp_path / "ca"))
        paths = ("there", "not-there", "ca/../there", "ca/link")
        backends = [
            Backend(id=f"b{i}", side=Side.NEW, url="https://h:1", ca_file=str(tmp_path / path))
            for i, path in enumerate(paths)
        ]
        w.control.publish(with_backends(w.make_table(Stage.NEW), *backends))
        await until(lambda: len(w.control.ack.get("quarantine", [])) == 4, "all are left out")
        texts = {row["text"].replace(row["id"], "b") for row in w.control.ack["quarantine"]}
        assert len(texts) == 1


async def test_it_ends_by_itself_when_the_file_comes(tmp_path: Path) -> None:
    """B1: nobody has to publish anything."""
    secret = tmp_path / "token"
    header = CredentialHeader(header="Authorization", value=f"file:{secret}")
    async with world(tmp_path / "state") as w:
        proxy = await w.proxy(secrets_dir=str(tmp_path))
        backend = Backend(id="late", side=Side.NEW, url=w.new.url, credentials=(header,))
        w.control.publish(with_backends(w.make_table(Stage.NEW), backend, broken="late"))
        await until(lambda: row_of(w, "late"), "left out")
        assert await proxy.served_by("/broken/x") == "legacy"
        assert await proxy.metric("figway_quarantine") == 2, "one a worker"
        secret.write_text("t0p")
        await until(lambda: w.control.ack["quarantine"] == [], "back")

        async def new() -> bool:
            return await proxy.served_by("/broken/x") == "new"

        await until(new, "served by new")


async def test_a_legacy_that_cannot_be_opened_goes_on_as_it_was(tmp_path: Path) -> None:
    """B1: whoever breaks legacy's definition does not take the site away."""
    async with world(tmp_path / "state") as w:
        proxy = await w.proxy()
        table = w.make_table(Stage.LEGACY)
        header = CredentialHeader(header="Authorization", value="env:FIGWAY_SECRET_GONE")
        legacy = replace(table.backends["legacy"], credentials=(header,))
        w.control.publish(with_backends(table, legacy))
        await until(lambda: row_of(w, "legacy"), "left out")
        assert await proxy.served_by() == "legacy"
        assert "used on" in row_of(w, "legacy")["text"]


async def test_a_route_whose_legacy_was_never_open_fails_alone(tmp_path: Path) -> None:
    """B1: 502 there, and nowhere else."""
    async with world(tmp_path / "state") as w:
        proxy = await w.proxy()
        table = w.make_table(Stage.NEW)
        header = CredentialHeader(header="Authorization", value="env:FIGWAY_SECRET_GONE")
        other = Backend(id="other", side=Side.LEGACY, url=w.legacy.url, credentials=(header,))
        table = with_backends(table, other, alone="new")
        alone: Route = replace(table.routes["alone"], legacy="other", stage=Stage.LEGACY)
        routes = MappingProxyType({**table.routes, "alone": alone})
        w.control.publish(replace(table, routes=routes))
        await until(lambda: row_of(w, "other"), "left out")
        assert (await proxy.get("/alone/x")).status_code == 502
        assert await proxy.served_by("/moved/x") == "new"
        assert await proxy.served_by("/elsewhere") == "legacy"
