"""The control plane as a function: events through Mangum, a schedule, another sandbox's changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from control_plane.serverless import Serverless
from control_plane.settings import Settings, SettingsError
from tests.serverless.events import make_event, read_answer

ADMIN = "fgw_abcdefgh_" + "a" * 40
CONTEXT = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: 10_000)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[list[Serverless]]:
    found: list[Serverless] = []
    for _ in range(2):
        settings = Settings(
            database_url=f"sqlite:///{tmp_path}/figway.sqlite3",
            bootstrap_admin_key=ADMIN,
            legacy_url="http://legacy.example",
            poll_seconds=0.001,
            console_link=False,
        )
        found.append(Serverless(settings))
    yield found
    for one in found:
        one.close()


def ask(one: Serverless, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    headers = [(b"host", b"admin.example"), (b"authorization", b"Bearer " + ADMIN.encode())]
    content = b""
    if body is not None:
        content = json.dumps(body).encode()
        headers.append((b"content-type", b"application/json"))
    event = make_event("url", method, path.encode(), headers, content)
    answer = one.handle(event, CONTEXT)
    status, _, data = read_answer(answer)
    return status, json.loads(data or b"null")


def test_a_change_in_one_sandbox_is_seen_by_another(made: list[Serverless]) -> None:
    """No task follows the database here: each request looks first."""
    one, other = made
    backend = {"id": "new", "side": "new", "url": "http://new.example"}
    before = ask(other, "GET", "/api/v1/table")[1]["revision"]
    status, shown = ask(one, "POST", "/api/v1/backends", backend)
    assert status in (200, 201), shown
    assert ask(other, "GET", "/api/v1/table")[1]["revision"] == before + 1


def test_streams_are_refused_and_schedules_do_the_rounds(made: list[Serverless]) -> None:
    status, problem = ask(made[0], "GET", "/api/v1/table/stream")
    assert (status, problem["type"]) == (501, "urn:figway:problem:no_stream")
    done = made[0].handle({"source": "aws.events", "detail-type": "Scheduled Event"}, CONTEXT)
    assert {"traffic", "comparisons", "fleet"} <= set(done["done"])


def test_a_function_keeps_no_files() -> None:
    with pytest.raises(SettingsError, match="FIGWAY_DATABASE_URL"):
        Serverless(Settings(database_url=""))
