"""Addresses and keys by name, in a file of one's own (use 17)."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from control_plane.cli.errors import CliError
from control_plane.cli.main import app
from tests.support.control_process import running, start


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "folder" / "contexts.json"
    monkeypatch.setenv("FIGWAY_CONTEXTS", str(path))
    for name in ("FIGWAY_ADMIN_URL", "FIGWAY_ADMIN_KEY", "FIGWAY_ADMIN_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return path


def run(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def test_a_context_is_used_until_something_else_is_said(file: Path, tmp_path: Path) -> None:
    """use 17: nothing has to be exported; what is typed counts for more."""
    with running(tmp_path / "control") as process:
        url, key = start(process)
        url = url.removesuffix("/api/v1")
        assert run("context", "set", "here", "--url", url, "--key", str(key)).exit_code == 0
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
        assert run("backends", "list").exit_code == 0
        other = run("--admin-url", "http://127.0.0.1:1", "backends", "list").exception
        assert isinstance(other, CliError)
        assert "127.0.0.1:1" in other.message
        assert run("context", "set", "there", "--url", "http://127.0.0.1:1").exit_code == 0
        assert isinstance(run("backends", "list").exception, CliError)
        run("context", "use", "here")
        assert run("backends", "list").exit_code == 0
    listed = run("context", "list").output
    assert "here" in listed
    assert str(key) not in listed


BROKEN: dict[str, bytes] = {
    "half-written": b'{"current": "prod", "conte',
    "empty": b"",
    "a list": b"[]",
    "no contexts": b'{"current": "prod"}',
    "an entry that is none": b'{"current": "prod", "contexts": {"prod": {"url": 5}}}',
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_is_said_and_keeps_nobody_from_the_switch(
    file: Path, tmp_path: Path, broken: str
) -> None:
    """B1 and use 17: `kill on --local` asks no control plane; a named address needs no file."""
    file.parent.mkdir()
    file.write_bytes(BROKEN[broken])
    error = run("get").exception
    assert isinstance(error, CliError)
    assert "cannot be read" in error.message
    assert file.read_bytes() == BROKEN[broken]
    (tmp_path / "proxy").mkdir()
    pressed = run("kill", "on", "--local", "--state", str(tmp_path / "proxy"))
    assert "is set" in pressed.output
    assert (tmp_path / "proxy" / "kill").exists()
    assert "no running proxy holds" in str(pressed.exception)
    away = run("--admin-url", "http://127.0.0.1:1", "get").exception
    assert "127.0.0.1:1" in str(away)


def test_a_file_that_would_be_waited_for_is_not_opened(file: Path) -> None:
    file.parent.mkdir()
    os.mkfifo(file)
    assert "no regular file" in str(run("get").exception)


@pytest.mark.parametrize(
    "words",
    [
        ("", "--url", "http://a"),
        ("a\x1b[2J", "--url", "http://a"),
        ("p", "--url", "ht tp://x"),
        ("p", "--url", "127.0.0.1:8070"),
        ("p", "--url", "http://a", "--key", "a b"),
    ],
)
def test_what_could_not_work_is_not_kept(file: Path, words: tuple[str, ...]) -> None:
    """A context that every later command would fail with is refused when it is set."""
    assert isinstance(run("context", "set", *words).exception, CliError)
    assert not file.exists()
