"""The README as written, by a newcomer with an application of their own."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.support.installation import Installation, installation
from tests.support.sides import side

ROOT = Path(__file__).resolve().parents[2]
SECTION = "## In front of your own application"


def blocks(page: Path, section: str) -> list[list[list[str]]]:
    """The commands of each block of a section, as words, without comments."""
    text = page.read_text(encoding="utf-8").split(section)[1].split("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```", text, flags=re.M | re.S)
    return [[shlex.split(line, comments=True) for line in block.splitlines()] for block in found]


def run(figway: Installation, commands: list[list[str]], new: str) -> None:
    """Run commands in order; each must succeed."""
    for words in commands:
        assert words[0] == "figway", words
        said = [word.replace("http://127.0.0.1:9000", new) for word in words[1:]]
        figway.ok(*said)


def test_the_readme_works_as_written(tmp_path: Path) -> None:
    """Start, name what is new, shadow, weigh, flip, undo, kill: every command ends with 0."""
    start, then = blocks(ROOT / "README.md", SECTION)
    assert [words[:2] for words in start] == [
        ["make", "install"],
        ["export", "PATH=$HOME/.local/bin:$PATH"],
        ["figway", "up"],
    ]
    with side("legacy") as legacy, side("new") as new, installation(tmp_path, legacy) as figway:
        figway.start()
        run(figway, then, new)
        assert "canary" in figway.ok("get")
