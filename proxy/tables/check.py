"""From what was published to what may be served: decode, hash, validate, compile.

A proxy trusts no table, not even its own control plane's: one that fails any step is refused with
coded findings, and the table before it stays. No I/O here; the work may run on a thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from figway.model.backend import Backend
from figway.model.change import UnknownItem, apply, changes_from_data
from figway.model.codec import CodecError, TableHasher, from_data
from figway.model.table import Table
from figway.model.words import Side
from figway.routing.compile import CompiledTable, CompileError, compile_table
from figway.validate.table import Finding, Severity, validate, validate_change

DAY_0_BACKEND = "legacy"
"""Id of the only backend of a table that was made from FIGWAY_LEGACY_URL."""


class Source(StrEnum):
    """Where a served table came from."""

    CONTROL_PLANE = "control_plane"
    LAST_GOOD = "last_good"
    DAY_0 = "day_0"


@dataclass(frozen=True, slots=True)
class Served:
    """A table that passed every step."""

    compiled: CompiledTable
    source: Source

    @property
    def revision(self) -> int:
        return self.compiled.revision

    @property
    def etag(self) -> str:
        return self.compiled.etag

    @property
    def table(self) -> Table:
        return self.compiled.table


class RefusedTable(Exception):
    """A published table that cannot be served. `findings` say why, as the API shows them."""

    def __init__(self, revision: int, etag: str, findings: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{item['path']}: {item['message']}" for item in findings[:3]))
        self.revision = revision
        self.etag = etag
        self.findings = findings


class StaleBase(Exception):
    """Changes that do not lead from the served table to the one announced: get it whole."""


class Checker:
    """Checks successive tables, at the cost of what changed between them."""

    def __init__(self) -> None:
        self._hasher = TableHasher()

    def whole(
        self, before: Served | None, revision: int, etag: str, data: Any, source: Source
    ) -> Served:
        """Check a whole table in JSON form. Raises `RefusedTable`."""
        try:
            table = from_data(Table, data)
        except CodecError as error:
            raise RefusedTable(revision, etag, [_codec_finding(error)]) from None
        if before is not None:
            table = _share(before.table, table)
        return self._serve(before, revision, etag, table, source)

    def changed(self, before: Served, revision: int, etag: str, data: Any) -> Served:
        """Check the table that `data`, changes in JSON form, makes of the one before.

        Raises `StaleBase` and `RefusedTable`.
        """
        try:
            table = apply(before.table, changes_from_data(data))
        except (CodecError, UnknownItem) as error:
            raise StaleBase(str(error)) from None
        if self._hasher.table(table) != etag:
            raise StaleBase("the changes lead to another table than the one announced")
        return self._serve(before, revision, etag, table, Source.CONTROL_PLANE)

    def stored(self, revision: int, etag: str, table: Table) -> Served:
        """Check the last good table of the disk. Raises `RefusedTable`."""
        return self._serve(None, revision, etag, table, Source.LAST_GOOD)

    def day_0(self, legacy_url: str) -> Served:
        """The table without routes: everything goes to legacy. Raises `RefusedTable`."""
        backend = Backend(id=DAY_0_BACKEND, side=Side.LEGACY, url=legacy_url)
        table = Table(
            default_backend=DAY_0_BACKEND, backends=MappingProxyType({DAY_0_BACKEND: backend})
        )
        return self._serve(None, 0, self._hasher.table(table), table, Source.DAY_0)

    def _serve(
        self, before: Served | None, revision: int, etag: str, table: Table, source: Source
    ) -> Served:
        found = self._hasher.table(table)
        if found != etag:
            message = f"its hash is {found}, but {etag} was announced"
            raise RefusedTable(revision, etag, [_finding("table_hash", "$", message, _REPUBLISH)])
        found_items = validate(table) if before is None else validate_change(before.table, table)
        errors = [item for item in found_items if item.severity is Severity.ERROR]
        if errors:
            raise RefusedTable(revision, etag, [_as_data(item) for item in errors])
        try:
            if before is None:
                compiled = compile_table(table, revision, etag)
            else:
                compiled = before.compiled.with_table(table, revision, etag)
        except CompileError as error:
            finding = _finding("table_compile", "$", str(error), _REPUBLISH)
            raise RefusedTable(revision, etag, [finding]) from None
        return Served(compiled, source)


_REPUBLISH = "Correct the table in the control plane; the proxies keep their last good one."


def _share(before: Table, after: Table) -> Table:
    """`after`, with the objects of `before` where they are equal, which saves work later on."""
    shared: dict[str, Any] = {}
    for name in ("backends", "capabilities", "routes"):
        old, new = getattr(before, name), getattr(after, name)
        shared[name] = MappingProxyType(
            {
                key: known if (known := old.get(key)) == value and known is not None else value
                for key, value in new.items()
            }
        )
    return replace(after, **shared)


def _codec_finding(error: CodecError) -> dict[str, str]:
    resolution = "Bring the control plane and this proxy to the same release."
    return _finding("table_decode", error.path, error.message, resolution)


def _finding(code: str, path: str, message: str, resolution: str) -> dict[str, str]:
    return {
        "code": code,
        "severity": "error",
        "path": path,
        "message": message,
        "resolution": resolution,
    }


def _as_data(item: Finding) -> dict[str, str]:
    data = _finding(str(item.code), item.path, item.message, item.resolution)
    return {**data, "severity": item.severity.value}
