"""The servers of the rewrites, started on loopback from what `install.sh` fetched."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.until import until

ROOT = Path(os.environ.get("REWRITES", "build/rewrites")).resolve()
NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
  access_log off;
  types {{
    text/html html; text/css css; application/json json; text/plain txt; image/svg+xml svg;
  }}
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""
CADDY = """
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  bind 127.0.0.1
  root * {root}
  file_server
}}
"""


def needed(name: str) -> Path:
    """A file that `install.sh` fetches; the test is skipped without it."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"{path} is not there: run `make rewrites`")
    return path


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def running(url: str, *command: str | Path, cwd: Path) -> AsyncIterator[str]:
    """A server as a process that listens at `url`; ended afterwards."""
    clean = {**os.environ, "HOME": str(cwd), "XDG_DATA_HOME": str(cwd), "XDG_CONFIG_HOME": str(cwd)}
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=cwd,
        env=clean,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await until(lambda: _listens(url), f"{command[0]} listens", 30)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _listens(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


def json_server(
    version: str, folder: Path, data: Path
) -> contextlib.AbstractAsyncContextManager[str]:
    """json-server on a copy of a file of data, in a folder of its own."""
    program = needed(f"json-server-{version}/node_modules/.bin/json-server")
    folder.mkdir()
    mine = Path(shutil.copy2(data, folder / "db.json"))
    port = free_port()
    return running(f"http://127.0.0.1:{port}", program, "--port", str(port), mine, cwd=folder)


def nginx(folder: Path, root: Path) -> contextlib.AbstractAsyncContextManager[str]:
    """nginx on a folder of files."""
    program = needed("debian/usr/sbin/nginx")
    folder.mkdir()
    port = free_port()
    settings = folder / "nginx.conf"
    settings.write_text(NGINX.format(folder=folder, root=root, port=port))
    command = (program, "-p", folder, "-c", settings, "-e", "stderr")
    return running(f"http://127.0.0.1:{port}", *command, cwd=folder)


def caddy(folder: Path, root: Path) -> contextlib.AbstractAsyncContextManager[str]:
    """Caddy on the same folder of files."""
    program = needed("debian/usr/bin/caddy")
    folder.mkdir()
    port = free_port()
    settings = folder / "Caddyfile"
    settings.write_text(CADDY.format(root=root, port=port))
    command = (program, "run", "--config", settings, "--adapter", "caddyfile")
    return running(f"http://127.0.0.1:{port}", *command, cwd=folder)
