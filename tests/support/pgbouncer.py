"""PgBouncer in transaction mode before the tests' PostgreSQL, where it is installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from control_plane.cli.addresses import free_port

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


@contextmanager
def pooled(url: str, sessions: int = 3) -> Iterator[str]:
    """The URL of the same database through the pooler, which lends so many sessions."""
    assert PROGRAM is not None
    parts = make_url(url)
    port = free_port(0)
    home = Path(tempfile.mkdtemp(prefix="figway-bouncer-"))
    home.chmod(0o755)
    config = home / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = host={parts.query['host']} user=postgres\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = {sessions}\n"
        "ignore_startup_parameters = extra_float_digits\nserver_login_retry = 1\n"
    )
    process = subprocess.Popen(
        [PROGRAM, "-q", "-u", "nobody", config],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _until_listening(port, process)
        found = parts.set(host="127.0.0.1", port=port, query={})
        yield found.render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(home, ignore_errors=True)


def _until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "PgBouncer did not start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("PgBouncer does not listen")
