"""Golden events: what AWS documents, the request that it is, and the answer that goes back.

FIGWAY_UPDATE_GOLDEN=1 writes the last two anew; look at what changed.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from proxy.doors.aws_lambda_event import read_event
from tests.support.serverless.door import Setting

FOLDER = Path(__file__).with_name("lambda_events")
FILES = sorted(FOLDER.glob("*.json"))
ANSWER = [
    (b"Content-Type", b"text/html; charset=utf-8"),
    (b"Content-Length", b"5"),
    (b"Set-Cookie", b"a=1; Path=/; HttpOnly"),
    (b"Vary", b"Accept"),
    (b"Set-Cookie", b"b=2, still b; Partitioned"),
    (b"vary", b"Cookie"),
]


def request_of(event: dict[str, Any]) -> dict[str, Any]:
    incoming = read_event(event)
    head = incoming.head
    parent = head.get(b"traceparent")
    return {
        "kind": incoming.kind.value,
        "method": head.method,
        "target": head.target.decode("latin-1"),
        "headers": [[name.decode(), value.decode("latin-1")] for name, value in head.headers],
        "body_hex": incoming.body.hex(),
        "has_body": head.has_body,
        "host": head.host.decode(),
        "peer": incoming.peer,
        "scheme": incoming.scheme,
        "traceparent": None if parent is None else parent.decode(),
    }


def answer_of(event: dict[str, Any]) -> dict[str, Any]:
    setting = Setting()
    setting.legacy.headers = list(ANSWER)
    setting.legacy.pieces = ["h\u00e9llo".encode()[:5]]
    answer: dict[str, Any] = asyncio.run(setting.ask(event))
    return answer


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_golden(file: Path) -> None:
    """trap 59: raw path and query, repeated fields, cookies, binary bodies, for each kind."""
    golden = json.loads(file.read_text("utf-8"))
    found = {
        "event": golden["event"],
        "request": request_of(golden["event"]),
        "answer": answer_of(golden["event"]),
    }
    if os.environ.get("FIGWAY_UPDATE_GOLDEN"):
        file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert found == golden


def test_there_is_one_for_each_kind() -> None:
    kinds = {json.loads(file.read_text("utf-8"))["request"]["kind"] for file in FILES}
    assert kinds == {"http", "rest", "alb", "alb-multi", "url"}
