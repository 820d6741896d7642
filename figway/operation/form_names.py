"""Names of form fields, and what frameworks take for the same name.

PHP drops leading spaces, ends a name at NUL, writes `_` for dots, spaces and an unclosed bracket;
Rack and qs drop brackets around a name; ASP.NET folds the case; CGI.pm and older frameworks split
pairs at semicolons, too; some decode the names of a multipart body.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from figway.operation.head import pairs_of
from figway.operation.operation import Unread, UnreadReason


def pairs_for(text: bytes, field: str) -> list[tuple[str, str]]:
    """The pairs of one field in a query string or urlencoded form.

    Raises `Unread` for what is not percent-encoded UTF-8, and where some framework would take
    another pair for the field's.
    """
    found = [pair for pair in pairs_of(text) if is_field(pair[0], field)]
    if b";" in text:
        split = pairs_of(text.replace(b";", b"&"))
        if len([name for name, _ in split if is_field(name, field)]) != len(found):
            raise Unread(UnreadReason.AMBIGUOUS)
    return found


def is_field(name: str, field: str) -> bool:
    """Whether a name is the field's. Raises `Unread` for one that some frameworks take for it."""
    if name == field:
        return True
    plain, wanted = _plain(name), _plain(field)
    pieces = _pieces(wanted)
    nested = bool(pieces) and _pieces(plain)[: len(pieces)] == pieces
    if nested or plain.replace("[", "_") == wanted.replace("[", "_"):
        raise Unread(UnreadReason.AMBIGUOUS)
    return False


def _plain(name: str) -> str:
    text = unquote(name).partition("\0")[0].strip("\"' \t\r\n").casefold()
    return re.sub(r"[ .]", "_", text)


def _pieces(name: str) -> list[str]:
    """`a[b]` taken apart; brackets around nothing are left out."""
    return [piece for piece in re.split(r"[\[\]]", name) if piece]
