"""What a user mistypes: one clear sentence, the next step, the right exit code."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from control_plane.cli.errors import CliError, Exit
from tests.support.command_line import command_line
from tests.support.control import Control

BACKEND = ("backends", "set", "b", "--side", "new", "--url", "http://127.0.0.1:9", "--set")


async def fails(control: Control, *words: str) -> tuple[CliError, str]:
    """The error of a command, and all that it says."""
    await control.seed()
    async with command_line(control) as cli:
        error = await asyncio.to_thread(cli.fails, *words)
    findings = " ".join(f"{f['message']} {f['resolution']}" for f in error.findings)
    return error, f"{error.message} {error.hint} {findings}"


@pytest.mark.parametrize(
    ("words", "step"),
    [
        ("undo 9999", "figway revisions"),
        ("restore 9999", "figway revisions"),
        ("compare top ordes", "Did you mean orders"),
        ("compare top nothing", "figway routes list"),
        ("compare show abc", "figway compare examples"),
        ("traffic nothing", "figway routes list"),
        ("tail nothing --no-follow", "figway routes list"),
        ("rollout get nothing", "figway rollout list"),
        ("keys revoke nothing", "figway keys list"),
    ],
)
async def test_what_is_not_there_is_listed(control: Control, words: str, step: str) -> None:
    """M4, M6: some said nothing of a next step; `traffic` and `tail` of a route that is none
    ended with 0."""
    error, said = await fails(control, *words.split())
    assert error.code is Exit.NOT_FOUND
    assert "there is no" in said
    assert step in said


async def test_no_route_is_not_a_route_to_look_for(control: Control) -> None:
    """`-` stands for requests that no route takes."""
    await control.seed()
    async with command_line(control) as cli:
        assert "No requests" in await asyncio.to_thread(cli.text, "traffic", "-")
        assert await asyncio.to_thread(cli.text, "tail", "-", "--no-follow") == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((*BACKEND, "nosuch=1"), "there is no such field"),
        ((*BACKEND, "timeouts.head_ms=abc"), "expected a whole number"),
        (("explain", "/x", "-X", "G T"), "not of the form"),
        (("explain", "http://[bad"), "is not a URL"),
        (("explain", "http://host:99999/x"), "is not a URL"),
        (("explain", "orders"), "neither a URL nor a path"),
    ],
)
async def test_a_wrong_field_is_told_in_words(
    control: Control, words: tuple[str, ...], expected: str
) -> None:
    """M2, M8, M9: "Unexpected keyword argument"; `explain http://[bad` said who would serve it."""
    error, said = await fails(control, *words)
    assert error.code is Exit.REFUSED
    assert expected in said
    assert "should" not in said
    assert "keyword argument" not in said


@pytest.mark.parametrize("command", ["validate", "apply"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: [b", "did not find expected"),
        (b"\xd7\x00\xff", "no text in UTF-8"),
        (b"routes: {}\nroutes: {}\n", "twice at line 2"),
        (b"routes:\n  x: {path: /a}\n", "expected a list"),
        (b"", "empty"),
        (b"[]", "expected an object"),
    ],
)
async def test_a_file_that_is_no_table_is_named(
    control: Control, tmp_path: Path, content: bytes, expected: str, command: str
) -> None:
    """M7: "The request is wrong: $: not YAML: 'utf-8' codec can't decode byte 0xd7"."""
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    error, said = await fails(control, command, str(file))
    assert error.code is Exit.REFUSED
    assert "mine.yaml cannot be read as a table" in said
    assert expected in said
    assert "unicode string" not in said


async def test_no_key_is_not_a_wrong_key(control: Control) -> None:
    """It asked a user of the command line for a header."""
    error, said = await fails(control, "--key", "", "get")
    assert error.code is Exit.FORBIDDEN
    assert "no key was given" in said
    assert "FIGWAY_ADMIN_KEY" in said


async def test_nothing_compared_yet_is_said_of_the_stage_it_is_in(control: Control) -> None:
    """It spoke of stage legacy whatever stage the route was in."""
    await control.seed()
    async with command_line(control) as cli:
        await asyncio.to_thread(cli.text, "flip", "orders", "legacy")
        before = await asyncio.to_thread(cli.text, "compare", "top", "orders")
        await asyncio.to_thread(cli.text, "shadow", "orders", "--sample", "10%")
        after = await asyncio.to_thread(cli.text, "compare", "top", "orders")
    assert "figway shadow orders starts it" in before
    assert "What is copied next is" in after
    assert "legacy" not in after
