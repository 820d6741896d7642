"""One body to a tree: by its family, with what is inside it by its own.

An archive holds files and a multipart body holds parts, and these may be archives: each level is
read by the same rules, two levels deep at most; what is deeper is compared by its bytes.
"""

from __future__ import annotations

from collections.abc import Callable

from figway.compare.answer import Context
from figway.compare.canonical.archive import gzip_name, parse_tar, parse_zip
from figway.compare.canonical.cbor import parse_cbor
from figway.compare.canonical.csv import delimiter_of, has_header, parse_rows, table
from figway.compare.canonical.form import parse_form
from figway.compare.canonical.html import parse_html
from figway.compare.canonical.html_views import view_html
from figway.compare.canonical.http import MEDIA_TYPE, parse_http
from figway.compare.canonical.json import Blob, NotThisFormat, Value, check_depth, parse_json
from figway.compare.canonical.lines import parse_events, parse_json_lines, parse_json_sequence
from figway.compare.canonical.msgpack import parse_msgpack
from figway.compare.canonical.multipart import parse_multipart
from figway.compare.canonical.protobuf import parse_protobuf
from figway.compare.canonical.text import parse_text
from figway.compare.canonical.xml import parse_xml
from figway.compare.decode import MediaType, to_text, undo_codings
from figway.compare.formats import TEXTS, Family, family_named
from figway.compare.limits import Budget

_MOST_NESTED = 2
_TEXT = MediaType("", "")


class Trees:
    """Makes trees of bodies within the bounds of one comparison."""

    def __init__(self, budget: Budget, context: Context) -> None:
        self._budget = budget
        self._context = context
        self._depth = context.limits.depth
        self._nested = 0

    def of_text(self, family: Family, text: str, essence: str = "") -> Value:
        """The tree of a decoded text.

        Raises:
            NotThisFormat: it is not of that family.
            CompareError: a bound is reached.
        """
        if family == "html" and self._context.html:
            return view_html(text, self._context.html, self._context, self._budget)
        if family == "html":
            closing = essence == "application/xhtml+xml"
            return parse_html(text, self._budget, self._depth, self_closing=closing)
        if family == "xml":
            return parse_xml(text, self._budget, self._depth)
        if family == "csv":
            rows = parse_rows(text, delimiter_of(text, essence))
            self._budget.spend(2 * sum(map(len, rows)))
            return table(rows, header=has_header(rows))
        return _SIMPLE[family](text)

    def of_bytes(self, family: Family, body: bytes, media_type: MediaType = _TEXT) -> Value:
        """The tree of a body that is not text; of an unknown one, its size and hash.

        Raises:
            NotThisFormat: it is not of that family.
            CompareError: a bound is reached.
        """
        if family == "multipart":
            return parse_multipart(body, media_type, self._part)
        if family == "msgpack":
            return parse_msgpack(body, self._budget, self._depth)
        if family == "cbor":
            return parse_cbor(body, self._budget, self._depth)
        if family == "protobuf":
            return parse_protobuf(body, self._budget, self._depth)
        if family == "zip":
            return parse_zip(body, self._budget, self._context.limits.decoded_bytes, self._file)
        if family == "tar":
            return parse_tar(body, self._budget, self._context.limits.decoded_bytes, self._file)
        if family == "gzip":
            return self._gzip(body)
        reader = self._context.readers.get(family)
        return Blob(body) if reader is None else reader(body, self._budget)

    def _gzip(self, body: bytes) -> Value:
        if body[:2] != b"\x1f\x8b":
            raise NotThisFormat("not gzip")
        plain = undo_codings(body, ("gzip",), {}, self._context.limits)
        self._budget.spend(len(plain) // 64)
        name = gzip_name(body)
        inner = name.removesuffix(".gz")
        if plain[257:262] == b"ustar":
            inner = "inner.tar"
        content = self._file(inner, plain)
        return {"name": name, "content": content} if name else {"content": content}

    def _part(self, body: bytes, media_type: MediaType) -> Value:
        if media_type.essence == MEDIA_TYPE:
            try:
                return parse_http(body, self._own)
            except NotThisFormat:
                return Blob(body)
        return self._own(body, media_type)

    def _own(self, body: bytes, media_type: MediaType) -> Value:
        return self._inside(media_type.family(body), body, media_type)

    def _file(self, name: str, body: bytes) -> Value:
        essence = "text/tab-separated-values" if name.lower().endswith(".tsv") else ""
        return self._inside(family_named(name, body), body, MediaType(essence, ""))

    def _inside(self, family: Family, body: bytes, media_type: MediaType) -> Value:
        if self._nested >= _MOST_NESTED:
            return Blob(body)
        self._nested += 1
        try:
            if family not in TEXTS:
                return self.of_bytes(family, body, media_type)
            text = to_text(body, family, media_type.charset)
            tree = self.of_text(family, text, media_type.essence)
            check_depth(tree, 2 * self._depth + 2)
            return tree
        except NotThisFormat:
            return Blob(body)
        finally:
            self._nested -= 1


_SIMPLE: dict[Family, Callable[[str], Value]] = {
    "json": parse_json,
    "json-lines": parse_json_lines,
    "json-sequence": parse_json_sequence,
    "form": parse_form,
    "events": parse_events,
    "text": parse_text,
}
