"""Stored pairs as regression tests for new (pytest, Hurl) and as HAR."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from importlib.metadata import version
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from control_plane.comparisons.export import bundle, hurl, templates
from control_plane.comparisons.export.cases import Case, noise_data, rules_data
from control_plane.comparisons.export.templates import regression
from figway.compare.rules import RuleSet, rule_data
from figway.model.operations import FaultKind
from figway.model.words import HtmlView


class Format(StrEnum):
    """Forms of an export."""

    PYTEST = "pytest"
    HURL = "hurl"
    HAR = "har"


MEDIA_TYPES = {
    Format.PYTEST: "text/x-python; charset=utf-8",
    Format.HURL: "text/plain; charset=utf-8",
    Format.HAR: "application/json",
}
_SUFFIXES = {Format.PYTEST: ".py", Format.HURL: ".hurl", Format.HAR: ".har"}


def file_name(route: str, form: Format) -> str:
    """A name for the file."""
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in route)
    return f"test_{plain}{_SUFFIXES[form]}" if form is Format.PYTEST else plain + _SUFFIXES[form]


@dataclass(frozen=True, slots=True)
class Basis:
    """What the cases of a route are held to."""

    rules: RuleSet
    headers: tuple[str, ...]
    """Compared besides."""
    hosts: frozenset[str]
    """Of backends: in Location they mean the facade."""
    excused: frozenset[str]
    """Fields that are noise now."""
    forms: Mapping[str, dict[str, Any]]
    """By place, the forms that legacy varies in."""
    faults: frozenset[FaultKind] = frozenset()
    html: frozenset[HtmlView] = frozenset()
    build_header: str = ""
    """Names the build of new."""

    def settings(self) -> dict[str, Any]:
        """As the exported test file takes it."""
        return {
            "rules": [rule_data(rule) for rule in self.rules.rules],
            "headers": list(self.headers),
            "hosts": sorted(self.hosts),
            "excused": sorted(self.excused),
            "forms": dict(self.forms),
            "faults": sorted(self.faults),
            "html": sorted(self.html),
            "build_header": self.build_header,
        }


def written(route: str, form: Format, cases: Sequence[Case], basis: Basis) -> str:
    """The file."""
    if form is Format.HAR:
        return har(cases)
    if form is Format.HURL:
        return hurl.written(route, cases, rules_data(basis.rules), noise_data(basis.excused))
    return _pytest(route, cases, basis)


def _pytest(route: str, cases: Sequence[Case], basis: Basis) -> str:
    template = (files(templates) / "regression.py").read_text("utf-8")
    head, rest = template.split('"""', 2)[1:]
    settings = basis.settings()
    kept, failing, untold = _sorted(cases, settings)
    head = head.format(name=file_name(route, Format.PYTEST))
    head += _left_out("legacy's own answer does not pass them", failing)
    head += _left_out("what new answered cannot be told from legacy's by what was stored", untold)
    for mark, value in (("CASES: list[dict[str, Any]] = []", kept),
                        ("SETTINGS: dict[str, Any] = {}", settings)):  # fmt: skip
        # In JSON three quotes never follow each other, so that the text ends where it should.
        text = json.dumps(value, indent=1)
        made = f'{mark.rpartition(" = ")[0]} = json.loads(\n    r"""\n{text}\n"""\n)'
        rest = rest.replace(mark, made, 1)
    rest = rest.replace('COMPARER = ""', f'COMPARER = """\n{bundle.comparer()}\n"""', 1)
    return f'"""{head}"""{rest}'


def _sorted(
    cases: Sequence[Case], settings: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    """The cases that prove something; the names of those that legacy's stored answer fails, and of
    those that new's wrong one passes."""
    kept, failing, untold = [], [], []
    for case in cases:
        data = case.as_data()
        if data["skip"]:
            kept.append(data)
        elif any(regression.differences(data, data["legacy"], settings)):
            failing.append(case.name)
        elif case.counting and not any(regression.differences(data, case.new, settings)):
            untold.append(case.name)
        else:
            kept.append(data)
    return kept, failing, untold


def _left_out(why: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    lines = "".join(f"    {_plain(name)}\n" for name in names)
    return f"\nLeft out, as {why}:\n\n{lines}"


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() and c not in '"\\' else "?" for c in text)


def har(cases: Sequence[Case]) -> str:
    """HAR 1.2: two entries for each pair, legacy's answer and new's."""
    entries = [
        _entry(case, side, answer)
        for case in cases
        for side, answer in (("legacy", case.legacy), ("new", case.new))
    ]
    log = {
        "version": "1.2",
        "creator": {"name": "Figway", "version": version("figway")},
        "entries": entries,
    }
    return json.dumps({"log": log}, indent=1, ensure_ascii=False)


def _entry(case: Case, side: str, answer: dict[str, Any]) -> dict[str, Any]:
    request = case.request
    headers = [{"name": name, "value": value} for name, value in request["headers"]]
    host = next((v for n, v in request["headers"] if n.lower() == "host"), "facade.invalid")
    target = request["target"]
    url = target if "://" in target else f"http://{host}{target}"
    found: dict[str, Any] = {
        "startedDateTime": datetime.fromtimestamp(case.at_ms / 1000, UTC).isoformat(),
        "time": answer["elapsed_ms"],
        "request": {
            "method": request["method"],
            "url": url,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": headers,
            "queryString": [
                {"name": name, "value": value}
                for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)
            ],
            "headersSize": -1,
            "bodySize": len(case.body),
        },
        "response": _response(answer),
        "cache": {},
        "timings": {"send": 0, "wait": answer["elapsed_ms"], "receive": 0},
        "comment": f"{side}, {case.verdict}, comparison {case.id}",
    }
    if request["body"]:
        found["request"]["postData"] = {
            "mimeType": _type(request["headers"]),
            "text": request["body"],
            "params": [],
        }
    return found


def _response(answer: dict[str, Any]) -> dict[str, Any]:
    status = answer["status"]
    text = answer["body"] or ""
    content: dict[str, Any] = {
        "size": len(text.encode("utf-8", "backslashreplace")),
        "mimeType": _type(answer["headers"]),
        "text": text,
    }
    if answer["body_kind"] == "base64":
        content |= {"encoding": "base64", "size": len(base64.b64decode(text + "=="))}
    known = {entry.value: entry.phrase for entry in HTTPStatus}
    location = next((v for n, v in answer["headers"] if n.lower() == "location"), "")
    return {
        "status": status,
        "statusText": answer["failure"] or known.get(status, ""),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": name, "value": value} for name, value in answer["headers"]],
        "content": content,
        "redirectURL": location,
        "headersSize": -1,
        "bodySize": -1,
    }


def _type(headers: Sequence[Sequence[str]]) -> str:
    return next((v for n, v in headers if n.lower() == "content-type"), "")
