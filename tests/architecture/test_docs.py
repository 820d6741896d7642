"""The manual says what the code does: reference pages, metrics, log fields, links, words."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = (ROOT / "docs" / "operate" / "operations.md").read_text(encoding="utf-8")


def tracked() -> list[Path]:
    """Every file of the project that exists."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout  # fmt: skip
    found = (ROOT / name for name in listed.decode().split("\0") if name)
    return [path for path in found if path.is_file()]


PAGES = [path for path in tracked() if path.suffix == ".md"]


def prose(path: Path) -> str:
    """A page without its code."""
    text = re.sub(r"^( *)```.*?^\1```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub(r"`[^`\n]+`", "", text)


@pytest.mark.parametrize("script", ["reference", "state_diagram"])
def test_reference_pages_are_what_the_code_says(script: str) -> None:
    """The settings, the command line, and the states in the architecture page."""
    done = subprocess.run(
        [sys.executable, f"scripts/{script}.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_metric_is_in_the_manual_and_none_else() -> None:
    """Names in docs/operate/operations.md against the names that the proxy exports."""
    sources = (ROOT / "proxy").rglob("*.py")
    exported = {
        name
        for path in sources
        for name in re.findall(r'"(figway_[a-z_]+)"', path.read_text(encoding="utf-8"))
    } - {"figway_id", "figway_side"}
    section = OPERATIONS.split("## Metrics")[1].split("## Logs")[0]
    assert exported == set(re.findall(r"figway_[a-z_]+", section))


def test_every_log_field_is_in_the_manual() -> None:
    """The keys that `proxy.telemetry.log_line` writes, against docs/operate/operations.md."""
    tree = ast.parse((ROOT / "proxy" / "telemetry" / "log_line.py").read_text(encoding="utf-8"))
    keys = {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    keys |= {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
    }
    optional = next(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_OPTIONAL"
    )
    keys |= set(ast.literal_eval(optional))
    section = OPERATIONS.split("## Logs")[1].split("## Upgrade")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert told == {key for key in keys if isinstance(key, str)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Files exist, and so do the headings that a link names."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor and file.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), flags=re.M)
            slugs = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, f"{page.name}: {target}"


def test_commands_of_the_manual_exist() -> None:
    """Every `figway ...` and `make ...` in README and docs is a command with those options."""
    import typer

    from control_plane.cli.main import app
    from control_plane.cli.words import SHARED

    root = typer.main.get_command(app)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    seen = 0
    for page in pages:
        text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))  # continued lines are one
        code = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, flags=re.M | re.S))
        code += "\n" + "\n".join(re.findall(r"`((?:figway|make) [^`\n]+)`", text))
        code += "\n" + "\n".join(
            re.findall(r"^    (figway .+)$", text, flags=re.M)
        )  # by indentation
        for line in code.splitlines():
            words = re.sub(r"\s#.*", "", line).split()
            if words[:1] == ["make"]:
                assert words[1] in targets, line
            if words[:1] != ["figway"] or not words[1:] or words[1].isupper():
                continue
            command: Any = root
            rest = words[1:]
            while getattr(command, "commands", None) and rest and not rest[0].startswith("-"):
                if rest[0].isupper():
                    break
                assert rest[0] in command.commands, line
                command, rest = command.commands[rest[0]], rest[1:]
            known = {opt for p in command.params for opt in (*p.opts, *p.secondary_opts)}
            for word in rest:
                if word.startswith("-") and len(word) > 1:
                    assert word.partition("=")[0] in known | set(SHARED) | {"--help"}, line
            seen += 1
    assert seen > 20


WORDED = [
    "README.md",
    "docs/index.md",
    "docs/reference/cli.md",
    "docs/reference/settings.md",
    "docs/concepts/routing.md",
    "docs/operate/operations.md",
    "docs/concepts/architecture.md",
]
FORBIDDEN = {
    "gateway": "facade", "canary side": "new", "failover": "fallback", "ruleset": "table",
    "toggle": "flip", "mirrored": "shadow", "teed": "shadow", "candidate side": "new",
    "flake": "noise", "old side": "legacy", "percentage of keys": "weight",
}  # fmt: skip
"""Synonyms that the glossary rules out, as whole words."""


@pytest.mark.parametrize("page", WORDED)
def test_the_manual_uses_the_words_of_the_glossary(page: str) -> None:
    """Not the synonyms beside them."""
    text = prose(ROOT / page).lower()
    for word, better in FORBIDDEN.items():
        assert not re.search(rf"\b{word}\b", text), f"{page} says {word!r}; say {better!r}"


def test_the_api_uses_the_words_of_the_glossary(tmp_path: Path) -> None:
    """Paths and members of the admin API."""
    from control_plane.bootstrap import create_app, make_services
    from control_plane.http.openapi import describe
    from control_plane.settings import Settings

    described = describe(
        create_app(make_services(Settings(database_url=f"sqlite:///{tmp_path}/unused.sqlite3")))
    )
    schemas = described["components"]["schemas"]
    words = {word for path in described["paths"] for word in re.split(r"[/{}_-]", path)}
    words |= {word for s in schemas.values() for name in s.get("properties", {})
              for word in name.split("_")}  # fmt: skip
    assert not words & {"gateway", "ruleset", "toggle", "failover", "upstream", "mirror", "v2"}


def test_no_file_names_a_place_on_one_machine() -> None:
    """No absolute path of a developer's machine is in the project."""
    homes = ("/wo" + "rk/", "/ho" + "me/", "/Us" + "ers/", "/tmp/" + "team")
    for path in tracked():
        if path.suffix in (".png", ".woff2", ".gz", ".ico") or "vendor" in path.parts:
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        for home in homes:
            found = re.search(rf"(?<![\w.{{}}<*]){re.escape(home)}\w+", text)
            assert not found, f"{path.relative_to(ROOT)}: {found and found.group()}"
