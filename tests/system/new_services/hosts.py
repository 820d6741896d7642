"""Starts real function hosts for tests and talks to them as an AWS client would."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PROBE = Path(__file__).with_name("probe.toml")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Host:
    process: subprocess.Popen[str]
    port: int
    timeout: float = 30
    """Seconds that a request may take."""

    def send(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def invoke(self, name: str, event: Any = None, query: str = "", **headers: str) -> Answer:
        """Invoke; header names are given with _ for -."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        target = f"/2015-03-31/functions/{name}/invocations{query}"
        return self.send("POST", target, json.dumps(event or {}).encode(), named)

    def stats(self, name: str) -> dict[str, int]:
        counts: dict[str, int] = self.send("GET", "/host/stats").json()[name]
        return counts

    def fault(self, **fault: Any) -> None:
        assert self.send("POST", "/host/faults", json.dumps(fault).encode()).status == 204

    def differences(self, **on: bool) -> None:
        """Switch seeded differences; ALL stands for every one."""
        wanted = {("*" if k == "ALL" else k.replace("_", "-")): v for k, v in on.items()}
        assert self.send("PUT", "/host/differences", json.dumps(wanted).encode()).status == 200


@contextmanager
def running(*arguments: str, environ: dict[str, str] | None = None) -> Iterator[Host]:
    """A host on a free port, ended (and its end checked) on the way out."""
    process = subprocess.Popen(
        [sys.executable, "-m", "new_services.host", "--port", "0", *arguments],
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
        found = re.search(r"ready on http://127\.0\.0\.1:(\d+)", ready)
        assert found, f"no ready line: {ready!r}"
        yield Host(process, int(found[1]))
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
