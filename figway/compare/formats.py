"""Which canonical form fits a body: by its media type, its name inside an archive, or its looks."""

from __future__ import annotations

from typing import Literal

Family = Literal[
    "json",
    "json-lines",
    "json-sequence",
    "form",
    "xml",
    "html",
    "csv",
    "events",
    "text",
    "multipart",
    "msgpack",
    "cbor",
    "protobuf",
    "zip",
    "gzip",
    "tar",
    "pdf",
    "image",
    "binary",
]

TEXTS: frozenset[Family] = frozenset(
    {"json", "json-lines", "json-sequence", "form", "xml", "html", "csv", "events", "text"}
)
"""Families whose bodies are decoded to text first."""

_BY_TYPE: dict[str, Family] = {
    **dict.fromkeys(("application/json", "application/manifest+json"), "json"),
    **dict.fromkeys(
        (
            *("application/x-ndjson", "application/ndjson", "application/jsonl", "text/x-ndjson"),
            *("application/json-lines", "application/jsonlines", "application/x-jsonlines"),
            *("application/stream+json", "application/x-json-stream", "application/json-l"),
        ),
        "json-lines",
    ),
    **dict.fromkeys(("application/json-seq", "application/geo+json-seq"), "json-sequence"),
    "application/x-www-form-urlencoded": "form",
    **dict.fromkeys(("text/html", "application/xhtml+xml"), "html"),
    **dict.fromkeys(("application/xml", "text/xml", "application/xml-dtd"), "xml"),
    **dict.fromkeys(
        ("text/csv", "application/csv", "text/x-csv", "text/tab-separated-values"), "csv"
    ),
    "text/event-stream": "events",
    **dict.fromkeys(
        ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack"), "msgpack"
    ),
    **dict.fromkeys(("application/cbor", "application/x-cbor"), "cbor"),
    **dict.fromkeys(
        (
            *("application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf"),
            *("application/x-google-protobuf", "application/x-protobuffer"),
        ),
        "protobuf",
    ),
    **dict.fromkeys(
        (
            *("application/zip", "application/x-zip-compressed", "application/java-archive"),
            *("application/x-zip", "application/vnd.android.package-archive"),
        ),
        "zip",
    ),
    **dict.fromkeys(("application/gzip", "application/x-gzip", "application/x-tgz"), "gzip"),
    **dict.fromkeys(("application/x-tar", "application/tar"), "tar"),
    **dict.fromkeys(("application/pdf", "application/x-pdf"), "pdf"),
    **dict.fromkeys(
        (
            *("image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp", "image/bmp"),
            *("image/x-icon", "image/vnd.microsoft.icon", "image/tiff"),
        ),
        "image",
    ),
}
_BY_ENDING: tuple[tuple[str, Family], ...] = (
    ("+json", "json"),
    ("+xml", "xml"),
    ("+zip", "zip"),
    ("+cbor", "cbor"),
    ("+msgpack", "msgpack"),
    ("+gzip", "gzip"),
)
_ZIPPED = ("application/vnd.openxmlformats-", "application/vnd.oasis.opendocument.")
_BY_SIGN: tuple[tuple[bytes, Family], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"%PDF-", "pdf"),
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
)
_BY_NAME: dict[str, Family] = {
    **dict.fromkeys(("json", "map", "webmanifest", "geojson"), "json"),
    **dict.fromkeys(("ndjson", "jsonl"), "json-lines"),
    **dict.fromkeys(("xml", "rels", "xsd", "wsdl", "svg", "opf", "ncx", "kml", "vml"), "xml"),
    **dict.fromkeys(("html", "htm", "xhtml"), "html"),
    **dict.fromkeys(("csv", "tsv"), "csv"),
    **dict.fromkeys(("txt", "md", "css", "js", "yml", "yaml", "ini", "log", "sql"), "text"),
    **dict.fromkeys(("zip", "jar", "docx", "xlsx", "pptx", "odt", "ods", "epub"), "zip"),
    **dict.fromkeys(("gz", "tgz"), "gzip"),
    "tar": "tar",
    "pdf": "pdf",
    **dict.fromkeys(("png", "jpg", "jpeg", "gif", "webp", "bmp"), "image"),
}
MAYBE_JSON = frozenset(
    (
        *("text/plain", "text/html", "text/json", "text/x-json", "application/x-json"),
        *("application/javascript", "text/javascript", "application/x-javascript"),
        *("application/ecmascript", "text/ecmascript", "application/jsonp", "text/x-javascript"),
    )
)
"""Media types under which JSON is sent by many, and compared as such where both bodies are."""


def family_of(essence: str, body: bytes) -> Family:
    """The form of a body labelled `essence`; by its looks where the label says nothing."""
    if found := _BY_TYPE.get(essence):
        return found
    if essence.startswith("text/") or essence.endswith(("javascript", "ecmascript", "yaml")):
        return "text"
    if essence.startswith("multipart/"):
        return "multipart"
    for ending, family in _BY_ENDING:
        if essence.endswith(ending):
            return family
    if essence.startswith(_ZIPPED):
        return "zip"
    if essence and not essence.startswith("application/"):
        return "binary"
    return _sniffed(body, essence)


def family_named(name: str, body: bytes) -> Family:
    """The form of a file in an archive: by the ending of its name, else by its looks."""
    ending = name.rpartition(".")[2].lower()
    return _BY_NAME.get(ending) or _sniffed(body, "application/octet-stream")


def _sniffed(body: bytes, essence: str) -> Family:
    for sign, family in _BY_SIGN:
        if body.startswith(sign):
            return family
    if not essence:
        start = body[:512].lstrip()
        if start[:1] in (b"{", b"["):
            return "json"
        if start[:9].lower().startswith((b"<!doctype", b"<html")):
            return "html"
        if start.startswith(b"<?xml"):
            return "xml"
    # Bytes that are said to be just bytes are, whatever they look like.
    if essence == "application/octet-stream" or not _is_text(body):
        return "binary"
    return "text"


def _is_text(body: bytes) -> bool:
    if b"\0" in body:
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
