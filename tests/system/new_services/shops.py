"""Legacy and the new functions side by side, asked the same and compared."""

from __future__ import annotations

import base64
import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from figway.compare.answer import Answer, Context
from figway.compare.verdict import Comparison, compare
from figway.evidence.comparing import faults_of
from figway.model.table import Route, RouteMatch
from tests.system.new_services.hosts import ROOT, Host, running

# How the functions are deployed, for looking up which of them serves a route.
Routes = list[tuple[str, re.Pattern[str], str]]


@dataclass
class Shops:
    """Both sides, and which function stands for which route."""

    legacy_port: int
    host: Host
    routes: Routes

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.legacy_port}"

    def legacy(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.legacy_port, timeout=30)
        try:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, tuple(response.getheaders()), response.read())
        finally:
            connection.close()

    def new(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """Invoke the function of a route with the event that an HTTP API would make."""
        path, _, query = target.partition("?")
        function = next(
            name
            for verb, path_of, name in self.routes
            if verb == method and path_of.fullmatch(path)
        )
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"host": self.authority, **(headers or {})},
            "requestContext": {"http": {"method": method, "path": path}},
            "body": body.decode(),
            "isBase64Encoded": False,
        }
        invoked = self.host.invoke(function, event)
        answer = invoked.json()
        assert "x-amz-function-error" not in invoked.headers, answer
        text = answer["body"]
        pairs = [
            *answer["headers"].items(),
            *(("Set-Cookie", c) for c in answer.get("cookies", [])),
        ]
        content = base64.b64decode(text) if answer["isBase64Encoded"] else text.encode()
        return Answer(answer["statusCode"], tuple(pairs), content)

    def compared(
        self, target: str, method: str = "GET", body: bytes = b"", content_type: str = ""
    ) -> Comparison:
        """A read of both, less what legacy disagrees with itself about."""
        headers = {"content-type": content_type} if content_type else {}
        first, again = (self.legacy(method, target, body, headers) for _ in range(2))
        context = Context(
            facade=f"http://{self.authority}",
            path=target.partition("?")[0],
            faults=faults_of(Route(id="all", match=RouteMatch(path="/**"))),
        )
        noise = {found.field for found in compare(first, again, (), context).differences}
        context = replace(context, noise=frozenset(noise))
        return compare(first, self.new(method, target, body, headers), (), context)

    def caught_up(self) -> None:
        """Let the feed bring what legacy has just written."""
        # It may be running on its schedule, which lets nobody else in.
        while self.host.invoke("read-model-feed").status != 200:
            time.sleep(0.02)


@contextmanager
def side_by_side(*arguments: str) -> Iterator[Shops]:
    """A seeded legacy and a host whose read model has caught up with it."""
    legacy = subprocess.Popen(
        [sys.executable, "-m", "legacy_stub", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert legacy.stdout is not None
    try:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", legacy.stdout.readline())
        assert found, "legacy did not start"
        with running("--legacy", f"http://127.0.0.1:{found[1]}", "--seed", *arguments) as host:
            yield Shops(int(found[1]), host, _routes(host.send("GET", "/host/functions").json()))
    finally:
        legacy.terminate()
        try:
            legacy.wait(10)
        finally:
            legacy.kill()
            legacy.wait()
            legacy.stdout.close()


def _routes(functions: list[dict[str, Any]]) -> Routes:
    routes = []
    for function in functions:
        for replaced in function["replaces"]:
            method, _, template = replaced.partition(" ")
            pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)))
            routes.append((method, pattern, function["name"]))
    return routes


def as_json(answer: Answer) -> Any:
    return json.loads(answer.body)
