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
    tags = by_tag(document)
    lines += [f"<a href=#{escape(tag)}>{escape(tag)}</a> " for tag in tags]
    for tag, found in tags.items():
        lines.append(f"<h2 id={escape(tag)}>{escape(tag)}</h2><dl>")
        for method, path, operation in found:
            lines.append(f"<dt><code>{method} {escape(path)}</code></dt>")
            lines.append(f"<dd>{escape(_text(operation))}{_list(document, operation)}</dd>")
        lines.append("</dl>")
    return "".join(lines)


def _text(operation: Mapping[str, Any]) -> str:
    return " ".join(str(operation.get("description") or operation.get("summary", "")).split())


def _list(document: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    rows = [
        f"<li><code>{escape(name)}</code> ({where}){': ' + escape(text) if text else ''}</li>"
        for name, where, text in _taken(document, operation)
    ]
    answer = _answer(document, operation)
    told = f"<p>{escape(answer)}</p>" if answer else ""
    return (f"<ul>{''.join(rows)}</ul>" if rows else "") + told


def _taken(
    document: Mapping[str, Any], operation: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """Name, place and meaning of each parameter, then of each field of the body."""
    for entry in operation.get("parameters", ()):
        yield entry["name"], entry["in"], entry.get("description", "")
    schema = _schema(document, operation.get("requestBody", {}))
    needed = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        where = "body, required" if name in needed else "body"
        kinds = [field, *field.get("anyOf", ())]
        words = [word for kind in kinds for word in _named(document, kind).get("enum", ())]
        one_of = f"One of {', '.join(f'`{word}`' for word in words)}." if words else ""
        yield name, where, f"{field.get('description', '')} {one_of}".strip()


def _answer(document: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    """What a call that succeeds is answered with: the status, and the fields of its JSON."""
    for status, answer in operation.get("responses", {}).items():
        if status.startswith("2"):
            fields = ", ".join(f"`{name}`" for name in _schema(document, answer)["properties"])
            return f"Answers {status}: {fields}." if fields else ""
    return ""


def _schema(document: Mapping[str, Any], holder: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON schema of a body or an answer, looked up where it is named elsewhere."""
    schema = holder.get("content", {}).get("application/json", {}).get("schema", {})
    return {"properties": {}, **_named(document, schema)}


def _named(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference leads to."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def markdown(document: Mapping[str, Any]) -> list[str]:
    """The reference as lines of Markdown."""
    lines: list[str] = []
    for tag, found in by_tag(document).items():
        lines += [f"## {tag}", ""]
        for method, path, operation in found:
            lines += [f"### `{method} {path}`", "", _text(operation), ""]
            rows = [
                f"| `{name}` | {where} | {_cell(text)} |"
                for name, where, text in _taken(document, operation)
            ]
            if rows:
                lines += ["| parameter | in | |", "|---|---|---|", *rows, ""]
            if answer := _answer(document, operation):
                lines += [answer, ""]
    return lines


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
