"""Exports are executed for real: pytest against a server, Hurl by its grammar, HAR by its form."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.integration.control_plane.comparisons import hurl_grammar
from tests.support.comparing import answer, evidenced, example, request, send
from tests.support.control import Control

Answers = dict[str, tuple[int, dict[str, str], str]]
HIDDEN = "[redacted:email:0011aabb]"


@contextmanager
def _new_service(answers: Answers) -> Iterator[tuple[str, list[Any]]]:
    seen: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append((self.path, dict(self.headers)))
            status, headers, text = answers.get(self.path, (404, {}, ""))
            if self.path == "/private" and "authorization" not in self.headers:
                status, text = 401, ""
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            raw = text.encode("latin-1" if "image" in str(headers) else "utf-8")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


RULES = [
    {"target": "$.at"},
    {"kind": "number_tolerance", "target": "$..price", "absolute": 0.01},
    {"kind": "unordered", "target": "$.tags"},
    {"kind": "keyed_array", "target": "$.items", "key": "id"},
]
LEGACY = {
    "at": "2026-01-01", "price": 10.0, "tags": ["a", "b"], "owner": HIDDEN, "nonce": "x1",
    "items": [{"id": 1, "price": 5}, {"id": 2, "price": 7}], 'we"ird {{key}}': "#\\ \u00e9\n",
}  # fmt: skip
ALIKE = {
    **LEGACY, "at": "other", "price": 10.005, "tags": ["b", "a"], "owner": "ann@example.org",
    "nonce": "zz", "items": [{"id": 2, "price": 7}, {"id": 1, "price": 5}],
}  # fmt: skip


TARGET = "/orders/1?q=%7Bx%7D&y[]=\u00c3\u00a9"  # bytes of the wire, as Latin-1
SENT = "/orders/1?q=%7Bx%7D&y[]=%C3%A9"


def _cases() -> list[dict[str, Any]]:
    text = [["Content-Type", "text/plain; charset=utf-8"]]
    moved = [["Location", "http://127.0.0.1:9000/there"]]
    private = request("/private")
    private["headers"].append(["Authorization", "Bearer [redacted:credentials:00112233]"])
    write = request("/write", method="POST", body="a=1", body_kind="text")
    texts = answer("hello", headers=text), answer("bye", headers=text)
    return [
        example(LEGACY, {"other": 1}, request=request(TARGET)),
        example(*texts, request=request("/text")),
        example(answer("", status=302, headers=moved), answer(""), request=request("/moved")),
        example({"a": 1}, {"a": 2}, request=private),
        example({"a": 1}, {"a": 2}, request=write),
        example({"a": 1}, {"a": 2}, request=request("/users/[redacted:email:00112233]")),
    ]


async def _stored(control: Control) -> None:
    await control.seed()
    for rule in RULES:
        made = await control.post("/routes/orders/rules", rule, if_match="*")
        assert made.status_code == 201, made.text
    await send(control, 1, evidenced(100, {"$.nonce|changed": 6}, mark="f", examples=_cases()))


async def _exported(control: Control, form: str) -> tuple[str, dict[str, str]]:
    await _stored(control)
    answered = await control.client.get(
        "/comparisons/routes/orders/export", params={"format": form}
    )
    assert answered.status_code == 200, answered.text
    none = await control.client.get(
        "/comparisons/routes/orders/export", params={"format": form, "verdict": "stale"}
    )
    assert none.status_code == 404
    return answered.text, dict(answered.headers)


def _pytest(file: Path, base: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-c", os.devnull,
         "--rootdir", str(file.parent), str(file)],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "FIGWAY_BASE_URL": base, **env},
        capture_output=True, text=True,
        cwd=file.parent, check=False,
    )  # fmt: skip


JSON = {"Content-Type": "application/json; charset=utf-8"}


GOOD: Answers = {
    SENT: (200, JSON, json.dumps(ALIKE)),
    "/text": (200, {"Content-Type": "text/plain; charset=utf-8"}, "hello"),
    "/moved": (302, {"Location": "https://shop.example/there"}, ""),
    "/private": (200, JSON, '{"a": 1.0}'),
}


@pytest.fixture
async def exported(control: Control, tmp_path: Path) -> Path:
    text, headers = await _exported(control, "pytest")
    assert 'filename="test_orders.py"' in headers["content-disposition"]
    file = tmp_path / "test_orders.py"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_pytest_file_holds_new_to_legacys_answers(exported: Path) -> None:
    with _new_service(GOOD) as (base, seen):
        ran = _pytest(exported, base)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "4 passed, 3 skipped" in ran.stdout, ran.stdout
        for why in ("needs Authorization", "not safe", "held a secret"):
            assert why in ran.stdout
        assert {path for path, _ in seen} == {SENT, "/text", "/moved", "/private"}
        headers = dict(seen)[SENT]
        assert headers["Accept"] == "application/json"
        assert "User-Agent" not in headers
        # With credentials, the case that needs them runs as well.
        ran = _pytest(exported, base, FIGWAY_HEADERS='{"Authorization": "Bearer t"}')
        assert "5 passed, 2 skipped" in ran.stdout, ran.stdout
        assert dict(seen)["/private"]["authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("path", "change", "word"),
    [
        ("/orders", {"price": 10.5}, "$.price: changed"),
        ("/orders", {"tags": ["a", "c"]}, "$.tags[1]: changed"),
        ("/orders", {"items": [{"id": 2, "price": 7}]}, "$.items[0]: missing"),
        ("/orders", {"owner": None, "extra": 1}, "$.extra: added"),
        ("/orders", {"nonce": None}, "$.nonce: type"),
        ("/text", "bye", "$[0]: changed"),
        ("/moved", {"Location": "/elsewhere"}, "header:location: changed"),
        ("/orders", 404, "status: changed: legacy 200, new 404"),
        ("/orders", "<html>", "$: format"),
    ],
)
def test_the_pytest_file_finds_what_differs(
    exported_once: Path, monkeypatch: pytest.MonkeyPatch, path: str, change: Any, word: str
) -> None:
    answers = dict(GOOD)
    found = next(target for target in answers if target.startswith(path))
    status, headers, text = answers[found]
    if isinstance(change, int):
        status = change
    elif isinstance(change, str):
        text = change
    elif "Location" in change:
        headers = {**headers, **change}
    else:
        text = json.dumps({**json.loads(text), **change})
    answers[found] = (status, headers, text)
    module = runpy.run_path(str(exported_once))
    with _new_service(answers) as (base, _):
        monkeypatch.setenv("FIGWAY_BASE_URL", base)
        for case in module["CASES"]:
            if not case["target"].startswith(path):
                continue
            with pytest.raises(AssertionError, match=re.escape(word)):
                module["test_answers_as_legacy_does"](case)


@pytest.fixture(scope="module")
def exported_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.control import control_plane

    home = tmp_path_factory.mktemp("export")

    async def story() -> str:
        async with control_plane(f"sqlite:///{home}/figway.sqlite3") as control:
            await _stored(control)
            answered = await control.client.get("/comparisons/routes/orders/export")
            return answered.text

    file = home / "test_orders.py"
    file.write_text(asyncio.run(story()), encoding="utf-8")
    return file


def test_the_pytest_file_runs_by_itself(exported_once: Path) -> None:
    with _new_service({}) as (base, seen):
        ran = subprocess.run(
            [sys.executable, str(exported_once), base, "-q", "-p", "no:cacheprovider"],
            capture_output=True, text=True, cwd=exported_once.parent, check=False,
        )  # fmt: skip
    assert ran.returncode == 1, ran.stdout + ran.stderr
    # The case that is refused for want of credentials is asked, and skipped.
    assert "3 failed, 1 passed, 3 skipped" in ran.stdout, ran.stdout
    assert {path for path, _ in seen} == {SENT, "/text", "/moved", "/private"}


async def test_the_hurl_file_is_hurl(control: Control) -> None:
    text, _ = await _exported(control, "hurl")
    entries = hurl_grammar.parse(text)
    assert [entry.method for entry in entries] == ["GET"] * 4
    by_path = {entry.url.removeprefix("{{base_url}}").partition("?")[0]: entry for entry in entries}
    orders = by_path["/orders/1"]
    assert (orders.status, orders.headers["Accept"]) == ("200", "application/json")
    asserts = dict(orders.asserts)
    assert asserts['header "content-type"'] == ("contains", "application/json")
    assert asserts["jsonpath $.owner"] == ("exists", None)
    assert asserts["""jsonpath $['we"ird {{key}}']"""] == ("==", "#\\ é\n")
    # What rules and noise allow is not asserted.
    for path in ("$.at", "$.price", "$.nonce", "$.tags", "$.items"):
        assert not any(name.startswith(f"jsonpath {path}") for name in asserts), path
    assert by_path["/moved"].status == "302"
    assert "left out: the method is not safe" in text
    assert "Authorization was sent, and is not stored" in text


async def test_the_har_file_is_har(control: Control) -> None:
    text, headers = await _exported(control, "har")
    assert headers["content-type"] == "application/json"
    log = json.loads(text)["log"]
    assert (log["version"], log["creator"]["name"]) == ("1.2", "Figway")
    assert len(log["entries"]) == 12
    needed = {
        "request": {"method", "url", "httpVersion", "cookies", "headers", "queryString",
                    "headersSize", "bodySize"},
        "response": {"status", "statusText", "httpVersion", "cookies", "headers", "content",
                     "redirectURL", "headersSize", "bodySize"},
    }  # fmt: skip
    for entry in log["entries"]:
        assert {"startedDateTime", "time", "cache", "timings"} <= entry.keys()
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", entry["startedDateTime"]
        )
        for name, members in needed.items():
            assert members <= entry[name].keys()
        assert {"send", "wait", "receive"} <= entry["timings"].keys()
        assert {"size", "mimeType"} <= entry["response"]["content"].keys()
        assert entry["request"]["url"].startswith("http://shop.example/")
    written = next(e for e in log["entries"] if e["request"]["method"] == "POST")
    assert written["request"]["postData"]["text"] == "a=1"
    moved = next(e for e in log["entries"] if e["response"]["status"] == 302)
    assert moved["response"]["redirectURL"] == "http://127.0.0.1:9000/there"


def _typed(kind: str, body: str, **more: str) -> dict[str, Any]:
    return answer(body, headers=[["Content-Type", kind], *map(list, more.items())])


PIXELS = base64.b64encode(bytes(range(200))).decode()
OTHER_PIXELS = base64.b64encode(bytes(range(1, 201))).decode()
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "json": (_typed("application/json", '{"a": 1}'), _typed("application/json", '{"a": 2}')),
    "html": (
        _typed("text/html", "<p>pay <b>now</b> later</p>"),
        _typed("text/html", "<p>pay now <b>later</b></p>"),
    ),
    "xml": (
        _typed("application/xml", '<a b="1"><c>x</c></a>'),
        _typed("application/xml", '<a b="1"><c>y</c></a>'),
    ),
    "text": (_typed("text/plain", "one\ntwo\n"), _typed("text/plain", "one\n2\n")),
    "csv": (_typed("text/csv", "id,n\n1,2\n"), _typed("text/csv", "id,n\n1,3\n")),
    "binary": (
        _typed("image/x-own", PIXELS) | {"body_kind": "base64"},
        _typed("image/x-own", OTHER_PIXELS) | {"body_kind": "base64"},
    ),
    "empty": (
        answer("", status=302, headers=[["Location", "/x"], ["Content-Length", "0"]])
        | {"body": None, "body_kind": "none"},
        answer("gone", status=302, headers=[["Location", "/x"]]),
    ),
    "header": (
        _typed("application/json", "{}", Vary="Origin"),
        _typed("application/json", "{}", Vary="Accept"),
    ),
    "status": (_typed("text/plain", "a"), _typed("text/plain", "a") | {"status": 404}),
}


def _served(side: dict[str, Any]) -> tuple[int, dict[str, str], str]:
    raw = base64.b64decode(side["body"]) if side["body_kind"] == "base64" else None
    text = (side["body"] or "") if raw is None else raw.decode("latin-1")
    headers = {name: value for name, value in side["headers"] if name != "Content-Length"}
    return side["status"], headers, text


async def test_an_export_fails_before_a_fix_and_passes_after_it(
    control: Control, tmp_path: Path
) -> None:
    """U10: on every kind it covers, and on every Python that it names; legacy itself passes."""
    await control.seed()
    pairs = [example(*sides, request=request(f"/{kind}")) for kind, sides in KINDS.items()]
    await send(control, 1, evidenced(10, examples=pairs))
    answered = await control.client.get("/comparisons/routes/orders/export")
    file = tmp_path / "test_orders.py"
    file.write_text(answered.text, encoding="utf-8")
    assert "Left out" not in answered.text
    legacy, new = ({f"/{kind}": _served(sides[n]) for kind, sides in KINDS.items()} for n in (0, 1))
    pythons = [found for n in range(11, 15) if (found := _python(n))]
    assert pythons
    for python in pythons:
        for answers, code, said in (
            (new, 1, f"{len(KINDS)} failed"),
            (legacy, 0, f"{len(KINDS)} passed"),
        ):
            with _new_service(answers) as (base, _):
                ran = await asyncio.to_thread(
                    subprocess.run, [python, "-S", str(file), base],
                    capture_output=True, text=True, cwd=tmp_path, check=False,
                )  # fmt: skip
            assert ran.returncode == code, (python, ran.stdout + ran.stderr)
            assert said in ran.stdout, (python, ran.stdout + ran.stderr)


async def test_a_body_that_was_not_stored_is_not_compared(control: Control, tmp_path: Path) -> None:
    """U10: of a picture or of a very long text no body is kept; status and headers still count."""
    await control.seed()
    kept = {"/picture": "200 bytes [redacted:binary:00112233]", "/long": None}
    pairs = []
    for target, text in kept.items():
        kind = "none" if text is None else "text"
        side = _typed("image/png", "") | {"body": text, "body_kind": kind}
        pairs.append(example(side, side | {"status": 500}, request=request(target)))
    await send(control, 1, evidenced(10, examples=pairs))
    answered = await control.client.get("/comparisons/routes/orders/export")
    file = tmp_path / "test_orders.py"
    file.write_text(answered.text, encoding="utf-8")
    for status, said in ((200, "2 passed"), (500, "2 failed")):
        png = {"Content-Type": "image/png"}
        answers = dict.fromkeys(kept, (status, png, "\x89PNG"))
        with _new_service(answers) as (base, _):
            ran = await asyncio.to_thread(
                subprocess.run, [sys.executable, "-S", str(file), base],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        assert said in ran.stdout, ran.stdout + ran.stderr


def _python(minor: int) -> str | None:
    """An interpreter of this version that runs here."""
    name = shutil.which(f"python3.{minor}")
    if name is None:
        return None
    ran = subprocess.run([name, "-c", "pass"], capture_output=True, check=False)
    return name if ran.returncode == 0 else None


async def test_a_run_in_which_every_case_is_skipped_fails(control: Control, tmp_path: Path) -> None:
    """U10."""
    await control.seed()
    write = example({"a": 1}, {"a": 2}, request=request("/w", method="POST"))
    await send(control, 1, evidenced(10, examples=[write]))
    answered = await control.client.get("/comparisons/routes/orders/export")
    file = tmp_path / "test_orders.py"
    file.write_text(answered.text, encoding="utf-8")
    ran = await asyncio.to_thread(_pytest, file, "http://127.0.0.1:9")
    assert ran.returncode == 1, ran.stdout
    assert "every case was skipped" in ran.stdout
