"""PyPI's `httpbin` behind the facade of `figway up`, driven by curl and requests.

Each request goes to httpbin directly and through the facade; the answers must be the same but
for what the manual lists (docs/concepts/routing.md, "What is added and taken").
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from control_plane.cli.addresses import free_port
from tests.support.installation import Installation, clean_environment, installation

_ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def direct() -> Iterator[str]:
    """httpbin in a process of its own; its URL."""
    port = free_port(0)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.httpbin_server", str(port)],
        cwd=_ROOT,
        env=clean_environment(),
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 60
        while True:
            try:
                requests.get(f"{url}/get", timeout=5)
                break
            except requests.ConnectionError:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def figway(tmp_path_factory: pytest.TempPathFactory, direct: str) -> Iterator[Installation]:
    """A facade before httpbin, with no routes at all."""
    with installation(tmp_path_factory.mktemp("httpbin"), direct) as found:
        found.start()
        yield found
        assert found.stop() == 0, found.text


@dataclass
class Answer:
    """An answer as curl saw it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def curl(base: str, path: str, *options: str) -> Answer:
    """Ask with curl, sending the same Host to either; redirects are not followed."""
    command = ["curl", "-sS", "-i", "--raw", "--path-as-is", "--max-time", "30", "--noproxy", "*",
               "-H", "Host: shop.example", "-H", "Expect:", *options, base + path]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=True, env=clean_environment())
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return Answer(int(first.split()[1]), headers, body)


@pytest.fixture(scope="module")
def added(figway: Installation, direct: str) -> list[str]:
    """The request headers that the facade adds, as options of curl: sent directly as well, they
    make httpbin's echo the same, so that whole answers can be compared. The trace is the caller's
    own in those calls, and then the facade adds none."""
    whole = "/headers?show_env=1"
    sent = json.loads(curl(direct, whole).body)["headers"]
    reached = json.loads(curl(figway.facade, whole).body)["headers"]
    more = {name: value for name, value in reached.items() if name not in sent}
    assert set(more) == DOCUMENTED
    assert {name: reached[name] for name in sent} == sent, "nothing else is changed or taken"
    del more["Traceparent"]
    return [word for name, value in more.items() for word in ("-H", f"{name}: {value}")]


DOCUMENTED = {
    "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Figway-Hop",
    "Traceparent",
}  # fmt: skip
_TRACE = ["-H", "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]


def stable(answer: Answer) -> list[tuple[str, str]]:
    """The headers but for the date and what concerns one connection only."""
    varying = ("date", "connection", "keep-alive")
    return [(name, value) for name, value in answer.headers if name.lower() not in varying]


CALLS = [
    ("/get?a=1&a=2&b=%20%2F&c",),
    ("/get", "-H", "X-Odd:", "-H", "Accept;"),
    ("/post", "-d", "a=1&b=2"),
    ("/post", "-F", "file=@{file};type=text/plain"),
    ("/post", "-H", "Content-Type: application/json", "-d", '{"a": [1, 2.0]}'),
    ("/post", "-H", "Transfer-Encoding: chunked", "--data-binary", "@{file}"),
    ("/put", "-X", "PUT", "--data-binary", "@{file}"),
    ("/patch", "-X", "PATCH", "-d", "x"),
    ("/delete", "-X", "DELETE"),
    ("/anything/a%2Fb/c;d=e?x=%E2%82%AC&y=a+b", "-X", "PROPFIND"),
    ("/anything/%E2%9C%93/caf%C3%A9",),
    ("/anything/a//b/./c/../d",),
    ("/get", "-X", "OPTIONS"),
    ("/get", "-X", "OPTIONS", "-H", "Origin: http://a.example",
     "-H", "Access-Control-Request-Method: PUT"),
    ("/get", "-I"),
    ("/bytes/1000?seed=1", "-I"),
    *((f"/status/{code}",) for code in (200, 201, 204, 304, 400, 404, 405, 418, 429, 500, 503)),
    ("/redirect/3",),
    ("/redirect-to?url=http%3A%2F%2Felsewhere.example%2Fx&status_code=307",),
    ("/absolute-redirect/2",),
    ("/cookies/set?a=1&b=2",),
    ("/cookies/delete?a&b", "-H", "Cookie: a=1; b=2; c=3"),
    ("/cookies", "-H", "Cookie: a=1; b=2"),
    ("/gzip", "-H", "Accept-Encoding: gzip"),
    ("/deflate", "-H", "Accept-Encoding: deflate"),
    ("/brotli", "-H", "Accept-Encoding: br"),
    ("/basic-auth/ann/secret", "-u", "ann:secret"),
    ("/basic-auth/ann/secret", "-u", "ann:wrong"),
    ("/bearer", "-H", "Authorization: Bearer abc"),
    ("/digest-auth/auth/ann/secret",),
    ("/range/1024", "-H", "Range: bytes=100-199"),
    ("/range/1024", "-H", "Range: bytes=-50"),
    ("/range/1024", "-H", "Range: bytes=2000-3000"),
    ("/etag/abc", "-H", "If-None-Match: abc"),
    ("/etag/abc", "-H", "If-Match: other"),
    ("/cache/60",),
    ("/cache", "-H", "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT"),
    ("/response-headers?X-Twice=1&X-Twice=2&Set-Cookie=a%3D1%3B%20Path%3D%2F",),
    ("/encoding/utf8",),
    ("/html",), ("/xml",), ("/json",), ("/robots.txt",), ("/deny",), ("/forms/post",),
    ("/image/png",), ("/image/webp",),
    ("/bytes/100000?seed=7",),
    ("/links/10/3",),
    ("/nowhere",),
    ("/docs",), ("/metrics",), ("/openapi.json",), ("/get/",),
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(call)[:60])
def test_the_answer_is_the_same_through_the_facade(
    figway: Installation, direct: str, added: list[str], tmp_path: Path, call: tuple[str, ...]
) -> None:
    """trap 2, 3, 4, 8, 11, 12, 13, 14, 16: status, headers and bytes."""
    file = tmp_path / "file.bin"
    file.write_bytes(bytes(range(256)) * 40)
    path, *options = [word.replace("{file}", str(file)) for word in call]
    expected = curl(direct, path, *added, *_TRACE, *options)
    found = curl(figway.facade, path, *_TRACE, *options)
    assert found.status == expected.status
    if path in FRESH:
        return
    assert stable(found) == stable(expected)
    if path == "/gzip":  # its fifth to eighth byte tell the time
        expected.body, found.body = (b[:4] + b[8:] for b in (expected.body, found.body))
    if "-F" in options:  # curl makes up a boundary for each request
        expected.body, found.body = (
            re.sub(rb"-{10,}\w+", b"boundary", b) for b in (expected.body, found.body)
        )
    assert found.body == expected.body


FRESH = ("/digest-auth/auth/ann/secret", "/cache")
"""Answers that httpbin never gives twice."""


def test_a_stream_arrives_as_it_is_made(figway: Installation) -> None:
    """trap 19: the first bytes of a slow answer are there before its last are made."""
    with requests.get(
        f"{figway.facade}/drip?duration=2&numbytes=4&delay=0", stream=True, timeout=60
    ) as answer:
        pieces = []
        for piece in answer.iter_content(1):
            pieces.append((time.monotonic(), piece))
    assert b"".join(piece for _, piece in pieces) == b"****"
    assert pieces[-1][0] - pieces[0][0] > 0.5, "not held back until the end"
    with requests.get(f"{figway.facade}/stream/20", stream=True, timeout=60) as answer:
        lines = [json.loads(line) for line in answer.iter_lines()]
    assert [line["id"] for line in lines] == list(range(20))
    raw = requests.get(f"{figway.facade}/stream-bytes/50000?seed=3&chunk_size=1000", timeout=60)
    assert len(raw.content) == 50_000


def test_a_delay_is_waited_for(figway: Installation) -> None:
    """A slow answer is an answer."""
    assert requests.get(f"{figway.facade}/delay/1", timeout=60).status_code == 200


def test_large_bodies_pass_both_ways(figway: Installation) -> None:
    """Eight megabytes up; httpbin sends back what it got."""
    body = "0123456789abcdef" * (1 << 19)
    answer = requests.post(
        f"{figway.facade}/anything", data=body, headers={"Content-Type": "text/plain"}, timeout=60
    )
    assert answer.json()["data"] == body


def test_a_session_with_requests(figway: Installation) -> None:
    """trap 1: cookies belong to the client that got them; redirects are the client's to follow."""
    ann, ben = requests.Session(), requests.Session()
    with ann, ben:
        for who, name in ((ann, "ann"), (ben, "ben")):
            found = who.get(f"{figway.facade}/cookies/set/name/{name}", timeout=60)
            assert [hop.status_code for hop in found.history] == [302]
            assert found.url == f"{figway.facade}/cookies"
            assert found.json() == {"cookies": {"name": name}}
        assert ann.get(f"{figway.facade}/cookies", timeout=60).json()["cookies"] == {"name": "ann"}
        assert ben.get(f"{figway.facade}/get", timeout=60).cookies == {}
        assert len(ann.get(f"{figway.facade}/absolute-redirect/3", timeout=60).history) == 3
        for form in ("gzip", "deflate", "brotli"):
            found = ann.get(f"{figway.facade}/{form}", timeout=60)
            assert found.json()["method"] == "GET"
        auth = ann.get(f"{figway.facade}/basic-auth/a/b", auth=("a", "b"), timeout=60)
        assert auth.json() == {"authenticated": True, "user": "a"}
        digest = requests.auth.HTTPDigestAuth("ann", "secret")
        url = f"{figway.facade}/digest-auth/auth/ann/secret"
        assert ann.get(url, auth=digest, timeout=60).status_code == 200


def test_curl_uploads_with_expect_continue(figway: Installation, tmp_path: Path) -> None:
    """trap 12: the facade answers 100 itself, and the upload goes on at once."""
    file = tmp_path / "big"
    file.write_bytes(b"y" * 2_000_000)
    found = subprocess.run(
        ["curl", "-sS", "-H", "Expect: 100-continue", "--expect100-timeout", "20", "--noproxy", "*",
         "--data-binary", f"@{file}", "-H", "Content-Type: text/plain", "--max-time", "15",
         f"{figway.facade}/post"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(found.stdout)["data"] == "y" * 2_000_000
