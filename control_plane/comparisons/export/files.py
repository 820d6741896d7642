"""Stored pairs as regression tests for new (pytest, Hurl) and as HAR."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from importlib.metadata import version
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from control_plane.comparisons.export import hurl, templates
from control_plane.comparisons.export.cases import Case, noise_data, rules_data
from figway.compare.rules import RuleSet

_MARK = "CASES: list[dict[str, Any]] = []\n"


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


def written(
    route: str, form: Format, cases: Sequence[Case], rules: RuleSet, noise: frozenset[str]
) -> str:
    """The file."""
    if form is Format.HAR:
        return har(cases)
    if form is Format.HURL:
        return hurl.written(route, cases, rules_data(rules), noise_data(noise))
    return _pytest(route, cases, rules_data(rules), noise_data(noise))


def _pytest(
    route: str, cases: Sequence[Case], rules: list[dict[str, Any]], noise: list[dict[str, Any]]
) -> str:
    template = (files(templates) / "regression.py").read_text("utf-8")
    head, rest = template.split('"""', 2)[1:]
    name = file_name(route, Format.PYTEST)
    data = [case.as_data(rules, noise) for case in cases]
    # In JSON three quotes never follow each other, so that the text ends where it should.
    text = json.dumps(data, indent=1)
    written = f'CASES: list[dict[str, Any]] = json.loads(\n    r"""\n{text}\n"""\n)\n'
    return f'"""{head.format(name=name)}"""{rest.replace(_MARK, written)}'


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
