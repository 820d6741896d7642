"""The table of one worker: taken from the supervisor's messages, checked, compiled, swapped in.

Decoding and compiling happen on a thread, so that requests go on meanwhile; the swap is one
assignment on the loop. Messages are worked off in their order.
"""

from __future__ import annotations

from figway.model.change import UnknownItem, apply, changes_from_data
from figway.model.codec import CodecError, TableHasher, from_data
from figway.model.table import Table
from figway.routing.compile import CompiledTable, CompileError, compile_table
from proxy.loop.channel import Message


class Unusable(Exception):
    """A table message that this worker cannot follow. The text says why."""


class TableState:
    """Successive tables of one worker."""

    def __init__(self) -> None:
        self._hasher = TableHasher()
        self.compiled: CompiledTable | None = None

    def follow(self, message: Message) -> CompiledTable:
        """The compiled table of a `table` or `changes` message; not yet served.

        Raises `Unusable`.
        """
        try:
            table = self._table(message)
            if self._hasher.table(table) != message["etag"]:
                raise Unusable("its hash is not the one announced")
            revision, etag = message["revision"], message["etag"]
            if self.compiled is None:
                return compile_table(table, revision, etag)
            return self.compiled.with_table(table, revision, etag)
        except (CodecError, UnknownItem, CompileError) as error:
            raise Unusable(str(error)) from None

    def _table(self, message: Message) -> Table:
        if message["t"] == "table":
            return from_data(Table, message["table"])
        if self.compiled is None or self.compiled.etag != message["base"]:
            raise Unusable("the changes start from another table")
        return apply(self.compiled.table, changes_from_data(message["changes"]))
