"""The processes of one measurement: origin, control plane, server under test; and their cores."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measure import of_role
from bench.peers import Missing, Spec, Start, registry
from bench.scenarios import Scenario

LOAD_CORE, PROXY_CORE = 0, 1
_READY_S = 60.0
_ROOT = Path(__file__).resolve().parent.parent


def pinned(command: list[str], *cores: int) -> list[str]:
    """`command` on those cores only, where the machine has two and taskset."""
    if shutil.which("taskset") is None or (os.cpu_count() or 1) < 2:
        return command
    return ["taskset", "-c", ",".join(str(core) for core in cores), *command]


class Helper:
    """A process of ours that prints one line when it is ready and ends with its input."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            pinned([sys.executable, "-m", module, *arguments], LOAD_CORE),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        found = self.process.stdout.readline()
        if not found:
            raise RuntimeError(f"{self.process.args!r} ended early")
        return found

    def go_on(self) -> None:
        """Let it do the next step."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Running:
    """A server under test. `port` is what load goes to, `pid` the root of its processes."""

    def __init__(self, port: int, pid: int, ports: list[int], note: str) -> None:
        self.port = port
        self.pid = pid
        self.ports = ports
        self.note = note

    def counts(self) -> list[int]:
        """Requests that the origin has had, by port: legacy, its aliases, new."""
        head, _, body = fetch(self.ports[0], "/-/counts").partition(b"\r\n\r\n")
        if b" 200 " not in head[:16]:
            raise RuntimeError("the origin does not tell its counts")
        found: list[int] = json.loads(body)
        return found


@contextlib.contextmanager
def running(server: str, scenario: Scenario) -> Iterator[Running]:
    """Origin and server for `scenario`, up and answering. Raises `Missing`."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="figway-bench-")))
        directory.chmod(0o755)  # nginx's workers are another user's
        origin = Helper("bench.origin", "4")
        stack.callback(origin.close)
        ports: list[int] = json.loads(origin.line())
        if server == "direct":
            yield Running(ports[0], origin.process.pid, ports, "")
            return
        spec = Spec(
            port=free_port(),
            legacy=ports[0],
            legacy_aliases=(ports[1], ports[2]),
            new=ports[3],
            directory=directory,
            routes=scenario.routes,
            split=scenario.split,
            mirror=scenario.mirror,
            operation=scenario.operation,
            workers=scenario.workers,
            flips=scenario.flips,
        )
        start = registry()[server](spec)
        env = {**_clean_environment(), **start.env}
        if start.with_control:
            env["FIGWAY_CONTROL_URL"] = f"http://127.0.0.1:{_control(stack, spec)}"
        process = _started(start, scenario, env, directory)
        stack.callback(_end, process)
        _wait(process, spec.port, directory)
        if scenario.mirror and scenario.workers == 1:
            _shadow_apart(process.pid)
        yield Running(spec.port, process.pid, ports, start.note)


def _started(
    start: Start, scenario: Scenario, env: dict[str, str], directory: Path
) -> subprocess.Popen[bytes]:
    cores = (PROXY_CORE,) if scenario.workers == 1 else (LOAD_CORE, PROXY_CORE)
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            pinned(start.command, *cores),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=env,
            cwd=_ROOT,
            start_new_session=True,
        )
    first_served(process.pid)
    return process


def _shadow_apart(pid: int) -> None:
    """Have Figway's shadow worker share the core of the load. Where the serving worker leaves it
    no time it steps back, and nothing would be copied: the other servers copy in their own."""
    for one in of_role(pid, "shadow"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(one, {LOAD_CORE})


def first_served(pid: int | str = "self") -> None:
    """Have the session of `pid` served before others, by as much as BENCH_NICE says.

    The kernel shares a core out between sessions first (sched(7), autogroups), so that the nice
    value of a process counts for nothing beside another session's jobs.
    """
    nice = os.environ.get("BENCH_NICE", "")
    if nice:
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/autogroup").write_text(nice)


def _control(stack: contextlib.ExitStack, spec: Spec) -> int:
    values = {
        "routes": spec.routes,
        "split": spec.split,
        "mirror": spec.mirror,
        "operation": spec.operation,
        "legacy": spec.legacy,
        "new": spec.new,
        "flips": spec.flips,
    }
    control = Helper("bench.control", json.dumps(values))
    stack.callback(control.close)
    return int(control.line())


def _clean_environment() -> dict[str, str]:
    """No proxies and no settings of ours from outside."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("FIGWAY_") and not key.lower().endswith("_proxy")
    }


def _wait(process: subprocess.Popen[bytes], port: int, directory: Path) -> None:
    end = time.monotonic() + _READY_S
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            if b" 200 " in fetch(port, "/api/v1/resource-0/1")[:16]:
                return
        time.sleep(0.1)
    said = (directory / "output").read_text(errors="replace")[-800:]
    raise Missing(f"did not start: {said.strip() or 'no output'}")


def fetch(port: int, path: str) -> bytes:
    """A whole answer over a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        request = f"GET {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"
        sock.sendall(request.encode())
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65_536)
            if not piece:
                return data
            data += piece
        head = data[: data.index(b"\r\n\r\n")].lower()
        at = head.find(b"content-length: ") + 16
        length = int(head[at:].split(b"\r")[0]) if at > 15 else 0
        whole = len(head) + 4 + length
        while len(data) < whole:
            data += sock.recv(65_536) or b" " * whole
        return data


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and all that it started: it leads a session of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(3)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
