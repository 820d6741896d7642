"""A table as YAML or JSON for people and their repositories.

The kill switch is no part of an export, and a document without it leaves it where it is: applying
yesterday's file must not send traffic back to what an operator has just switched off.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import yaml

from control_plane.http.problems import ApiProblem, FindingOut, invalid, refused
from figway.model.codec import CodecError, from_data, to_data
from figway.model.table import Table

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_ORDER = ("default_backend", "backends", "capabilities", "routes")


def export(table: Table, kind: str) -> bytes:
    """The table as `yaml` or `json`; fields that equal their default are left out."""
    data = to_data(table)
    chosen = {name: data[name] for name in _ORDER if name in data}
    if kind == "json":
        return orjson.dumps(chosen, option=orjson.OPT_INDENT_2) + b"\n"
    text: str = yaml.dump(
        chosen, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False
    )
    return text.encode()


def read(body: bytes, content_type: str, current: Table) -> Table:
    """The table that a document describes. Raises `ApiProblem` 422."""
    if not body.strip():  # by intent or by accident, it would delete everything
        raise invalid("$", "the document is empty")
    data = _parsed(body, content_type)
    if not isinstance(data, dict):
        raise invalid("$", "expected an object with backends, capabilities and routes")
    try:
        table = from_data(Table, data)
    except CodecError as error:
        finding = FindingOut(
            code="invalid_field", severity="error", path=error.path, message=error.message
        )
        raise refused([finding], "The table cannot be read") from None
    if "kill_switch" not in data:
        table = replace(table, kill_switch=current.kill_switch)
    return table


def _parsed(body: bytes, content_type: str) -> Any:
    if "json" in content_type:
        try:
            return orjson.loads(body)
        except ValueError as error:
            raise invalid("$", f"not JSON: {error}") from None
    try:
        text = body.decode()
        _refuse_aliases(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise invalid("$", f"not YAML: {' '.join(str(error).split())}") from None


def _refuse_aliases(text: str) -> None:
    """A few nested aliases stand for billions of nodes; a table has no use for them."""
    if "*" not in text or "&" not in text:
        return
    for found in yaml.parse(text, Loader=_Loader):
        if isinstance(found, yaml.AliasEvent):
            raise ApiProblem(
                422,
                "yaml_alias",
                "The table cannot be read",
                f"the alias *{found.anchor} is not read; write out what it stands for",
            )
