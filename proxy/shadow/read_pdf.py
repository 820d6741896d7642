"""PDF by its text, its pages and its objects, without the dates and ids that each making gives it.

Objects are read from the document's roots, so that their numbers and their order in the file, and
objects that nothing refers to, do not matter. One that is referred to again is named by the order
in which it was first met. Streams are unpacked, so that another compression is the same.
"""

from __future__ import annotations

import io
import logging
import re
import zlib
from typing import Any

import pypdf
from pypdf.generic import (
    ArrayObject,
    BooleanObject,
    ByteStringObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    NullObject,
    StreamObject,
    TextStringObject,
)

from figway.compare.canonical.json import Blob, NotThisFormat, Value
from figway.compare.canonical.text import parse_text
from figway.compare.limits import Budget, CompareError

MOST_BYTES = 2_000_000
MOST_PAGES = 300
MOST_UNPACKED = 8_000_000
"""Bytes of all streams together, unpacked."""
_LONGEST_FOR_TEXT = 400_000
_DEEPEST = 60
_STEPS_AN_OBJECT = 20
_VOLATILE = frozenset(
    {"/CreationDate", "/ModDate", "/ID", "/M", "/Length", "/Parent", "/P", "/LastModified"}
)
_FRAMING = frozenset({"/Filter", "/DecodeParms", "/DL"})
_SUBSET = re.compile(r"\A/?[A-Z]{6}\+")
_XMP_VOLATILE = re.compile(
    rb"(?:<(xmp:(?:Create|Modify|Metadata)Date|xmpMM:(?:Document|Instance|Original)\w*ID)>[^<]*</\1>"
    rb"|(?:xmp:(?:Create|Modify|Metadata)Date|xmpMM:(?:Document|Instance|Original)\w*ID)=\"[^\"]*\")"
)

_BOUNDS = pypdf.Configuration(
    maximum_declared_stream_length=MOST_UNPACKED,
    array_based_stream_maximum_output_length=MOST_UNPACKED,
    lzw_maximum_output_length=MOST_UNPACKED,
    run_length_maximum_output_length=MOST_UNPACKED,
    zlib_maximum_output_length=MOST_UNPACKED,
    stream_decoding_work_maximum_length=4 * MOST_UNPACKED,
    stream_parsing_work_maximum_count=200_000,
)
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def read_pdf(body: bytes, budget: Budget) -> Value:
    """`pages` with their text and objects, `info` and what else the catalog holds.

    Raises:
        NotThisFormat: it cannot be read, or not without a password.
        CompareError: `too_large`, or the budget's own.
    """
    if len(body) > MOST_BYTES:
        raise CompareError("too_large", f"a PDF of more than {MOST_BYTES} bytes")
    try:
        with pypdf.apply_configuration(_BOUNDS):
            document = pypdf.PdfReader(io.BytesIO(body))
            if document.is_encrypted:
                raise NotThisFormat("a PDF that needs a password")
            return _Document(document, budget).value()
    except (CompareError, NotThisFormat):
        raise
    except Exception as error:
        # A broken file breaks in many places of the library, with many types.
        raise NotThisFormat(f"not a PDF: {type(error).__name__}: {error}"[:200]) from error


class _Document:
    """A document on its way to a tree."""

    def __init__(self, document: pypdf.PdfReader, budget: Budget) -> None:
        self._document = document
        self._budget = budget
        self._met: dict[int, int] = {}
        self._unpacked = 0

    def value(self) -> Value:
        pages = self._document.pages
        if len(pages) > MOST_PAGES:
            raise CompareError("too_large", f"a PDF of more than {MOST_PAGES} pages")
        for page in pages:
            # A link to a page is a link to its number, wherever it is met first.
            if page.indirect_reference is not None:
                self._met[page.indirect_reference.idnum] = len(self._met)
        catalog = self._members(self._document.root_object, 0, {"/Pages", "/Type"})
        info = self._document.trailer.get("/Info")
        return {
            "pages": [self._page(page) for page in pages],
            "info": self._value(info, 0) if info is not None else {},
            "catalog": catalog,
        }

    def _page(self, page: pypdf.PageObject) -> Value:
        self._budget.spend(_STEPS_AN_OBJECT)
        contents = page.get_contents()
        found = self._members(page, 0, {"/Contents"})
        data = b"" if contents is None else contents.get_data()
        self._count(data)
        found["content"] = parse_text(data.decode("latin-1"))
        if len(data) <= _LONGEST_FOR_TEXT:
            found["text"] = parse_text(page.extract_text())
        return found

    def _value(self, item: Any, depth: int) -> Value:
        self._budget.spend(_STEPS_AN_OBJECT)
        if depth > _DEEPEST:
            return "…"
        if isinstance(item, IndirectObject):
            known = self._met.get(item.idnum)
            if known is not None:
                return f"object {known}"
            self._met[item.idnum] = len(self._met)
            item = item.get_object()
        if isinstance(item, StreamObject):
            return self._stream(item, depth)
        if isinstance(item, DictionaryObject):
            return self._members(item, depth, set())
        if isinstance(item, ArrayObject):
            return [self._value(one, depth + 1) for one in list.__iter__(item)]
        return _scalar(item)

    def _members(self, item: DictionaryObject, depth: int, less: set[str]) -> dict[str, Value]:
        return {
            str(name).removeprefix("/"): self._value(dict.__getitem__(item, name), depth + 1)
            for name in sorted(item)
            if name not in _VOLATILE and name not in less
        }

    def _stream(self, item: StreamObject, depth: int) -> Value:
        found = self._members(item, depth, set(_FRAMING))
        raw = bytes(item._data)
        if item.get("/Filter") in ("/FlateDecode", ["/FlateDecode"]) and "/DecodeParms" not in item:
            raw = _inflated(raw)
        elif "/Filter" in item:
            found["Filter"] = str(item["/Filter"])
        self._count(raw)
        if item.get("/Subtype") == "/XML":
            raw = _XMP_VOLATILE.sub(b"", raw)
        found["data"] = Blob(raw)
        return found

    def _count(self, data: bytes) -> None:
        self._unpacked += len(data)
        self._budget.spend(len(data) // 64)
        if self._unpacked > MOST_UNPACKED:
            raise CompareError("too_large", "the streams of a PDF")


def _inflated(raw: bytes) -> bytes:
    data = zlib.decompressobj().decompress(raw, MOST_UNPACKED + 1)
    if len(data) > MOST_UNPACKED:
        raise CompareError("too_large", "a stream of a PDF")
    return data


def _scalar(item: Any) -> Value:
    if isinstance(item, NullObject) or item is None:
        return None
    if isinstance(item, BooleanObject):
        return bool(item.value)
    if isinstance(item, NameObject):
        # A font that holds only the letters used has a tag of six letters drawn by lot.
        return _SUBSET.sub("", str(item)).removeprefix("/")
    if isinstance(item, TextStringObject):
        return f"({item})"
    if isinstance(item, ByteStringObject):
        return Blob(bytes(item))
    return float(item) if isinstance(item, int | float) else str(item)
