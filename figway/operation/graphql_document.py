"""Executable GraphQL documents (GraphQL, October 2021, section 2): operations and root fields.

The whole grammar is recognised, so that what is not a document is never taken for one; of it only
the selections of definitions are kept. Work is linear in the text, and nesting is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from figway.operation.operation import Unread, UnreadReason

DEEPEST: Final = 100
"""Levels of nesting."""
MOST_FIELDS: Final = 1_000
"""Root fields of one operation, fragments resolved."""

_IGNORED = re.compile(r"(?:[\ufeff\t\n\r ,]|#[^\n\r\x00\x0b\x0c\x85\u2028\u2029]*)*")
# What some readers end a comment, or all of the text, at has no place in a comment either.
_TOKEN = re.compile(
    r"(?P<name>[_A-Za-z][_0-9A-Za-z]*)"
    r"|(?P<punctuator>\.\.\.|[!$&():=@\[\]{|}])"
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![0-9_A-Za-z.]))"
    r'|(?P<block>"""(?:[^"\\\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]|\\"""|\\|"(?!""))*""")'
    r'|(?P<string>"(?!"")(?:[^"\\\x00-\x08\x0a-\x1f\ud800-\udfff]|\\(?:["\\/bfnrt]'
    r'|u(?:[0-9A-CE-Fa-ce-f][0-9A-Fa-f]{3}|[dD][0-7][0-9A-Fa-f]{2})))*")'
)
_END = ("end", "")
Token = tuple[str, str]
"""Kind and text."""


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a document, and an end. Raises `Unread`."""
    at = _skipped(text, 0)
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Unread(UnreadReason.MALFORMED)
        yield str(found.lastgroup), found[0]
        at = _skipped(text, found.end())
    while True:
        yield _END


def _skipped(text: str, at: int) -> int:
    found = _IGNORED.match(text, at)
    return at if found is None else found.end()


@dataclass(frozen=True, slots=True)
class Selections:
    """What a selection set asks for directly: fields by name, and fragments by name."""

    fields: tuple[str, ...]
    spreads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """One operation of a document."""

    type: str
    name: str
    fields: tuple[str, ...]


def read_document(text: str) -> tuple[Definition, ...]:
    """The operations of a document. Raises `Unread`."""
    return _Parser(text).document()


class _Parser:
    """Recursive descent; each method reads one rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._kind, self._text = next(self._tokens)
        self._depth = 0

    def document(self) -> tuple[Definition, ...]:
        operations: list[tuple[str, str, Selections]] = []
        fragments: dict[str, Selections] = {}
        while self._kind != "end":
            if self._kind == "name" and self._text == "fragment":
                name, selections = self._fragment()
                if name in fragments:
                    raise Unread(UnreadReason.MALFORMED)
                fragments[name] = selections
            else:
                operations.append(self._operation())
        names = [name for _, name, _ in operations]
        if not operations or len(set(names)) != len(names):
            raise Unread(UnreadReason.MALFORMED if operations or fragments else UnreadReason.ABSENT)
        return tuple(
            Definition(kind, name, _resolved(selections, fragments))
            for kind, name, selections in operations
        )

    # -- tokens ------------------------------------------------------------------------------

    def _next(self) -> str:
        text = self._text
        self._kind, self._text = next(self._tokens)
        return text

    def _at(self, punctuator: str) -> bool:
        return self._text == punctuator and self._kind == "punctuator"

    def _take(self, punctuator: str) -> bool:
        if self._at(punctuator):
            self._next()
            return True
        return False

    def _expect(self, punctuator: str) -> None:
        if not self._take(punctuator):
            raise Unread(UnreadReason.MALFORMED)

    def _name(self) -> str:
        if self._kind != "name":
            raise Unread(UnreadReason.MALFORMED)
        return self._next()

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Unread(UnreadReason.TOO_LONG)

    # -- definitions -------------------------------------------------------------------------

    def _operation(self) -> tuple[str, str, Selections]:
        if self._at("{"):
            return "query", "", self._selections()
        kind = self._name()
        if kind not in ("query", "mutation", "subscription"):
            raise Unread(UnreadReason.MALFORMED)
        name = self._next() if self._kind == "name" else ""
        if self._take("("):
            self._variable()
            while not self._take(")"):
                self._variable()
        self._directives(constant=False)
        return kind, name, self._selections()

    def _variable(self) -> None:
        self._expect("$")
        self._name()
        self._expect(":")
        self._type()
        if self._take("="):
            self._value(constant=True)
        self._directives(constant=True)

    def _type(self) -> None:
        self._deeper()
        if self._take("["):
            self._type()
            self._expect("]")
        else:
            self._name()
        self._take("!")
        self._depth -= 1

    def _fragment(self) -> tuple[str, Selections]:
        self._next()
        name = self._name()
        if name == "on" or self._name() != "on":
            raise Unread(UnreadReason.MALFORMED)
        self._name()
        self._directives(constant=False)
        return name, self._selections()

    # -- selections --------------------------------------------------------------------------

    def _selections(self) -> Selections:
        self._deeper()
        self._expect("{")
        fields: list[str] = []
        spreads: list[str] = []
        while True:
            if self._take("..."):
                self._spread(fields, spreads)
            else:
                fields.append(self._field())
            if self._take("}"):
                break
        self._depth -= 1
        return Selections(tuple(fields), tuple(spreads))

    def _field(self) -> str:
        name = self._name()
        if self._take(":"):
            name = self._name()
        self._arguments(constant=False)
        self._directives(constant=False)
        if self._at("{"):
            self._selections()
        return name

    def _spread(self, fields: list[str], spreads: list[str]) -> None:
        if self._kind == "name" and self._text != "on":
            spreads.append(self._next())
            self._directives(constant=False)
            return
        if self._kind == "name":
            self._next()
            self._name()
        self._directives(constant=False)
        inline = self._selections()
        fields += inline.fields
        spreads += inline.spreads

    def _arguments(self, *, constant: bool) -> None:
        if self._take("("):
            while True:
                self._name()
                self._expect(":")
                self._value(constant=constant)
                if self._take(")"):
                    return

    def _directives(self, *, constant: bool) -> None:
        while self._take("@"):
            self._name()
            self._arguments(constant=constant)

    def _value(self, *, constant: bool) -> None:
        if self._kind in ("name", "number", "string", "block"):
            self._next()
        elif self._take("$"):
            if constant:
                raise Unread(UnreadReason.MALFORMED)
            self._name()
        else:
            self._composite(constant=constant)

    def _composite(self, *, constant: bool) -> None:
        self._deeper()
        if self._take("["):
            while not self._take("]"):
                self._value(constant=constant)
        else:
            self._expect("{")
            while not self._take("}"):
                self._name()
                self._expect(":")
                self._value(constant=constant)
        self._depth -= 1


def _resolved(selections: Selections, fragments: dict[str, Selections]) -> tuple[str, ...]:
    """Root fields with fragments resolved, each name once. Raises `Unread` for an unknown one."""
    fields = dict.fromkeys(selections.fields)
    waiting, seen = list(selections.spreads), set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        found = fragments.get(name)
        if found is None:
            raise Unread(UnreadReason.MALFORMED)
        fields.update(dict.fromkeys(found.fields))
        waiting += found.spreads
    if len(fields) > MOST_FIELDS:
        raise Unread(UnreadReason.TOO_LONG)
    return tuple(fields)
