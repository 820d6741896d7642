"""The live table compiled, for explaining; made when somebody asks, from the one before."""

from __future__ import annotations

from control_plane.publishing.state import Snapshot
from figway.routing.compile import CompiledTable, compile_table


class LiveCompiled:
    """Remembers the last compiled table."""

    def __init__(self) -> None:
        self._last: CompiledTable | None = None

    def of(self, snapshot: Snapshot) -> CompiledTable:
        """`snapshot`, compiled. Raises `CompileError`."""
        last = self._last
        if last is not None and last.etag == snapshot.etag and last.revision == snapshot.revision:
            return last
        if last is None:
            found = compile_table(snapshot.table, snapshot.revision, snapshot.etag)
        else:
            found = last.with_table(snapshot.table, snapshot.revision, snapshot.etag)
        self._last = found
        return found
