"""Commands that the manual, messages and the console name are commands, with those options (use 7).

`tests/system/control_plane/console/test_printed_commands.py` runs the console's.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.printed_commands import VALUE, of_block, of_page, of_source, words_of, wrong

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
SOURCES = [
    path
    for folder in ("control_plane", "figway", "proxy", "scripts")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
TEMPLATES = sorted((ROOT / "control_plane/console/templates").glob("*.html"))
_NAMED = re.compile(  # but for the name in front of an error: `figway control: ...`
    r"`(figway [^`]+)`|\[b\](figway [^\[]+)|: (figway [^\n]+)|^(figway (?!control:)[^\n]+)", re.M
)
_ENDS = re.compile(r"(?<=[^.])\. |; |\.$|, or |\)$|, and |\[/")
_EXPRESSION = re.compile(r"\{%.*?%\}")
_FILLED = re.compile(r"\{\{.*?\}\}")


def test_the_manual_names_commands_that_there_are() -> None:
    """use 7: a block is taken as it stands; what a line names may lack its arguments."""
    found, seen = [], 0
    for page in PAGES:
        for whole, lines in zip((True, False), of_page(page), strict=True):
            for line in lines:
                if line.endswith("[OPTIONS]"):
                    continue  # a line of the generated reference
                seen += 1
                if why := wrong(line, whole=whole):
                    found.append(f"{page.relative_to(ROOT)}: {line}: {why}")
    assert found == []
    assert seen > 150


def test_messages_name_commands_that_there_are() -> None:
    """use 7: what `up`, hints, findings and problems say to do next."""
    found, seen = [], 0
    for source in SOURCES:
        for number, text in of_source(source):
            for groups in _NAMED.findall(text):
                line = _ENDS.split(next(filter(None, groups)))[0]
                seen += 1
                if why := wrong(line, whole=False):
                    found.append(f"{source.relative_to(ROOT)}:{number}: {line}: {why}")
    assert found == []
    assert seen > 80


def test_pages_of_the_console_name_commands_that_there_are() -> None:
    """use 7: in every branch of every template, also those that no test brings about."""
    found, seen = [], 0
    for template in TEMPLATES:
        text = _FILLED.sub(VALUE, _EXPRESSION.sub(" ", template.read_text(encoding="utf-8")))
        for block in re.findall(r"<code>([^<]*)</code>", text):
            for line in of_block(block.replace("&lt;", "<").replace("&gt;", ">")):
                seen += 1
                if why := wrong(line, whole=False):
                    found.append(f"{template.name}: {line}: {why}")
    assert found == []
    assert seen >= 15


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("figway get ROUTE extra", "one word too many"),
        ("figway flip orders sideways", "stage"),
        ("figway weight orders 25% --wiat", "--wiat"),
        ("figway undo soon", "number"),
        ("figway rotues list", "no such command"),
        ("figway keys create NAME", "role"),
        ("figway kill on 'why", "quotation"),
    ],
)
def test_a_wrong_command_is_found(line: str, said: str) -> None:
    """The test of commands can fail."""
    assert said in wrong(line).lower()


@pytest.mark.parametrize(
    "line",
    [
        "figway flip ROUTE STAGE --wait",
        "FIGWAY_ADMIN_KEY=k figway -o json get | jq .items",
        "figway export > table.yaml",
        "figway weight orders 25%  # a quarter",
        "figway undo N",
        "figway --version",
    ],
)
def test_a_right_command_is_left_alone(line: str) -> None:
    assert wrong(line) == ""
    assert "|" not in words_of(line)
