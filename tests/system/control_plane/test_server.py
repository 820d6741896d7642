"""The control plane as a process: how it starts, streams, refuses and stops."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_plane.server import Exit, listening, main
from control_plane.settings import Settings
from figway.model.change import apply, changes_from_data
from figway.model.codec import TableHasher, from_data
from figway.model.table import Table
from tests.support.control import ROUTE
from tests.support.control_process import running, start


def refusal(tmp_path: Path, **env: str) -> tuple[int, str]:
    """How a start that must fail ends: its exit code and its one line."""
    with running(tmp_path, **env) as process:
        out, err = process.communicate(timeout=120)
        assert out == ""
        assert len(err.splitlines()) == 1, err
        return process.returncode, err


def test_the_key_of_the_first_start_is_printed_once(tmp_path: Path) -> None:
    """trap 55: no default password, and the admin API is on loopback."""
    with running(tmp_path) as process:
        url, key = start(process)
        assert url.startswith("http://127.0.0.1:")
        headers = {"authorization": f"Bearer {key}"}
        me = httpx.get(f"{url}/me", headers=headers, trust_env=False, timeout=60)
        assert me.json()["role"] == "admin"
        assert me.headers["x-content-type-options"] == "nosniff"
        assert me.headers["cache-control"] == "no-store"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
        assert str(key) not in out + err
    with running(tmp_path) as process:
        url, none = start(process)
        assert none is None
        assert (
            httpx.get(f"{url}/me", headers=headers, trust_env=False, timeout=60).status_code == 200
        )


@pytest.mark.parametrize(
    ("env", "word"),
    [
        ({"FIGWAY_ADMIN_LISTEN": "0.0.0.0:0"}, "not loopback"),
        ({"FIGWAY_ADMIN_LISTEN": "nonsense"}, "host:port"),
        ({"FIGWAY_ADMIN_LISTEN": "192.0.2.1:0", "FIGWAY_ADMIN_ALLOW_PLAIN": "1"}, "cannot listen"),
        ({"FIGWAY_BOOTSTRAP_ADMIN_KEY": "secret"}, "FIGWAY_BOOTSTRAP_ADMIN_KEY"),
        ({"FIGWAY_BOOTSTRAP_ADMIN_KEY_FILE": "/nowhere"}, "cannot be read"),
        ({"FIGWAY_LEGACY_URL": "ftp://x"}, "FIGWAY_LEGACY_URL"),
        ({"FIGWAY_MAX_BODY": "many"}, "FIGWAY_MAX_BODY"),
        ({"FIGWAY_ADMIN_TLS_CERT": "/nowhere"}, "belong together"),
        ({"FIGWAY_LOG_LEVEL": "loud"}, "FIGWAY_LOG_LEVEL"),
    ],
)
def test_one_clear_line_for_a_wrong_setting(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    env: dict[str, str],
    word: str,
) -> None:
    """trap 55: among them, an admin API on a network without TLS."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("FIGWAY_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("FIGWAY_ADMIN_LISTEN", "127.0.0.1:0")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert main() == Exit.SETTINGS
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert word in said.err


def test_a_used_port_is_noticed_before_the_database_is_touched(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, line = refusal(tmp_path, FIGWAY_ADMIN_LISTEN=f"127.0.0.1:{port}")
    assert code == Exit.SETTINGS
    assert f"port {port}" in line
    assert "FIGWAY_ADMIN_LISTEN" in line
    assert list(tmp_path.iterdir()) == []


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        start(process)
    file = tmp_path / "figway.sqlite3"
    connection = sqlite3.connect(file)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    before = "\n".join(connection.iterdump())
    connection.close()
    code, line = refusal(tmp_path)
    assert code == Exit.NEWER_DATABASE
    assert "newer release" in line
    connection = sqlite3.connect(file)
    assert "\n".join(connection.iterdump()) == before
    connection.close()


def test_the_stream_tells_what_changed(tmp_path: Path) -> None:
    """trap 51: a proxy follows from difference to difference and proves it by the ETag."""
    with running(tmp_path, FIGWAY_LEGACY_URL="http://127.0.0.1:9000") as process:
        url, key = start(process)
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=20) as client:
            pulled = client.get("/table")
            etag = pulled.headers["etag"]
            again = client.get("/table", headers={"if-none-match": etag})
            assert (again.status_code, again.content) == (304, b"")
            table = from_data(Table, pulled.json()["table"])
            hasher = TableHasher()
            assert f'"{hasher.table(table)}"' == etag
            with client.stream("GET", "/table/stream") as stream:
                assert stream.headers["content-type"].startswith("text/event-stream")
                events = _events(stream)
                name, told = next(events)
                assert (name, told["revision"]) == ("current", 1)
                assert told["etag"] == hasher.table(table)
                assert next(events) == ("kill", {"on": False, "number": 0})
                backend = {"id": "fn", "side": "new", "url": "http://127.0.0.1:9001"}
                client.post("/backends", json=backend).raise_for_status()
                client.post("/routes", json=ROUTE).raise_for_status()
                flip = {"weight": 100, "reason": "r"}
                client.post(
                    "/routes/orders/flip?confirm=exposure", json=flip, headers={"if-match": "*"}
                )
                for revision in (2, 3, 4):
                    name, told = next(events)
                    assert (name, told["revision"]) == ("revision", revision)
                    assert told["base"] == hasher.table(table)
                    table = apply(table, changes_from_data(told["changes"]))
                    assert hasher.table(table) == told["etag"]
                assert table.routes["orders"].weight == 100
                process.send_signal(signal.SIGTERM)  # an open stream does not keep it from ending
                assert list(events) == []
            assert process.wait(60) == Exit.OK


def _events(stream: httpx.Response) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in stream.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_nothing_else_is_served(tmp_path: Path) -> None:
    """trap 55: what a framework adds by itself is off."""
    with running(tmp_path) as process:
        url, _ = start(process)
        root = url.removesuffix("/api/v1")
        for path in ("/redoc", "/metrics"):
            assert httpx.get(root + path, trust_env=False, timeout=60).status_code == 404
        assert httpx.get(f"{root}/live", trust_env=False, timeout=60).status_code == 204
        assert httpx.get(f"{root}/ready", trust_env=False, timeout=60).status_code == 204


def test_an_answer_does_not_wait_for_nagle(tmp_path: Path) -> None:
    """asyncio switches Nagle's algorithm off only where the protocol is named; accepted sockets
    inherit it."""
    listener = listening(Settings(state_dir=tmp_path, admin_listen="127.0.0.1:0"))
    with listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_the_link_of_the_console_is_not_for_logs(tmp_path: Path) -> None:
    """S1: what a service prints is kept, and read by more people than may flip: the link is in a
    file that its owner alone reads, in a private folder, as is the database."""
    os.umask(0o022)
    folder = tmp_path / "state"
    with running(folder) as process:
        url, _ = start(process)
        link = (folder / "console-link").read_text().strip()
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.rglob("*")}
        assert set(modes.values()) <= {0o600, 0o700}, modes
        assert folder.stat().st_mode & 0o777 == 0o700
        assert httpx.get(link, trust_env=False, timeout=60).status_code == 200
        process.terminate()
        out, err = process.communicate()
    assert "token=" not in out + err
    assert url.removesuffix("/api/v1") in link


def test_an_error_is_said_once(tmp_path: Path) -> None:
    """L11: no descriptors left: two thousand tracebacks a second would fill the disk next."""
    with running(tmp_path) as process:
        url, _ = start(process)
        address = ("127.0.0.1", httpx.URL(url).port or 0)
        used = len(os.listdir(f"/proc/{process.pid}/fd"))
        limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + 2, limits[1]))
        crowd = [socket.create_connection(address) for _ in range(30)]
        time.sleep(3)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
        for connection in crowd:
            connection.close()
        assert httpx.get(f"{url}/me", trust_env=False, timeout=60).status_code == 401
        process.terminate()
        _, err = process.communicate(timeout=120)
    assert err.count("out of system resource") == 1, err[:2_000]
