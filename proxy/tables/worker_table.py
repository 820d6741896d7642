"""The table of one worker: taken from the supervisor's messages, checked, compiled, swapped in.

Decoding and compiling happen on a thread, so that requests go on meanwhile; the swap is one
assignment on the loop. Messages are worked off in their order.
"""

from __future__ import annotations

from typing import Any

from figway.model.change import UnknownItem, apply, changes_from_data
from figway.model.codec import CodecError, TableHasher, from_data
from figway.model.table import Table
from figway.routing.compile import CompiledTable, CompileError, compile_table


class Unusable(Exception):
    """A table message that this worker cannot follow. The text says why."""


class TableState:
    """Successive tables of one worker."""

    def __init__(self) -> None:
        self._hasher = TableHasher()
        self.compiled: CompiledTable | None = None

    def whole(self, revision: int, etag: str, data: Any) -> CompiledTable:
        """The compiled table of a whole one in JSON form; not yet served. Raises `Unusable`."""
        try:
            return self._compile(revision, etag, from_data(Table, data))
        except CodecError as error:
            raise Unusable(str(error)) from None

    def changed(self, revision: int, etag: str, base: str, changes: Any) -> CompiledTable:
        """The compiled table that `changes` make of the table `base`. Raises `Unusable`."""
        if self.compiled is None or self.compiled.etag != base:
            raise Unusable("the changes start from another table")
        try:
            table = apply(self.compiled.table, changes_from_data(changes))
        except (CodecError, UnknownItem) as error:
            raise Unusable(str(error)) from None
        return self._compile(revision, etag, table)

    def _compile(self, revision: int, etag: str, table: Table) -> CompiledTable:
        if self._hasher.table(table) != etag:
            raise Unusable("its hash is not the one announced")
        try:
            if self.compiled is None:
                return compile_table(table, revision, etag)
            return self.compiled.with_table(table, revision, etag)
        except CompileError as error:
            raise Unusable(str(error)) from None
