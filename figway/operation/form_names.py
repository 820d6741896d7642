"""Names of form fields, and what frameworks take for the same name.

PHP drops leading spaces, ends a name at NUL, writes `_` for dots, spaces and an unclosed bracket;
Rack and qs drop brackets around a name; ASP.NET folds the case; CGI.pm and older frameworks split
pairs at semicolons, too; some decode the names of a multipart body.
"""

from __future__ import annotations

from urllib.parse import unquote

from figway.operation.head import pairs_of
from figway.operation.operation import Unread, UnreadReason


class FieldNames:
    """Some fields of a form or query string, to be found there in one pass."""

    __slots__ = ("_fields", "_flat", "_nested")

    def __init__(self, *fields: str) -> None:
        plain = [_plain(field) for field in fields]
        self._fields = frozenset(fields)
        self._flat = frozenset(_flat(name) for name in plain)
        self._nested = [pieces for pieces in map(_pieces, plain) if pieces]

    def pairs(self, text: bytes) -> list[tuple[str, str]]:
        """The pairs of these fields in a query string or urlencoded form.

        Raises `Unread` for what is not percent-encoded UTF-8, and where some framework would take
        another pair for a field's.
        """
        found = [pair for pair in pairs_of(text) if self.has(pair[0])]
        if b";" in text:
            split = pairs_of(text.replace(b";", b"&"))
            if sum(self.has(name) for name, _ in split) != len(found):
                raise Unread(UnreadReason.AMBIGUOUS)
        return found

    def has(self, name: str) -> bool:
        """Whether a name is a field's. Raises `Unread` for one that some frameworks take for it."""
        if name in self._fields:
            return True
        plain = _plain(name)
        pieces = _pieces(plain)
        nested = any(pieces[: len(wanted)] == wanted for wanted in self._nested)
        if nested or _flat(plain) in self._flat:
            raise Unread(UnreadReason.AMBIGUOUS)
        return False


def _plain(name: str) -> str:
    text = unquote(name).partition("\0")[0].strip("\"' \t\r\n").casefold()
    return text.replace(" ", "_").replace(".", "_")


def _flat(plain: str) -> str:
    return plain.replace("[", "_")


def _pieces(plain: str) -> list[str]:
    """`a[b]` taken apart; brackets around nothing are left out."""
    return [piece for piece in plain.replace("]", "[").split("[") if piece]
