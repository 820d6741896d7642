"""How people write shares, conditions and nested settings on a command line."""

from __future__ import annotations

import json
from typing import Any

from control_plane.cli.errors import CliError, Exit
from figway.model import share
from figway.model.operations import OperationKind

_KINDS = {"^=": "prefix", "$=": "suffix", "*=": "contains", "=": "exact"}


def basis_points(text: str) -> int:
    """`25%` or `0.5%` as basis points. Raises `CliError`, also for a number without the sign: in a
    table and in the API 25 is 0.25%, and nobody should have to know."""
    try:
        return share.basis_points(text)
    except ValueError:
        raise CliError(
            f"{text!r} is not a share",
            hint="Write it with its sign, from 0% to 100% in steps of 0.01%: 25%, or 0.5%",
            code=Exit.USAGE,
        ) from None


def condition(text: str) -> dict[str, str]:
    """`name=value`, `name^=prefix`, `name$=suffix`, `name*=part`, `name` (present), `!name`."""
    if text.startswith("!"):
        return {"name": text[1:], "kind": "absent"}
    for sign, kind in _KINDS.items():
        name, found, value = text.partition(sign)
        if found and name:
            return {"name": name, "kind": kind, "value": value}
    return {"name": text, "kind": "present"}


def settings(pairs: list[str]) -> dict[str, Any]:
    """`fallback.deadline_ms=5000` and the like as nested fields; values are JSON if they can be."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise CliError(
                f"{pair!r} is not a setting",
                hint="Write --set name.inner=value, such as --set fallback.deadline_ms=5000",
                code=Exit.USAGE,
            )
        inner = found
        *path, last = name.split(".")
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise CliError(
                    f"{pair!r} is within {part}, which another --set gives a value of its own",
                    hint="Leave one of the two out",
                    code=Exit.USAGE,
                )
        try:
            inner[last] = json.loads(value)
        except ValueError:
            inner[last] = value
    return found


def media_type_of(body: str) -> str:
    """The media type that a typed body most likely has."""
    start = body.lstrip("\ufeff \t\r\n")[:1]
    if start in ("{", "["):
        return "application/json"
    return "text/xml" if start == "<" else "application/x-www-form-urlencoded"


def operation_of(text: str) -> dict[str, Any]:
    """`graphql:GetCart,GetUser`, `soap:{urn:shop}GetOrder`, `form:action=search`, `jsonrpc`."""
    kind, _, names = text.partition(":")
    kinds = [known.value for known in OperationKind]
    if kind not in kinds:
        raise CliError(
            f"{text!r} is no operation",
            hint=f"Write KIND:NAME,NAME with one of {', '.join(kinds)}; form:FIELD=VALUE,VALUE",
            code=Exit.USAGE,
        )
    found: dict[str, Any] = {"kind": kind, "field": ""}
    if kind == "form":
        found["field"], _, names = names.partition("=")
    found["names"] = [name.strip() for name in names.split(",") if name.strip()]
    return found


def merged(fields: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Fields with more of them, objects within objects."""
    found = dict(fields)
    for name, value in more.items():
        known = found.get(name)
        nested = isinstance(known, dict) and isinstance(value, dict)
        found[name] = merged(known, value) if nested and isinstance(known, dict) else value
    return found
