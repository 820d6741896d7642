"""The layout, the tables of the README, and clear words for what a user gets wrong."""

from __future__ import annotations

import importlib
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from new_services import differences
from new_services.host.layout import LayoutError, load
from tests.system.new_services.hosts import ROOT

_LAYOUT = ROOT / "new_services" / "functions.toml"
_README = (ROOT / "new_services" / "README.md").read_text(encoding="utf-8")
_VARIABLES = {
    "LEGACY_URL": "http://x",
    "DATA_DIR": "/d",
    "DIFFERENCES_FILE": "/d/f",
    "AWS_URL": "http://y",
    "EVENT_BUS": "",
    "WEBHOOK_SECRET": "",
    "AWS_KEY_ID": "local",
    "AWS_KEY": "local",
}


def test_every_handler_of_the_layout_exists() -> None:
    for function in load(_LAYOUT, _VARIABLES).functions.values():
        module, _, name = function.handler.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


def test_the_readme_names_every_function_and_its_routes() -> None:
    for function in load(_LAYOUT, _VARIABLES).functions.values():
        if function.replaces:
            routes = ", ".join(f"`{route}`" for route in function.replaces)
            assert f"| `{function.name}` | {routes} |" in _README


def test_the_readme_tells_every_difference() -> None:
    told = set(
        re.findall(
            r"^\| `([a-z-]+)` \| [^|]+ \| `(?:GET|POST) [^|]+ \|.* (?:on|off) \|$", _README, re.M
        )
    )
    assert told == set(differences.table())
    for name, difference in differences.table().items():
        line = next(line for line in _README.splitlines() if line.startswith(f"| `{name}` | "))
        assert all(f"`{path}`" in line for path in difference.paths)
        assert line.endswith("| on |" if difference.default else "| off |")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("not toml at all", "not valid TOML"),
        ("", "declares no"),
        ("[functions.a]\nhandler = 'nodot'", "package.module.function"),
        ("[functions.a]\nhandler = 'a.b'\ntimeout = 0", "timeout"),
        ("[functions.a]\nhandler = 'a.b'\nenvironments = 0", "counts"),
        ("[functions.a]\nhandler = 'a.b'\ncolour = 'red'", "unknown setting colour"),
        ("[functions.a]\nhandler = 'a.b'\nenvironment = {X = '${NOPE}'}", "NOPE"),
        ("[functions.'a b']\nhandler = 'a.b'", "a name is"),
    ],
)
def test_a_wrong_layout_is_refused_by_name(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "layout.toml"
    path.write_text(text)
    with pytest.raises(LayoutError, match=re.escape(complaint)):
        load(path, {})


def test_switches_are_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "differences.json"
    differences.choose(path, "none")
    with pytest.raises(differences.UnknownDifference, match="nope"):
        differences.switch(path, {"search-reviews": True, "nope": True})
    assert not any(differences.states(path).values())
    differences.choose(path, "search-reviews")
    assert [name for name, on in differences.states(path).items() if on] == ["search-reviews"]
    differences.choose(path, "default")
    assert differences.states(path) == {n: d.default for n, d in differences.table().items()}


def _refused(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "new_services.host", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def test_a_used_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert "choose another with --port" in _refused("--port", str(port))


def test_other_mistakes_are_one_clear_line(tmp_path: Path) -> None:
    assert "cannot read the layout" in _refused(
        "--port", "0", "--layout", str(tmp_path / "none.toml")
    )
    assert "no difference 'plague'" in _refused("--port", "0", "--differences", "plague")
