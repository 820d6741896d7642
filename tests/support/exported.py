"""An exported test file, run against a server as a person runs it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Served:
    """What a server answers to one path."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answering = Callable[[str], Served]


@contextmanager
def serving(answering: Answering) -> Iterator[str]:
    """A server that answers a path by a script."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = answering(self.path)
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Ran:
    """How a run ended."""

    code: int
    counts: str
    """`2 failed, 1 passed`"""
    text: str


async def run_exported(file: Path, answering: Answering) -> Ran:
    """Run an exported file against a server that answers so, without pytest."""
    with serving(answering) as base:
        ran = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-S", str(file), base],
            capture_output=True, text=True, cwd=file.parent, check=False,
        )  # fmt: skip
    counts = re.search(r"^\d+ (?:passed|failed|skipped).*$", ran.stdout, re.M)
    return Ran(ran.returncode, counts[0] if counts else "", ran.stdout + ran.stderr)
