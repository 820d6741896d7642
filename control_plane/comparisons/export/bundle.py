"""The comparer as text that an exported test carries: the modules that it takes, in a zip."""

from __future__ import annotations

import ast
import base64
import io
import zipfile
from functools import cache
from pathlib import Path

import figway

_ROOTS = (
    "figway.compare.verdict",
    "figway.compare.rules",
    "figway.compare.digest",
    "figway.evidence.noise.form_fit",
    "figway.evidence.noise.forms",
    "figway.evidence.noise.seen",
    "figway.evidence.noise.values",
)
_WIDTH = 100
_DATE = (1980, 1, 1, 0, 0, 0)  # the same modules make the same text


@cache
def comparer() -> str:
    """The zip in base 85, in lines. Made once a process."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in sorted(_needed().items()):
            inside = name.replace(".", "/") + (
                "/__init__.py" if path.name == "__init__.py" else ".py"
            )
            archive.writestr(
                zipfile.ZipInfo(inside, _DATE),
                path.read_text("utf-8"),
                compress_type=zipfile.ZIP_DEFLATED,
                compresslevel=9,
            )
    text = base64.b85encode(held.getvalue()).decode()
    return "\n".join(text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH))


def _needed() -> dict[str, Path]:
    """The modules that the roots take, and the packages that these lie in."""
    root = Path(figway.__file__).parent
    found: dict[str, Path] = {}
    waiting = list(_ROOTS)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _file_of(root, name)
        if path is None:
            continue
        found[name] = path
        waiting += _imported(path)
        waiting.append(name.rpartition(".")[0] or name)
    return found


def _file_of(root: Path, name: str) -> Path | None:
    place = root.joinpath(*name.split(".")[1:])
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("figway"):
            module = node.module or ""
            names += [module, *(f"{module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names if alias.name.startswith("figway")]
    return names
