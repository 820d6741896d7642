"""Stored pairs as a Hurl file (https://hurl.dev, its grammar of version 4)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from control_plane.comparisons.export.cases import REDACTED, Case

_MOST_ASSERTS = 200
_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SHAPES = ("unordered", "keyed_array")


def written(
    route: str, cases: Sequence[Case], rules: list[dict[str, Any]], noise: list[dict[str, Any]]
) -> str:
    """The file. Run it with `hurl --test --variable base_url=http://127.0.0.1:9001 FILE`."""
    lines = [
        f"# Regression tests for the new service of route {_comment(route)}, exported by Figway.",
        "# hurl --test --variable base_url=http://127.0.0.1:9001 FILE",
        "",
    ]
    for case in cases:
        lines += [f"# {_comment(case.name)} ({case.verdict})"]
        why = case.skip
        if why:
            lines += [f"# left out: {why}", ""]
            continue
        for name in case.credentials:
            lines.append(f"# {_comment(name)} was sent, and is not stored: add it if it matters")
        lines += [*_entry(case, rules, noise), ""]
    return "\n".join(lines)


def _entry(case: Case, rules: list[dict[str, Any]], noise: list[dict[str, Any]]) -> Iterator[str]:
    yield f"{case.request['method']} {{{{base_url}}}}{_url(case.target)}"
    for name, value in case.headers:
        yield f"{name}: {_value(value)}"
    if case.body:
        yield f"base64,{base64.b64encode(case.body).decode()};"
    loose = any(rule["target"] == "status" for rule in rules)
    yield "HTTP *" if loose else f"HTTP {case.legacy['status']}"
    asserts = list(_asserts(case, rules, noise))
    if asserts:
        yield "[Asserts]"
        yield from asserts[:_MOST_ASSERTS]


def _asserts(case: Case, rules: list[dict[str, Any]], noise: list[dict[str, Any]]) -> Iterator[str]:
    allowed = {entry["target"] for entry in rules} | {entry["path"] for entry in noise}
    media = (case.header("content-type") or "").partition(";")[0].strip()
    if media and "header:content-type" not in allowed:
        yield f'header "content-type" contains {_text(media)}'
    algorithm, _, digest = case.legacy.get("digest", "").partition(":")
    if algorithm == "sha256" and not any(place.startswith("$") for place in allowed):
        yield f"sha256 == hex,{digest};"
    kind, value = case.expected
    if kind == "json":
        excused = [entry["steps"] for entry in (*rules, *noise) if "steps" in entry]
        yield from _leaves((), value, excused)


def _leaves(trail: tuple[Any, ...], value: Any, excused: list[Any]) -> Iterator[str]:
    if any(_matches(steps, trail) for steps in excused):
        return
    path = _text(_path(trail))
    if isinstance(value, dict):
        for name, child in value.items():
            if REDACTED not in name:
                yield from _leaves((*trail, name), child, excused)
    elif isinstance(value, list):
        yield f"jsonpath {path} count == {len(value)}"
        for index, child in enumerate(value):
            yield from _leaves((*trail, index), child, excused)
    elif isinstance(value, str) and REDACTED in value:
        yield f"jsonpath {path} exists"
    elif isinstance(value, str):
        yield f"jsonpath {path} == {_text(value)}"
    else:
        yield f"jsonpath {path} == {json.dumps(value)}"


def _matches(steps: Any, trail: tuple[Any, ...]) -> bool:
    """Whether a path leads to a place, or the place lies below one that the path leads to."""
    if not steps:
        return True
    selector, deeper = steps[0]
    starts = range(len(trail) if deeper else min(1, len(trail)))
    return any(
        (selector is None or selector == trail[start]) and _matches(steps[1:], trail[start + 1 :])
        for start in starts
    )


def _path(trail: tuple[Any, ...]) -> str:
    found = "$"
    for key in trail:
        if isinstance(key, int):
            found += f"[{key}]"
        elif _PLAIN.fullmatch(key):
            found += f".{key}"
        else:
            found += "['" + key.replace("\\", "\\\\").replace("'", "\\'") + "']"
    return found


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _text(value: str) -> str:
    """A quoted string; braces are spelt out, as two of them would open a variable."""
    return '"' + "".join(_ESCAPES.get(c) or _spelt(c) for c in value) + '"'


def _value(value: str) -> str:
    """A header's value, unquoted: `#` would start a comment."""
    return "".join(f"\\{c}" if c in "#\\" else _spelt(c) for c in value.strip())


def _spelt(character: str) -> str:
    if character in "{}" or ord(character) < 32 or character == "\x7f":
        return f"\\u{{{ord(character):x}}}"
    return character


def _url(target: str) -> str:
    """The target; what Hurl's grammar has another use for is encoded."""
    return "".join(f"%{ord(c):02X}" if c in '{}#\\ <>"^`|[]' else c for c in target)


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
