"""The part of Lambda that a function sees: a Runtime API, and the real runtime client on it.

Source: AWS, "Using the Lambda runtime API". One invocation at a time, as in a sandbox; `freeze` and
`thaw` stop and continue the process, as the platform does between invocations.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
WAIT = 60.0


class Invocation:
    """One event on its way through a function."""

    def __init__(self, event: Any, timeout_ms: int, trace: str) -> None:
        self.id = str(uuid.uuid4())
        self.payload = json.dumps(event).encode()
        self.deadline_ms = int(time.time() * 1_000) + timeout_ms
        self.trace = trace
        self.done = threading.Event()
        self.result: bytes = b""
        self.error: bytes = b""
        self.streamed = False
        self.trailers: dict[str, str] = {}
        self.pieces: queue.Queue[bytes | None] = queue.Queue()


class FunctionFailed(AssertionError):
    """The function answered with an error, or its process ended."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: RuntimeApi

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        invocation = self.server.take()
        if invocation is None:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", invocation.id)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(invocation.deadline_ms))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:x:1:function:f")
        self.send_header("Lambda-Runtime-Trace-Id", invocation.trace)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(invocation.payload)))
        self.end_headers()
        self.wfile.write(invocation.payload)

    def do_POST(self) -> None:
        parts = self.path.split("/")
        invocation = self.server.current
        streamed = self.headers.get("Lambda-Runtime-Function-Response-Mode") == "streaming"
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = self._chunks(invocation if streamed else None)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if invocation is not None and parts[-1] == "response":
            invocation.result, invocation.streamed = body, streamed
        elif invocation is not None:
            invocation.error = body or b"{}"
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if invocation is not None and parts[-2:] != ["init", "error"]:
            self.server.current = None
            invocation.pieces.put(None)
            invocation.done.set()

    def _chunks(self, invocation: Invocation | None) -> bytes:
        found = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            piece = self.rfile.read(size)
            self.rfile.readline()
            found += piece
            if invocation is not None:
                invocation.pieces.put(piece)
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            if invocation is not None:
                invocation.trailers[name.lower()] = value.strip()
        return found


class RuntimeApi(ThreadingHTTPServer):
    """Serves one sandbox."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.waiting: queue.Queue[Invocation | None] = queue.Queue()
        self.current: Invocation | None = None
        self.asked = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def take(self) -> Invocation | None:
        self.asked.set()
        self.current = self.waiting.get()
        return self.current

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sandbox that was killed leaves in the middle of a word."""


class Function:
    """A sandbox: the runtime client in a process of its own, and what it prints."""

    def __init__(
        self,
        environment: dict[str, str],
        handler: str = "proxy.serverless.handler.handler",
        command: list[str] | None = None,
        folder: Path = ROOT,
    ) -> None:
        self.api = RuntimeApi()
        self.lines: list[dict[str, Any]] = []
        self.output: list[str] = []
        base = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.api.server_address[1]}",
            "AWS_LAMBDA_FUNCTION_NAME": "figway-proxy",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
            "AWS_REGION": "us-east-1",
            "_HANDLER": handler,
        }
        self.process = subprocess.Popen(
            command or [sys.executable, "-m", "awslambdaric", handler],
            cwd=folder,
            env=base | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._lock = threading.Lock()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if line.startswith("{"):
                self.lines.append(json.loads(line))

    def start(self, event: Any, timeout_ms: int = 15_000, trace: str = "") -> Invocation:
        """Hand over an event."""
        invocation = Invocation(event, timeout_ms, trace)
        self.api.waiting.put(invocation)
        return invocation

    def invoke(self, event: Any, timeout_ms: int = 15_000, trace: str = "") -> Any:
        """Hand over an event and wait for what the function returns. Raises FunctionFailed."""
        with self._lock:
            invocation = self.start(event, timeout_ms, trace)
            self.finish(invocation)
            return json.loads(invocation.result)

    def finish(self, invocation: Invocation) -> None:
        """Wait for the end of an invocation. Raises FunctionFailed."""
        until = time.monotonic() + WAIT
        while not invocation.done.wait(0.05):
            if self.process.poll() is not None or time.monotonic() > until:
                raise FunctionFailed("".join(self.output[-40:]))
        if invocation.error:
            raise FunctionFailed(invocation.error.decode())

    def freeze(self) -> None:
        """Stop the process where it is."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue it."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the sandbox."""
        self.process.kill()
        self.process.wait(WAIT)
        self.api.waiting.put(None)
        self._reader.join(WAIT)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.api.shutdown()
        self.api.server_close()
