"""A name that is typed leads to what has it, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from control_plane.cli import client
from control_plane.cli.client import Api, at, below
from control_plane.cli.context import Shared
from control_plane.cli.errors import CliError, Exit
from control_plane.cli.output import Output


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("orders", "/routes/orders/flip"),
        ("orders#x", "/routes/orders%23x/flip"),
        ("orders?confirm=force", "/routes/orders%3Fconfirm%3Dforce/flip"),
        ("a b", "/routes/a%20b/flip"),
        ("%2e%2e", "/routes/%252e%252e/flip"),
        ("ключ", "/routes/%D0%BA%D0%BB%D1%8E%D1%87/flip"),
    ],
)
def test_a_name_stays_within_its_segment(name: str, path: str) -> None:
    """`orders#x` is not `orders`: a command must not change what was not named."""
    assert at("routes", name, "flip") == path


@pytest.mark.parametrize("name", ["", ".", "..", "orders/rules/r", "/"])
def test_a_name_that_nothing_can_have(name: str) -> None:
    """`routes rm orders/rules/r` would have deleted a rule."""
    with pytest.raises(CliError, match="there is no route") as raised:
        at("routes", name)
    assert raised.value.code is Exit.NOT_FOUND


def test_a_proxy_and_a_rule_may_hold_a_slash() -> None:
    assert below("/fleet", "eu/a?b") == "/fleet/eu%2Fa%3Fb"


def test_no_command_puts_a_name_into_a_path_itself() -> None:
    """Every path with a name in it is made by `at` or `below`."""
    folder = Path(client.__file__).parent
    found = [
        f"{file.name}: {text}"
        for file in folder.glob("*.py")
        if file.name != "client.py"
        for text in re.findall(r'f"/[a-z/]*\{[^"]*"', file.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("key", ["x y", "x\ny", "ключ", "a\x00"])
def test_a_key_that_is_none_is_said(key: str) -> None:
    """A key with a line's end was a traceback; the key itself is never printed."""
    with pytest.raises(CliError, match="no key has") as raised:
        Api("http://127.0.0.1:1", key)
    assert raised.value.code is Exit.FORBIDDEN
    assert key not in raised.value.message


def test_a_key_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"\xff\xfe\x80")
    with pytest.raises(CliError, match="cannot be read: it is no text"):
        Shared("http://127.0.0.1:1", "", file, Output.TABLE).api()
