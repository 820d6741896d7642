"""The admin API as a page for people, made from its description: for docs and for `/docs`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Tag, method, path and operation, in the order of the description."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tags = operation.get("tags") or ["other"]
            yield tags[0], method.upper(), path, operation


def by_tag(document: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
    """Method, path and operation by tag."""
    found: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for tag, method, path, operation in operations(document):
        found.setdefault(tag, []).append((method, path, operation))
    return found


def page(document: Mapping[str, Any]) -> str:
    """The reference as HTML, without a script or a style sheet of others."""
    lines = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Figway admin API</title>",
        f"<h1>Figway admin API {escape(document['info']['version'])}</h1>",
        "<p>Described by <a href=/openapi.json>/openapi.json</a> (OpenAPI). Every call below "
        "<code>/api/v1</code> takes <code>Authorization: Bearer fgw_...</code>.</p>",
    ]
    for tag, found in by_tag(document).items():
        lines.append(f"<h2>{escape(tag)}</h2><dl>")
        for method, path, operation in found:
            lines.append(f"<dt><code>{method} {escape(path)}</code></dt>")
            lines.append(f"<dd>{escape(_text(operation))}{_parameters(operation)}</dd>")
        lines.append("</dl>")
    return "".join(lines)


def _text(operation: Mapping[str, Any]) -> str:
    return " ".join(str(operation.get("description") or operation.get("summary", "")).split())


def _parameters(operation: Mapping[str, Any]) -> str:
    rows = [
        f"<li><code>{escape(entry['name'])}</code> ({escape(entry['in'])})"
        f"{': ' + escape(entry['description']) if entry.get('description') else ''}</li>"
        for entry in operation.get("parameters", ())
    ]
    return f"<ul>{''.join(rows)}</ul>" if rows else ""


def markdown(document: Mapping[str, Any]) -> list[str]:
    """The reference as lines of Markdown."""
    lines: list[str] = []
    for tag, found in by_tag(document).items():
        lines += [f"## {tag}", ""]
        for method, path, operation in found:
            lines += [f"### `{method} {path}`", "", _text(operation), ""]
            rows = [
                f"| `{entry['name']}` | {entry['in']} | {_cell(entry.get('description', ''))} |"
                for entry in operation.get("parameters", ())
            ]
            if rows:
                lines += ["| parameter | in | |", "|---|---|---|", *rows, ""]
    return lines


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
