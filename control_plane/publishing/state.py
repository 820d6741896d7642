"""The current table in memory: a cache of the database that every reader shares.

Reading it never waits. It is replaced whole, by the publisher only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from figway.model import change
from figway.model.change import Change, Kind
from figway.model.codec import Item, TableHasher, content_hash, to_data
from figway.model.table import Table


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A table with its number. `etag` is its content hash, the number aside."""

    revision: int
    etag: str
    table: Table
    created_ms: int


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item with its ETag and the revision that last wrote it."""

    item: Item
    etag: str
    revision: int


class TableState:
    """The current snapshot, and which revision last wrote each item."""

    def __init__(self) -> None:
        self.hasher = TableHasher()
        empty = Table()
        self.empty = Snapshot(0, self.hasher.table(empty), empty, 0)
        self.current = self.empty
        self.installation = ""
        """Which database the table is of."""
        self.stored_etag = ""
        """The stored hash of the current table, where another release wrote it differently."""
        self._written: dict[tuple[Kind, str], int] = {}
        self._encoded: tuple[str, int, bytes] = ("", -1, b"")

    def replace(
        self, snapshot: Snapshot, written: dict[tuple[Kind, str], int], stored_etag: str = ""
    ) -> None:
        """Take over what the database says."""
        self.current = snapshot
        self.stored_etag = stored_etag
        self._written = written

    def advance(self, snapshot: Snapshot, changes: Iterable[Change]) -> None:
        """Go on to the next revision."""
        for entry in changes:
            if entry.value is None:
                self._written.pop((entry.kind, entry.id), None)
            else:
                self._written[entry.kind, entry.id] = snapshot.revision
        self.current = snapshot
        self.stored_etag = ""

    def stored(self, kind: Kind, item_id: str) -> StoredItem | None:
        """An item of the current table."""
        item = change.items(self.current.table, kind).get(item_id)
        if item is None:
            return None
        return StoredItem(item, self.etag(kind, item), self._written.get((kind, item_id), 0))

    def etag(self, kind: Kind, value: Item | str | bool) -> str:
        """The ETag of an item or a setting."""
        if isinstance(value, (str, bool)):
            return content_hash(value)
        return self.hasher.item(kind.value, value)

    def encoded(self) -> bytes:
        """The current table as proxies pull it."""
        now = self.current
        etag, revision, body = self._encoded
        if (etag, revision) != (now.etag, now.revision):
            body = orjson.dumps(
                {
                    "revision": now.revision,
                    "etag": now.etag,
                    "installation": self.installation,
                    "table": to_data(now.table),
                }
            )
            self._encoded = (now.etag, now.revision, body)
        return body
