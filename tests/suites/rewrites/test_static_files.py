"""nginx against Caddy on one folder of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.suites.rewrites.direct import ask, header_names
from tests.suites.rewrites.servers import caddy, nginx
from tests.suites.rewrites.told import judged_through_figway, others, told

FILES = {
    "index.html": "<!doctype html><title>Shop</title><h1>Shop</h1>",
    "about.html": "<!doctype html><title>About</title><p>Since 1999</p>",
    "app.css": "h1 { color: teal }\n",
    "data.json": '{"answer": 42}\n',
    "notes.txt": "plain\n",
    "logo.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>\n',
}
TARGETS = {
    "/": ("/",),
    "/about.html": ("/about.html",),
    "/app.css": ("/app.css",),
    "/data.json": ("/data.json",),
    "/notes.txt": ("/notes.txt",),
    "/logo.svg": ("/logo.svg",),
    "/none/{name}": ("/none/a", "/none/b"),
    "/docs": ("/docs",),
}
CHARSET = "header:content-type;charset added"
EXPECTED: dict[str, set[str]] = {
    "/": {CHARSET},
    "/about.html": {CHARSET},
    "/app.css": {CHARSET},
    "/data.json": set(),
    "/notes.txt": {CHARSET},
    "/logo.svg": set(),
    # nginx answers with a page, Caddy with nothing.
    "/none/{name}": {
        "header:content-type missing",
        "$[*] changed",
        "$[*] missing",
        "$['last-newline()'] notation",
    },
    # 301 by nginx, 308 by Caddy: under another status stands another document.
    "/docs": {"status changed"},
}
"""What the two differ in, by Figway's names."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that both serve."""
    root = tmp_path / "files"
    (root / "docs").mkdir(parents=True)
    for name, text in FILES.items():
        (root / name).write_text(text)
    (root / "docs" / "index.html").write_text("<!doctype html><title>Docs</title>")
    tmp_path.chmod(0o755)
    return root


async def test_every_difference_is_told_and_nothing_else(tmp_path: Path, folder: Path) -> None:
    """The list of what differs holds when both are asked directly, and is what Figway tells."""
    async with (
        nginx(tmp_path / "nginx", folder) as legacy,
        caddy(tmp_path / "caddy", folder) as new,
    ):
        await _check_directly(legacy, new)
        judged = await judged_through_figway(tmp_path / "state", legacy, new, TARGETS)
    assert {path: told(found) for path, found in judged.items()} == EXPECTED
    assert {path: others(found) for path, found in judged.items()} == {path: {} for path in TARGETS}


async def _check_directly(legacy: str, new: str) -> None:
    for path, targets in TARGETS.items():
        listed = {item.partition(" ")[0].partition(";")[0] for item in EXPECTED[path]}
        for target in targets:
            one, other = await ask(legacy, target, {}), await ask(new, target, {})
            if one.status != other.status:
                assert listed == {"status"}, path
                continue
            assert (one.body != other.body) == any(name.startswith("$") for name in listed), path
            names = {f"header:{name}" for name in header_names(one, other)}
            assert names == {item for item in listed if item.startswith("header:")}, path
