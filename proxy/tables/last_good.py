"""The last good table on disk: what a proxy serves when it starts without its control plane.

One file, written whole to a temporary name, synced, and renamed, so that a crash leaves either the
old or the new one. It carries a SHA-256 of its own bytes: a file that was cut short or edited by
hand is noticed, put aside, and not served. Mode 0600, as a table names internal hosts.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from figway.model.codec import CodecError, Item, from_data, table_hash, to_data
from figway.model.table import Table

FILE = "table.json"
_FORMAT = 1
_HEAD = b'{"sha256":"'
_BODY = b'","body":'
_DIGEST = 64  # hexadecimal digits


_Written = dict[str, tuple[Item, orjson.Fragment]]
"""The items of one kind, each with its JSON."""


class CorruptTable(ValueError):
    """The file is not what was written. The text says what is wrong and where it now lies."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A table with its revision and content hash."""

    revision: int
    etag: str
    table: Table


class LastGood:
    """The file of one proxy, in its state directory."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE
        self._known: dict[str, _Written] = {}

    def save(self, stored: Stored) -> None:
        """Replace the file. Raises `OSError` (disk full, read-only); the old file then stays."""
        data = {
            "format": _FORMAT,
            "revision": stored.revision,
            "etag": stored.etag,
            "table": self._encoded(stored.table),
        }
        body = orjson.dumps(data)
        content = _HEAD + hashlib.sha256(body).hexdigest().encode() + _BODY + body + b"}\n"
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        try:
            _write_synced(temporary, content)
            temporary.replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        _sync_directory(self.path.parent)

    def _encoded(self, table: Table) -> dict[str, Any]:
        """`to_data` of a table, at the cost of what changed since the one before."""
        none: Mapping[str, Any] = MappingProxyType({})
        data: dict[str, Any] = to_data(
            replace(table, backends=none, capabilities=none, routes=none)
        )
        for kind in ("backends", "capabilities", "routes"):
            items: Mapping[str, Item] = getattr(table, kind)
            known = self._known.get(kind, {})
            written: _Written = {}
            for key in sorted(items):
                item, entry = items[key], known.get(key)
                if entry is None or entry[0] is not item:
                    entry = (item, orjson.Fragment(_compact(item)))
                written[key] = entry
            self._known[kind] = written
            if written:
                data[kind] = [fragment for _, fragment in written.values()]
        return data

    def load(self) -> Stored | None:
        """The stored table; None if there is none.

        Raises `CorruptTable` after moving a damaged file aside, `OSError` if it cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return _decode(content)
        except CorruptTable as error:
            aside = self.path.with_suffix(".corrupt")
            try:
                self.path.replace(aside)
            except OSError as move_error:
                raise CorruptTable(
                    f"{self.path} is damaged ({error}), is not used, and cannot be moved aside: "
                    f"{move_error.strerror}"
                ) from None
            raise CorruptTable(
                f"{self.path} is damaged ({error}). It is not used; it was kept as {aside}"
            ) from None


def _compact(item: Item) -> bytes:
    """The JSON of an item. A copy, as orjson leaves kilobytes of room behind what it writes."""
    return bytes(memoryview(orjson.dumps(to_data(item))))


def _decode(content: bytes) -> Stored:
    start = len(_HEAD) + _DIGEST
    if not content.startswith(_HEAD) or content[start : start + len(_BODY)] != _BODY:
        raise CorruptTable("not a table file of Figway")
    if not content.endswith(b"}\n"):
        raise CorruptTable("cut short")
    body = content[start + len(_BODY) : -2]
    if hashlib.sha256(body).hexdigest().encode() != content[len(_HEAD) : start]:
        raise CorruptTable("its checksum does not match")
    data: dict[str, Any] = orjson.loads(body)
    if data.get("format") != _FORMAT:
        raise CorruptTable(f"format {data.get('format')!r} is not known to this release")
    try:
        table = from_data(Table, data["table"], "$.table")
    except CodecError as error:  # written by another release, whose model differs
        raise CorruptTable(str(error)) from None
    return Stored(data["revision"], table_hash(table), table)


def _write_synced(path: Path, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    with contextlib.suppress(OSError):  # not every file system can; the rename itself is done
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
