"""What rules would do to the stored examples: each pair is compared again, with and without them.

It runs in a thread, and ends by itself: in number, in bytes and in time.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from control_plane.comparisons.records import StoredPair
from control_plane.comparisons.schemas_rules import PreviewField, PreviewItem, PreviewOut
from figway.compare.answer import Answer, Context
from figway.compare.limits import Limits
from figway.compare.rules import RuleSet
from figway.compare.verdict import Comparison, compare
from figway.evidence.comparing import compared_headers, faults_of
from figway.model.operations import FaultKind
from figway.model.table import Route, Table
from figway.model.words import HtmlView

MOST_BYTES = 32_000_000
_SECONDS = 5.0
_PAIR_SECONDS = 0.5
_MOST_ITEMS = 200
# The stored body is the decoded text in UTF-8, so what says otherwise is left out.
_UNTRUE = ("content-encoding", "transfer-encoding", "content-length")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a route's pairs are compared with, besides the rules."""

    headers: tuple[str, ...]
    backend_hosts: frozenset[str]
    noise: frozenset[str]
    faults: frozenset[FaultKind] = frozenset()
    html: frozenset[HtmlView] = frozenset()
    build_header: str = ""

    @classmethod
    def of(cls, table: Table, route: Route, noise: frozenset[str]) -> Surroundings:
        """Those of a route."""
        hosts = {
            urlsplit(backend.url).netloc.lower()
            for backend in table.backends.values()
            if backend.url
        }
        headers = compared_headers(route.comparison)
        html = frozenset(route.comparison.html)
        new = table.backends.get(route.new)
        build = "" if new is None else new.build_header
        return cls(headers, frozenset(hosts), noise, faults_of(route), html, build)

    def context(self, request: dict[str, Any]) -> Context:
        """For one pair."""
        return Context(
            backend_hosts=self.backend_hosts,
            method=request["method"],
            path=request["target"].partition("?")[0],
            headers=self.headers,
            build_header=self.build_header,
            noise=self.noise,
            faults=self.faults,
            html=self.html,
            limits=Limits(seconds=_PAIR_SECONDS),
            clock=time.monotonic,
        )


def preview(
    route: str, rows: Sequence[StoredPair], before: RuleSet, after: RuleSet, around: Surroundings
) -> PreviewOut:
    """Compare the examples with either set of rules."""
    deadline = time.monotonic() + _SECONDS
    counts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    fields: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    items: list[PreviewItem] = []
    compared = 0
    for row in rows:
        if time.monotonic() > deadline:
            break
        example = row.pair
        pair = answer(example["legacy"]), answer(example["new"])
        context = around.context(example["request"])
        was, becomes = (compare(*pair, rules, context) for rules in (before, after))
        compared += 1
        for number, found in enumerate((was, becomes)):
            counts[number][found.verdict] += 1
            fields[number].update(_counting(found))
        if was.verdict != becomes.verdict and len(items) < _MOST_ITEMS:
            items.append(_item(row.id, was, becomes))
    return PreviewOut(
        route=route,
        examples=compared,
        left_out=len(rows) - compared,
        before=dict(counts[0]),
        after=dict(counts[1]),
        fields=_changed(*fields),
        items=items,
    )


def answer(stored: dict[str, Any]) -> Answer:
    """A stored answer as the comparer takes it."""
    return Answer(
        status=stored["status"],
        headers=tuple(_headers(stored["headers"])),
        body=body(stored),
        elapsed_ms=stored.get("elapsed_ms", 0.0),
        failure=stored["failure"],
    )


def body(stored: dict[str, Any]) -> bytes:
    """The bytes of a stored body."""
    text = stored["body"]
    if not text or stored["body_kind"] == "none":
        return b""
    if stored["body_kind"] == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            pass
    return bytes(text.encode("utf-8", "backslashreplace"))


def _headers(headers: Iterable[Sequence[str]]) -> Iterable[tuple[str, str]]:
    for name, value in headers:
        lower = name.lower()
        if lower == "content-type":
            media, *parameters = value.split(";")
            kept = [p for p in parameters if not p.strip().lower().startswith("charset")]
            yield name, ";".join([media, *kept, "charset=utf-8"])
        elif lower not in _UNTRUE:
            yield name, value


def _counting(found: Comparison) -> set[str]:
    return {difference.field for difference in found.differences if difference.counts}


def _item(example: str, was: Comparison, becomes: Comparison) -> PreviewItem:
    paths = {field.rpartition("|")[0] for field in _counting(was) ^ _counting(becomes)}
    return PreviewItem(
        example=example, before=was.verdict, after=becomes.verdict, paths=sorted(paths)[:20]
    )


def _changed(before: Counter[str], after: Counter[str]) -> list[PreviewField]:
    return [
        PreviewField(field=field, before=before[field], after=after[field])
        for field in sorted(before.keys() | after.keys())
        if before[field] != after[field]
    ][:500]
