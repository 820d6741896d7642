"""The whole new side as processes: legacy, moto's server, the functions host, its resources."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.system.legacy_stub.running import running as legacy_running
from tests.system.new_services.hosts import ROOT, Answer, Host

MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:booking"
_KEY = (
    "AWS4-HMAC-SHA256 Credential=local/20260101/eu-central-1/{}/aws4_request, "
    "SignedHeaders=host, Signature=x"
)
_TARGETS = {"states": "AWSStepFunctions", "sqs": "AmazonSQS", "events": "AWSEvents"}


@dataclass
class Reply:
    """What a function answered to an HTTP request."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Side:
    """The new side, asked as Figway would ask it."""

    legacy: str
    host: Host

    def ask(self, function: str, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Invoke a function with a request; header names are given with _ for -."""
        invoked = self.host.invoke(function, request(method, path, body, headers))
        answer = invoked.json()
        assert "x-amz-function-error" not in invoked.headers, answer
        return reply(answer)

    def run(self, function: str, event: Any = None) -> Any:
        """Invoke a function directly."""
        invoked = self.host.invoke(function, event or {})
        assert "x-amz-function-error" not in invoked.headers, invoked.body
        return invoked.json()

    def aws(self, service: str, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """One operation of a service that moto stands for, at the host's endpoint."""
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"{_TARGETS[service]}.{operation}",
            "authorization": _KEY.format(service),
        }
        answer = self.host.send("POST", "/", json.dumps(body).encode(), headers)
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.json()
        return found

    def object(self, path: str) -> Answer:
        """A signed GET of an object: a stranger gets 403."""
        return self.host.send("GET", path, headers={"authorization": _KEY.format("s3")})

    def book(self, name: str, wish: Any, **headers: str) -> Reply:
        """POST /api/bookings by the state machine, as a sync workflow maps it."""
        event = request("POST", "/api/bookings", wish, {"idempotency-key": name, **headers})
        order = {"stateMachineArn": MACHINE, "name": name, "input": json.dumps(event)}
        done = self.aws("states", "StartSyncExecution", order)
        if done["status"] != "SUCCEEDED":
            return Reply(502, {}, json.dumps({"error": done.get("error", "")}).encode())
        return reply(json.loads(done["output"]))

    def choreograph(self, name: str, wish: Any, **headers: str) -> Reply:
        """POST /api/bookings by events; a 202 is followed to its end."""
        headers = {"idempotency-key": name, **headers}
        found = self.ask("bookings-request", "POST", "/api/bookings", wish, **headers)
        until = time.monotonic() + 120
        while found.status == 202 and time.monotonic() < until:
            time.sleep(0.3)
            path = f"/api/bookings/requests/{name}"
            found = self.ask("bookings-requested", "GET", path)
        return found

    def until(self, held: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until something holds."""
        limit = time.monotonic() + seconds
        while not held():
            assert time.monotonic() < limit, "it never came to hold"
            time.sleep(0.1)


def request(method: str, path: str, body: Any, headers: dict[str, str]) -> dict[str, Any]:
    """The event of an HTTP API."""
    target, _, query = path.partition("?")
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
    return {
        "version": "2.0",
        "rawPath": target,
        "rawQueryString": query,
        "headers": {"host": "shop.example", **{k.replace("_", "-"): v for k, v in headers.items()}},
        "requestContext": {"http": {"method": method, "path": target}},
        "body": text,
        "isBase64Encoded": False,
    }


def reply(answer: dict[str, Any]) -> Reply:
    """An answer out of the platform's form."""
    text = answer["body"]
    content = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    return Reply(answer["statusCode"], headers, content)


@contextmanager
def new_side(data: Path, **environ: str) -> Iterator[Side]:
    """Everything, ended (and its end waited for) on the way out."""
    with legacy_running() as legacy:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "new_services.cloud", "--port", "0"),
                *("--legacy", legacy.url, "--data", str(data)),
            ],
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            ready = process.stdout.readline()
            found = re.search(r"ready on http://127\.0\.0\.1:(\d+)", ready)
            assert found, f"no ready line: {ready!r}"
            yield Side(legacy.url, Host(process, int(found[1]), timeout=180))
        finally:
            process.terminate()
            try:
                process.wait(20)
            finally:
                process.kill()
                process.wait()
                process.stdout.close()


def get(url: str, path: str) -> Any:
    """JSON of a GET of legacy."""
    connection = http.client.HTTPConnection(url.partition("//")[2], timeout=30)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
