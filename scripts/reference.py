"""Writes the generated pages of docs/reference; `make reference` runs it.

    python scripts/reference.py [--check]

With --check nothing is written: the exit code is 1 if a page is not what the code says.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from control_plane.bootstrap import create_app, make_services
from control_plane.cli.errors import Exit as CliExit
from control_plane.cli.main import app
from control_plane.http import openapi, reference
from control_plane.server import Exit as ControlExit
from control_plane.settings import Settings as ControlSettings
from control_plane.tables.schema import document_schema
from figway.validate.codes import CODES
from proxy import __main__ as proxy_main
from proxy.settings import reference as proxy_settings

DOCS = Path(__file__).resolve().parents[1] / "docs" / "reference"
_MADE = "<!-- Made from the code by `make reference`; a test holds it to the code. -->"


def settings_page() -> str:
    """The settings of both planes."""
    lines = [
        "# Settings", "", _MADE, "",
        "What a process is started with: environment variables, read once. What may change while "
        "it runs (routes, backends, weights, the kill switch) lives in the table instead, and is "
        "changed by [the command line](cli.md), the admin API or the console.", "",
        "A secret may come from a file: `FIGWAY_<NAME>_FILE`. Times are in seconds, sizes in "
        "bytes, unless a name says otherwise.", "",
        "Both planes keep their state in `$XDG_STATE_HOME/figway`, which is "
        "`~/.local/state/figway`, unless told otherwise. `figway up` uses `./.figway` and "
        "`figway demo` uses `./.demo`, with a folder for each part in it.", "",
        "## Proxy", "", *_table(proxy_settings()), "",
        "## Control plane", "", *_table(_control_settings()), "",
        "## Command line", "", *_table(_cli_variables()), "",
    ]  # fmt: skip
    return "\n".join(lines)


def _control_settings() -> Iterator[tuple[str, str, str]]:
    for name, field in ControlSettings.model_fields.items():
        default = "" if field.default_factory else field.default
        text = (
            ""
            if default is None
            else str(default).lower()
            if isinstance(default, bool)
            else str(default)
        )
        yield f"FIGWAY_{name.upper()}", text, " ".join((field.description or "").split())


def _cli_variables() -> Iterator[tuple[str, str, str]]:
    seen: set[str] = set()
    for _, command in commands():
        for parameter in command.params:
            variable = getattr(parameter, "envvar", None)
            if variable and variable not in seen:
                seen.add(variable)
                default = parameter.default if isinstance(parameter.default, str) else ""
                yield variable, default, parameter.help


def _table(rows: Any) -> list[str]:
    found = ["| variable | default | |", "|---|---|---|"]
    for variable, default, text in rows:
        shown = f"`{default}`" if default != "" else ""
        found.append(f"| `{variable}` | {shown} | {_cell(text)} |")
    return found


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its path, the root first."""
    yield from _walk("figway", typer.main.get_command(app))


def _walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name in sorted(getattr(command, "commands", {})):
        yield from _walk(f"{path} {name}", command.commands[name])


def cli_page() -> str:
    """Every command with its arguments, options and exit codes."""
    found = list(commands())
    root = found[0][1]
    lines = [
        "# Command line", "", _MADE, "", _text(root.help), "",
        "Shared options may stand anywhere: `figway get -o json` and `figway -o json get` are the "
        "same.", "",
        *_options(root),
        "Output is plain when it is piped: no colours, no redrawing, a row a line. Every change "
        "prints the command that undoes it. `--wait` waits until every live proxy serves the "
        "change. `figway COMMAND --help` says the same as this page.", "",
        "## Exit codes", "", "| code | |", "|---|---|", *_exit_codes(), "",
        "`figway up`, `figway demo` and `figway get --watch` end with 0 when Ctrl-C, SIGTERM or "
        "the terminal's end stops them, as that is how they are meant to end; any other command "
        "that Ctrl-C interrupts ends with 130.", "",
        "`figway control` ends as the control plane does: "
        + ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in ControlExit)
        + f". `figway proxy` as the proxy does: 0 after a clean stop, {proxy_main.EXIT_CUT_OFF} if "
        f"a stop had to cut requests off, {proxy_main.EXIT_SETTINGS} for settings that cannot be "
        f"used, {proxy_main.EXIT_LISTEN} for an address that cannot be listened on.", "",
        "## Commands", "",
    ]  # fmt: skip
    for path, command in found[1:]:
        if getattr(command, "commands", None):
            lines += [f"## {path}", "", _text(command.help), ""]
            continue
        usage = " ".join([path, *_arguments(command), "[OPTIONS]"])
        lines += [f"### {path}", "", f"    {usage}", "", _text(command.help), ""]
        lines += _options(command)
    return "\n".join(lines)


def _exit_codes() -> Iterator[str]:
    source = Path(sys.modules[CliExit.__module__].__file__ or "").read_text(encoding="utf-8")
    for code in CliExit:
        after = source.split(f"    {code.name} = {code.value}\n", 1)[1].splitlines()[0].strip()
        said = after.strip('"') if after.startswith('"""') else "It did what was asked."
        yield f"| {code.value} | {said} |"


def _arguments(command: Any) -> list[str]:
    found = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = parameter.name.upper()
            found.append(name if parameter.required else f"[{name}]")
    return found


def _options(command: Any) -> list[str]:
    rows = []
    for parameter in command.params:
        if parameter.name == "help":
            continue
        if parameter.param_type_name == "argument":
            shown = parameter.name.upper()
        else:
            names = sorted(parameter.opts, key=len, reverse=True)
            shown = ", ".join([*names, *parameter.secondary_opts])
        default = parameter.default
        plain = isinstance(default, (str, int, float, Path)) and not isinstance(default, bool)
        value = getattr(default, "value", default)
        tail = f" Default: `{value}`." if plain and value != "" else ""
        rows.append(f"| `{shown}` | {_cell(parameter.help or '')}{_choices(parameter)}{tail} |")
    return ["| | |", "|---|---|", *rows, ""] if rows else []


def _choices(parameter: Any) -> str:
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    if not (isinstance(annotation, type) and issubclass(annotation, Enum)):
        return ""
    return f" One of {', '.join(f'`{choice.value}`' for choice in annotation)}."


def _text(text: str | None) -> str:
    """A help text as Markdown: Rich's markup out, paragraphs kept."""
    plain = (text or "").replace("[b]", "`").replace("[/b]", "`")
    return "\n\n".join(" ".join(part.split()) for part in plain.split("\n\n"))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def schema_file() -> str:
    """The JSON Schema of a table document."""
    return json.dumps(document_schema(), indent=2) + "\n"


def table_page() -> str:
    """Every field of a table document, with its type and default."""
    schema = document_schema()
    lines = [
        "# The table", "", _MADE, "",
        "A document that `figway apply` takes and `figway export` prints, in YAML or JSON. "
        "`figway validate FILE` checks one without changing anything; an editor completes and "
        "checks it with [the JSON Schema](table.schema.json), which `figway schema` prints, too. "
        "Times are milliseconds and sizes bytes unless a name says otherwise. "
        "A field that is left out has its default.", "",
        "## Document", "", *_fields(schema, schema),
    ]  # fmt: skip
    for name in _in_reading_order(schema):
        definition = schema["$defs"][name]
        text = " ".join(definition.get("description", "").split())
        lines += [f"## {name}", "", text, ""]
        if "enum" in definition:
            choices = ", ".join(f"`{choice}`" for choice in definition["enum"])
            lines += [f"One of {choices}.", ""]
        else:
            lines += _fields(definition, schema)
    return "\n".join(lines)


def _in_reading_order(schema: dict[str, Any]) -> list[str]:
    """Definitions as a reader meets them: what a definition refers to comes after it."""
    order: list[str] = []
    waiting = _referred(schema["properties"])
    while waiting:
        name = waiting.pop(0)
        if name not in order:
            order.append(name)
            waiting = _referred(schema["$defs"][name].get("properties", {})) + waiting
    return order


def _referred(properties: dict[str, Any]) -> list[str]:
    return re.findall(r"#/\$defs/(\w+)", json.dumps(properties))


def _said_of_the_type(field: dict[str, Any], schema: dict[str, Any]) -> str:
    name = field.get("$ref", "").rpartition("/")[2]
    return str(schema["$defs"].get(name, {}).get("description", ""))


def _fields(definition: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    rows = ["| field | type | default | |", "|---|---|---|---|"]
    needed = definition.get("required", ())
    for name, field in definition.get("properties", {}).items():
        default = "required" if name in needed else _default(field.get("default"))
        text = _cell(field.get("description", "") or _said_of_the_type(field, schema))
        rows.append(f"| `{name}` | {_type(field)} | {default} | {text} |")
    return [*rows, ""]


def _default(value: Any) -> str:
    if value in (None, "", [], {}) or isinstance(value, dict):
        return ""
    return f"`{json.dumps(value)}`"


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_type(choice) for choice in field["anyOf"])
    if field.get("type") == "array" and "items" in field:
        return f"list of {_type(field['items'])}"
    if field.get("type") == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"map of {_type(field['additionalProperties'])} by id"
    return str(field.get("type", "any"))


def findings_page() -> str:
    """Every code of a finding."""
    rows = [f"| `{code}` | {_cell(text)} |" for code, text in sorted(CODES.items())]
    return "\n".join([
        "# Finding codes", "", _MADE, "",
        "What checking a table says: `figway validate`, `figway apply`, the admin API (422, with "
        "`findings`) and the console. Each finding names its place, what is wrong and what to do. "
        "An error keeps a table from being saved; a warning only tells. A code never changes its "
        "meaning.", "",
        "| code | |", "|---|---|", *rows, "",
    ])  # fmt: skip


def api_page() -> str:
    """Every call of the admin API."""
    with tempfile.TemporaryDirectory() as folder:
        services = make_services(ControlSettings(database_url=f"sqlite:///{folder}/none.sqlite3"))
        document = openapi.describe(create_app(services))
    lines = [
        "# Admin API", "", _MADE, "",
        "Every call below `/api/v1` takes an API key: `Authorization: Bearer fgw_...`. The control "
        "plane serves this page at `/docs` and the OpenAPI description at `/openapi.json`, both "
        "without a key: they hold nothing of the installation. Errors are problem details (RFC "
        "9457); an edit of what exists carries If-Match with the ETag that the last answer gave; "
        "where new would serve more without proof, an edit answers 409 until it says "
        "`confirm=exposure`.", "",
        *reference.markdown(document),
    ]  # fmt: skip
    return "\n".join(lines)


PAGES = {
    "api.md": api_page,
    "settings.md": settings_page,
    "cli.md": cli_page,
    "table.md": table_page,
    "table.schema.json": schema_file,
    "findings.md": findings_page,
}


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    wrong = 0
    for name, page in PAGES.items():
        file, text = DOCS / name, page()
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        if check:
            wrong = 1
            sys.stderr.write(f"docs/reference/{name} is not what the code says: make reference\n")
        else:
            file.write_text(text, encoding="utf-8")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
