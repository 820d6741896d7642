"""A whole Figway of real processes, started by `figway up`, for tests that stand outside of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

from control_plane.cli.addresses import free_port

FIGWAY = Path(sys.executable).with_name("figway")
_ROOT = Path(__file__).resolve().parents[2]
_KEY = re.compile(r"fgw_[a-z0-9]+_[0-9a-f]+")


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without settings of Figway or proxies that the caller may have."""
    unwanted = ("FIGWAY_", "DATABASE_URL", "http_proxy", "https_proxy", "HTTP_PROXY", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**kept, **more}


class Ran:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    def __repr__(self) -> str:
        return f"exit {self.code}\n-- out\n{self.out}\n-- err\n{self.err}"


class Installation:
    """`figway up` in a folder, and the command line that talks to it."""

    def __init__(self, folder: Path, legacy: str) -> None:
        self.folder = folder
        self.legacy = legacy
        self.state = folder / "state"
        ports = [free_port(0) for _ in range(3)]
        self.listen, self.admin, self.private = (f"127.0.0.1:{port}" for port in ports)
        self.facade = f"http://{self.listen}"
        self.key = ""
        self.done: set[str] = set()
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._commands: subprocess.Popen[str] | None = None

    def command(self, *more: str, legacy: str = "") -> list[str]:
        """The command that starts it."""
        return [
            str(FIGWAY), "up", "--legacy", legacy or self.legacy, "--listen", self.listen,
            "--admin", self.admin, "--private", self.private, "--state", str(self.state), *more,
        ]  # fmt: skip

    def begin(self, *more: str, legacy: str = "", **environment: str) -> None:
        """Start it without waiting."""
        self.lines = []
        self.process = subprocess.Popen(
            self.command(*more, legacy=legacy),
            env=clean_environment(**environment),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def start(self, *more: str, **environment: str) -> None:
        """Start it, wait until it says what to do next, and keep the key that it prints."""
        self.begin(*more, **environment)
        self.wait_for("figway shadow orders")
        found = _KEY.search(self.text)
        self.key = found.group() if found else self.key

    @property
    def text(self) -> str:
        """What it printed."""
        return "\n".join(self.lines)

    def wait_for(self, words: str, seconds: float = 90.0) -> None:
        """Wait until it prints `words`."""
        assert self.process is not None
        until = time.monotonic() + seconds
        while words not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < until, f"no {words!r} in: {self.text}"
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """End it as Ctrl-C would; its exit code. A second call does nothing."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        assert self._reader is not None
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def run(self, *words: str, key: str | None = None, stdin: str = "", **environment: str) -> Ran:
        """Run a figway command against it, as an administrator unless another key is given."""
        settings = {"FIGWAY_ADMIN_URL": f"http://{self.admin}"}
        given = self.key if key is None else key
        if given:
            settings["FIGWAY_ADMIN_KEY"] = given
        asked = {
            "words": words,
            "environment": clean_environment(**{**settings, **environment}),
            "folder": str(self.folder),
            "input": stdin,
        }
        commands = self._commands = self._commands or self._loaded()
        assert commands.stdin is not None
        assert commands.stdout is not None
        try:
            commands.stdin.write(json.dumps(asked) + "\n")
            commands.stdin.flush()
            return Ran(**json.loads(commands.stdout.readline()))
        except BaseException:
            # A test whose time is over leaves an answer unread: the next command must not read it.
            self._commands = None
            commands.kill()
            commands.communicate()
            raise

    @staticmethod
    def _loaded() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.commands"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ok(self, *words: str, **more: str) -> str:
        """Run a command that must succeed; what it printed."""
        done = self.run(*words, **more)
        assert done.code == 0, (words, done)
        assert done.err == "", (words, done)
        return done.out

    def side(self, path: str) -> str:
        """Who answers a GET of `path`: the sides of the tests name themselves in a header."""
        return requests.get(self.facade + path, timeout=30).headers["answered-by"]

    def processes(self) -> set[int]:
        """Processes of this installation: each carries the state folder or a port of it."""
        marks = (str(self.state).encode(), self.private.encode())
        found = set()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):
                told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
                if any(mark in told for mark in marks) and (entry / "cmdline").read_bytes():
                    found.add(int(entry.name))
        return found

    def cleanup(self) -> None:
        """Kill whatever a failed test left."""
        if self._commands is not None:
            self._commands.communicate(timeout=10)
        if self.process is not None:
            with suppress(Exception):
                self.stop()
        for number in self.processes():
            with suppress(OSError):
                os.kill(number, signal.SIGKILL)

    def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))


@contextmanager
def installation(folder: Path, legacy: str) -> Iterator[Installation]:
    """An installation that is not started yet; nothing of it is left at the end."""
    found = Installation(folder, legacy)
    try:
        yield found
    finally:
        found.cleanup()
