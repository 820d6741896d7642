"""Stored pairs as requests that can be sent again, and what legacy's answer says of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from control_plane.comparisons.export.templates import regression
from control_plane.comparisons.preview import answer, body
from control_plane.comparisons.records import StoredPair
from figway.compare.answer import Context
from figway.compare.decode import MediaType, to_bytes
from figway.compare.faults import fault_of
from figway.compare.paths import PathError, parse_path
from figway.compare.rules import RuleSet, rule_data
from figway.compare.verdict import failure_of
from figway.evidence.field_state import FieldState
from figway.evidence.noise.marks import COUNTING, Mark
from figway.message.http import is_read
from figway.model.operations import FaultKind

REDACTED = "[redacted:"
_NOT_SENT = frozenset(
    (
        *("host", "connection", "content-length", "transfer-encoding", "accept-encoding"),
        "content-encoding",
        *("keep-alive", "te", "trailer", "upgrade", "expect", "forwarded", "traceparent"),
        *("tracestate", "via", "proxy-connection"),
    )
)


@dataclass(frozen=True, slots=True)
class Case:
    """One stored pair."""

    id: str
    at_ms: int
    verdict: str
    request: dict[str, Any]
    legacy: dict[str, Any]
    new: dict[str, Any]
    reads: tuple[str, ...] = ()
    """Methods of the route that only read besides the safe ones."""
    faults: frozenset[FaultKind] = frozenset()
    """Protocols of the route whose faults are answers."""
    differences: tuple[dict[str, Any], ...] = ()
    """As they were told when the pair was stored."""
    counting: frozenset[str] = frozenset()
    """The fields in which new is wrong, by what is known now."""

    @classmethod
    def of(
        cls,
        row: StoredPair,
        reads: tuple[str, ...] = (),
        faults: frozenset[FaultKind] = frozenset(),
        known: Mapping[str, FieldState] | None = None,
    ) -> Case:
        """The pair that a row holds; `known` is how the fields of its route stand now."""
        found = row.pair
        sides = (found["request"], found["legacy"], found["new"])
        counting = frozenset(
            field for field, mark in found.get("marks", ()) if _counts(field, mark, known or {})
        )
        told = tuple(found.get("differences", ()))
        return cls(row.id, row.at_ms, row.verdict, *sides, reads, faults, told, counting)

    @property
    def name(self) -> str:
        """How people tell it from others."""
        return f"{self.request['method']} {self.request['target'][:80]} {self.id[:8]}"

    @property
    def skip(self) -> str:
        """Why the request cannot be sent again; empty when it can."""
        if not is_read(self.request["method"].upper(), self.reads):
            return "the method is not safe, and copying writes is not what a test should do"
        if REDACTED in (self.request["body"] or ""):
            return "the body held a secret, which was not stored"
        if not self.request["body"] and self._had_body:
            return "the body was too long to be stored"
        if REDACTED in self.request["target"] or "%5Bredacted" in self.request["target"]:
            return "the target held a secret, which was not stored"
        if self._legacy_failed:
            return "legacy failed, which nobody should imitate"
        if self._only_in_the_unstored:
            return "the sides differ in a body alone that was not stored"
        return ""

    @property
    def _legacy_failed(self) -> bool:
        """A fault is an answer, whatever its status; one that only legacy blames on itself is
        none."""
        legacy, new = answer(self.legacy), answer(self.new)
        faults = fault_of(legacy, self.faults), fault_of(new, self.faults)
        return legacy.status < 100 or bool(failure_of(legacy, Context(), *faults))

    @property
    def _only_in_the_unstored(self) -> bool:
        if self.legacy.get("digest") or not unstored(self.legacy):
            return False
        counting = [one for one in self.differences if not one["ignored_by"] and not one["noise"]]
        return bool(counting) and all(one["path"].startswith("$") for one in counting)

    @property
    def wrong(self) -> list[list[Any]]:
        """Places at which new's value was found wrong, and that value, where both were stored
        plainly."""
        return [
            [one["exact"], one["new"]]
            for one in self.differences
            if one["field"] in self.counting and _plain(one["new"])
        ]

    @property
    def _had_body(self) -> bool:
        names = {name.lower(): value for name, value in self.request["headers"]}
        return "transfer-encoding" in names or bool(names.get("content-length", "").strip("0"))

    @property
    def target(self) -> str:
        """The target in ASCII: what HTTP allows no client to write is percent-encoded."""
        return "".join(
            c if " " < c < "\x7f" else quote(c, encoding="latin-1" if c < "\u0100" else "utf-8")
            for c in self.request["target"]
        )

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers to send: those of the message itself and redacted ones left out."""
        return [
            (name, value)
            for name, value in self.request["headers"]
            if name.lower() not in _NOT_SENT
            and not name.lower().startswith("x-forwarded-")
            and REDACTED not in value
        ]

    @property
    def credentials(self) -> list[str]:
        """Names of headers whose values were not stored."""
        found = {name for name, value in self.request["headers"] if REDACTED in value}
        return sorted(found)

    @property
    def body(self) -> bytes:
        """The request's body, in the charset that its Content-Type names."""
        text, plain = self.request["body"], body(self.request)
        if self.request["body_kind"] != "text" or not text:
            return plain
        values = [v for n, v in self.request["headers"] if n.lower() == "content-type"]
        media = MediaType.parse(values[-1] if values else "")
        try:
            return to_bytes(text, media.family(plain), media.charset)
        except UnicodeEncodeError:
            return plain

    def header(self, name: str) -> str | None:
        """A header of legacy's answer."""
        values = [v for n, v in self.legacy["headers"] if n.lower() == name]
        return values[-1] if values else None

    @property
    def expected(self) -> tuple[str, Any]:
        """Kind (`json`, `text` or `none`) and value of what legacy answered."""
        text = self.legacy["body"]
        if text is None or self.legacy["body_kind"] != "text" or self.request["method"] == "HEAD":
            return "none", None
        family = MediaType.parse(self.header("content-type") or "").family(text.encode())
        if family == "json":
            try:
                return "json", json.loads(text)
            except ValueError:
                return "none", None
        return ("text", text) if family == "text" else ("none", None)

    def as_data(self) -> dict[str, Any]:
        """As the exported test file takes it."""
        names = ("status", "headers", "body", "body_kind", "digest")
        return {
            "name": self.name,
            "at_ms": self.at_ms,
            "method": self.request["method"],
            "target": self.target,
            "headers": [list(pair) for pair in self.headers],
            "hosts": [v.lower() for n, v in self.request["headers"] if n.lower() == "host"],
            "credentials": self.credentials,
            "body": base64.b64encode(self.body).decode(),
            "skip": self.skip,
            "legacy": {name: self.legacy[name] for name in names if name in self.legacy},
            "wrong": self.wrong,
        }


def _counts(field: str, mark: str, known: Mapping[str, FieldState]) -> bool:
    state = known.get(field)
    return Mark(mark) in COUNTING if state is None else state.outcome(Mark(mark)) == "counts"


def unstored(stored: dict[str, Any]) -> bool:
    """Whether a body was not stored: a binary, unreadable or very long one."""
    return regression.unknown(stored)


def _plain(value: object) -> bool:
    """Whether a value says itself, as it was."""
    if isinstance(value, str):
        return REDACTED not in value and not value.endswith("…")
    return value is None or isinstance(value, bool | int | float)


def rules_data(rules: RuleSet) -> list[dict[str, Any]]:
    """Rules with their paths taken apart, so that a test needs no parser of paths."""
    found = []
    for rule in rules.rules:
        data = {"absolute": 0.0, "relative": 0.0, **rule_data(rule)}
        if rule.target.startswith("$"):
            data["steps"] = [[step.selector, step.descend] for step in parse_path(rule.target)]
        found.append(data)
    return found


def noise_data(noise: Iterable[str]) -> list[dict[str, Any]]:
    """Noisy fields in the same form."""
    found = []
    for field in sorted(noise):
        path, bar, kind = field.rpartition("|")
        if not bar:
            path, kind = field, "*"
        entry: dict[str, Any] = {"path": path, "kind": kind.partition("~")[0]}
        if path.startswith("$"):
            try:
                steps: Sequence[Any] = parse_path(path)
            except PathError:
                continue  # a name too long to be written in full: no rule could name it either
            entry["steps"] = [[step.selector, step.descend] for step in steps]
        found.append(entry)
    return found
