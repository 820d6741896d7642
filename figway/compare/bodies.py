"""Two bodies to differences: the cheap ways first, then by the form that both are in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from figway.compare.answer import Context, PlainBody
from figway.compare.canonical.csv import DELIMITER, delimiter_of, has_header, parse_rows, table
from figway.compare.canonical.json import (
    Blob,
    NotThisFormat,
    Value,
    check_depth,
    exactly,
    parse_json,
    surely_same,
)
from figway.compare.canonical.text import (
    BOM,
    LAST_NEWLINE,
    LINE_ENDS,
    ends_in_newline,
    line_ends,
    parse_text,
)
from figway.compare.canonical.wrapped import looks_like_json, unwrapped
from figway.compare.decode import MediaType, content_codings, has_bom, to_text, undo_codings
from figway.compare.differences import DifferenceKind, Findings
from figway.compare.formats import MAYBE_JSON, TEXTS, Family
from figway.compare.head import HeadComparison, Headers
from figway.compare.limits import Budget
from figway.compare.rules import RuleSet
from figway.compare.trees import Trees
from figway.compare.walk import Walk

_WITH_LINES: frozenset[Family] = frozenset({"text", "csv"})
_WITH_BOM: frozenset[Family] = frozenset({"text", "csv", "json", "json-lines", "json-sequence"})
_MOMENTS: frozenset[Family] = frozenset(
    {"json", "json-lines", "json-sequence", "xml", "msgpack", "cbor", "form", "events"}
)
"""Families whose strings may be moments to the programs that read them."""

_GUARDS = (b")", b"w", b"f", b" ", b"\n")
"""How JSON may begin that is guarded against being run as a script."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Side:
    media_type: MediaType
    body: bytes
    family: Family


class BodyComparison:
    """Reports every difference of two bodies to `findings`."""

    def __init__(
        self, findings: Findings, budget: Budget, rules: RuleSet, context: Context
    ) -> None:
        self._findings = findings
        self._budget = budget
        self._rules = rules
        self._context = context
        self._trees = Trees(budget, context)

    def compare(
        self,
        legacy: bytes,
        legacy_headers: Headers,
        new: bytes,
        new_headers: Headers,
        head: HeadComparison,
        *,
        part: bool = False,
    ) -> None:
        """Report what differs, at the paths of the bodies' canonical form.

        `part`: they are ranges of bodies, which readers put together by their bytes.

        Raises:
            CompareError: a bound is reached, or a body's coding cannot be undone.
        """
        if (
            legacy == new
            and legacy_headers.get("content-type") == new_headers.get("content-type")
            and legacy_headers.get("content-encoding") == new_headers.get("content-encoding")
        ):
            return
        if part:
            self._parts(self._raw(legacy, legacy_headers), self._raw(new, new_headers))
            return
        left, right = self._plain(legacy, legacy_headers), self._plain(new, new_headers)
        head.charset((left.media_type, left.body), (right.media_type, right.body))
        if left.media_type.charset == right.media_type.charset and left.body == right.body:
            return
        if self._context.own is not None:
            sides = PlainBody(legacy_headers, left.body), PlainBody(new_headers, right.body)
            self._judge("json", list(self._context.own(*sides)), (None, None))
            return
        self._compare(left, right)

    def _plain(self, body: bytes, headers: Headers) -> _Side:
        codings = content_codings(headers.get("content-encoding", []))
        plain = undo_codings(body, codings, self._context.decoders, self._context.limits)
        return self._raw(plain, headers)

    def _raw(self, body: bytes, headers: Headers) -> _Side:
        media_type = MediaType.parse(headers.get("content-type", [""])[-1])
        return _Side(media_type, body, media_type.family(body))

    def _parts(self, left: _Side, right: _Side) -> None:
        if left.family == right.family == "multipart":
            self._bytes("multipart", left, right)
        else:
            self._walk(Blob(left.body), Blob(right.body))

    def _compare(self, left: _Side, right: _Side) -> None:
        if self._as_json(left, right):
            return
        family = left.family
        if family != right.family:
            # Two formats share no paths: as text if they are, else by hash.
            family = "text" if {family, right.family} <= TEXTS else "binary"
        if family in TEXTS:
            self._texts(family, left, right)
        else:
            self._bytes(family, left, right)

    # -- what is not text ------------------------------------------------------------------------

    def _bytes(self, family: Family, left: _Side, right: _Side) -> None:
        trees = [
            self._attempt(
                lambda side: self._trees.of_bytes(family, side.body, side.media_type), one
            )
            for one in (left, right)
        ]
        self._judge(family, trees, (Blob(left.body), Blob(right.body)))

    # -- text --------------------------------------------------------------------------------------

    def _texts(self, family: Family, left: _Side, right: _Side) -> None:
        texts = (
            to_text(left.body, family, left.media_type.charset),
            to_text(right.body, family, right.media_type.charset),
        )
        self._notation(family, texts, left, right)
        if texts[0] == texts[1]:
            return
        self._budget.spend((len(texts[0]) + len(texts[1])) // 64)
        if family == "csv":
            trees = self._tables(texts, left, right)
        elif family == "json":
            trees = self._json(*texts)
        else:
            essences = left.media_type.essence, right.media_type.essence
            trees = [
                self._attempt(lambda one: self._trees.of_text(family, *one), pair)
                for pair in zip(texts, essences, strict=True)
            ]
        self._judge(family, trees, (parse_text(texts[0]), parse_text(texts[1])))

    def _notation(self, family: Family, texts: tuple[str, str], left: _Side, right: _Side) -> None:
        """Signs that are not part of what a text says, and that its readers see all the same."""
        if family in _WITH_BOM:
            self._fact("notation", BOM, has_bom(left.body), has_bom(right.body))
        if family == "json":
            return
        if family in _WITH_LINES and texts[0] != texts[1]:
            self._fact("notation", LINE_ENDS, *line_ends(*texts))
        if family in _WITH_LINES or family == "json-lines":
            self._fact("notation", LAST_NEWLINE, *map(ends_in_newline, texts))

    def _fact(self, kind: DifferenceKind, name: str, legacy: Value, new: Value) -> None:
        if legacy != new:
            Walk(self._findings, self._budget).fact(kind, name, legacy, new, self._rules.body)

    def _json(self, legacy: str, new: str) -> list[Value | NotThisFormat]:
        left, right = self._attempt(parse_json, legacy), self._attempt(parse_json, new)
        if isinstance(left, NotThisFormat) or isinstance(right, NotThisFormat):
            return [left, right]
        if surely_same(left, right):
            return [None, None]
        return [exactly(legacy, left), exactly(new, right)]

    def _tables(
        self, texts: tuple[str, str], left: _Side, right: _Side
    ) -> list[Value | NotThisFormat]:
        """CSV: the first row names the columns only where it can on both sides."""
        marks = [
            delimiter_of(text, side.media_type.essence)
            for text, side in zip(texts, (left, right), strict=True)
        ]
        self._fact("changed", DELIMITER, marks[0], marks[1])
        rows = []
        broken: list[Value | NotThisFormat] = []
        for text, mark in zip(texts, marks, strict=True):
            try:
                rows.append(parse_rows(text, mark))
                self._budget.spend(2 * sum(map(len, rows[-1])))
                broken.append([])
            except NotThisFormat as error:
                broken.append(error)
        if len(rows) < 2:
            return broken
        header = all(map(has_header, rows))
        return [table(side, header=header) for side in rows]

    def _as_json(self, left: _Side, right: _Side) -> bool:
        """Compare JSON under another label or in a wrapper; False where not both bodies are."""
        if left.family == right.family == "json":
            if left.body[:1] not in _GUARDS and right.body[:1] not in _GUARDS:
                return False
        elif not all(
            side.family == "json" or side.media_type.essence in MAYBE_JSON for side in (left, right)
        ):
            return False
        sides = (left, right)
        texts = [to_text(side.body, side.family, side.media_type.charset) for side in sides]
        (inner, around), (other, about) = map(unwrapped, texts)
        if not (looks_like_json(inner) and looks_like_json(other)):
            return False
        trees = self._json(inner, other)
        if any(isinstance(tree, NotThisFormat) for tree in trees):
            return False
        self._fact("notation", BOM, has_bom(left.body), has_bom(right.body))
        for name in sorted(around.keys() | about.keys()):
            kind: DifferenceKind = (
                "added" if name not in around else "missing" if name not in about else "changed"
            )
            self._fact(kind, name, around.get(name), about.get(name))
        self._budget.spend((len(inner) + len(other)) // 64)
        self._judge("json", trees, (None, None))
        return True

    # -- trees -------------------------------------------------------------------------------------

    def _attempt(self, make: Callable[[T], Value], what: T) -> Value | NotThisFormat:
        try:
            return make(what)
        except NotThisFormat as error:
            return error

    def _judge(
        self, family: Family, trees: list[Value | NotThisFormat], instead: tuple[Value, Value]
    ) -> None:
        """Compare two trees; `instead` is compared where neither body is of the format."""
        left, right = trees
        if isinstance(left, NotThisFormat) and isinstance(right, NotThisFormat):
            self._walk(*instead)
        elif isinstance(left, NotThisFormat) or isinstance(right, NotThisFormat):
            words = [str(one) if isinstance(one, NotThisFormat) else family for one in trees]
            self._findings.add("format", words[0], words[1], path="$", exact="$", name="")
        else:
            self._walk(left, right, moments=family in _MOMENTS)

    def _walk(self, legacy: Value, new: Value, *, moments: bool = False) -> None:
        if legacy is new or surely_same(legacy, new):
            return
        # An element is two levels of a tree: an object, and the array under its label.
        most = 2 * self._context.limits.depth + 10
        check_depth(legacy, most)
        check_depth(new, most)
        Walk(self._findings, self._budget, moments=moments).values(legacy, new, self._rules.body)
