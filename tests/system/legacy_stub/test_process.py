"""The process: its line, its seed, its file, its end."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests.system.legacy_stub.running import running


def _events(url: str) -> str:
    digest = hashlib.sha256()
    for after in range(0, 5000, 1000):
        page = httpx.get(
            f"{url}/internal/events?after={after}&limit=1000", trust_env=False, timeout=60
        )
        digest.update(repr(page.json()["events"]).encode())
    return digest.hexdigest()


def test_the_seed_decides_the_data() -> None:
    with running("--seed", "7") as one, running("--seed", "7") as two, running() as other:
        assert _events(one.url) == _events(two.url)
        assert _events(one.url) != _events(other.url)


def test_a_data_file_is_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "shop.sqlite")
    with running("--data", path) as shop:
        where = f"{shop.url}/api/users/5"
        httpx.patch(where, json={"first_name": "Kept"}, trust_env=False).raise_for_status()
        assert shop.stop() == 0
    with running("--data", path) as shop:
        kept = httpx.get(f"{shop.url}/api/users/5", trust_env=False, timeout=60).json()
        assert (kept["first_name"], kept["version"]) == ("Kept", 2)


def test_sigterm_ends_streams_and_hanging_requests_too() -> None:
    with running() as shop:
        feed = httpx.stream(
            "GET", f"{shop.url}/live/prices?interval=60000", trust_env=False, timeout=60
        )
        parsed = httpx.URL(shop.url)
        with socket.create_connection((parsed.host, parsed.port or 80)) as hung, feed as answer:
            hung.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Stub-Fault: hang\r\n\r\n")
            assert next(answer.iter_text()).startswith("retry:")
            while not httpx.get(f"{shop.url}/internal/stats", trust_env=False, timeout=60).json()[
                "faults"
            ]:
                pass
            assert shop.stop() == 0
            assert hung.recv(1) == b""


def test_a_used_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "legacy_stub", "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=20,
            cwd=Path(__file__).parents[3],
        )
    assert done.returncode == 1
    assert done.stderr == f"Cannot listen on 127.0.0.1:{port}: Address already in use.\n"


def test_the_access_log_is_a_line_a_request() -> None:
    with running("--access-log") as shop:
        httpx.get(f"{shop.url}/slow?ms=0", trust_env=False, timeout=60)
        assert shop.process.stdout is not None
        assert shop.process.stdout.readline().startswith("GET '/slow' 200 ")
