"""How often each operation was asked for, of the paths where operations decide.

Only requests whose body was read for its operation come here; nothing else of a body than the name
is kept. Rows are bounded: what finds no room is counted under `(other)`, so that sums stay right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from figway.operation.label import HIDDEN, OperationLabel, label_of
from figway.operation.operation import Operation
from proxy.loop.record import RequestRecord

MOST_ROWS: Final = 1_000
"""Rows of one interval; above, operations are counted under `(other)`."""
MOST_CODES: Final = 50
"""Codes of faults of one series."""
UNREAD: Final = "unread"
"""The kind of rows that say why an operation could not be read."""
FAILED: Final = "failed"
"""A fault that the server blames on itself, in an answer whose status is no failure."""
ANSWERED: Final = "answered"
"""A fault that blames the request, in an answer of class 5xx, as SOAP has it."""
NOT_READ: Final = "unread"
"""An answer that was not read for faults: too long, or packed by a coding unknown here."""
_NUMBERS = ("requests", "errors", "faults", "head_us")
_MOST_LABELS = 4_096
_LONGEST_CODE = 40

Key = tuple[str, OperationLabel, str, str]
"""Path template, label, route (or `-`), side."""
SeriesKey = tuple[str, str, str]
"""Route, side, backend."""


class OperationCounts:
    """Rows by key. Plain integers, so that two counts add up."""

    __slots__ = ("_faults", "_labels", "_rows")

    def __init__(self) -> None:
        self._rows: dict[Key, list[int]] = {}
        self._labels: dict[Operation, OperationLabel] = {}
        self._faults: dict[SeriesKey, dict[str, dict[str, int]]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    # -- counting ----------------------------------------------------------------------------

    def count(
        self,
        record: RequestRecord,
        place: str,
        operations: Iterable[Operation],
        fault: str = "",
        *,
        blamed: bool = False,
    ) -> None:
        """Count a request that is over. `fault` is the code of one that its answer is; `blamed`
        says that the server blames itself."""
        labels = dict.fromkeys(map(self._label, operations))
        if record.unread:
            labels[OperationLabel(UNREAD, "", "", record.unread)] = None
        failed = record.status >= 500 or bool(record.problem)
        if fault:
            self._fault(record, fault, blamed=blamed)
            failed = blamed or bool(record.problem)
        for label in labels:
            key = (place, label, record.route, record.side)
            self._add(key, (1, int(failed), int(bool(fault)), record.head_us))

    def _label(self, operation: Operation) -> OperationLabel:
        found = self._labels.get(operation)
        if found is None:
            if len(self._labels) >= _MOST_LABELS:
                self._labels.clear()
            found = self._labels[operation] = label_of(operation, _is_secret)
        return found

    def _add(self, key: Key, numbers: Iterable[int]) -> None:
        row = self._rows.get(key)
        if row is None:
            if len(self._rows) >= MOST_ROWS:
                key = (key[0], key[1].other(), key[2], key[3])
            row = self._rows.setdefault(key, [0, 0, 0, 0])
        for index, number in enumerate(numbers):
            row[index] += number

    def _fault(self, record: RequestRecord, code: str, *, blamed: bool) -> None:
        series = self._faults.setdefault((record.route, record.side, record.backend), {})
        codes = series.setdefault("faults", {})
        code = code[:_LONGEST_CODE]
        if code not in codes and len(codes) >= MOST_CODES:
            code = "(more)"
        codes[code] = codes.get(code, 0) + 1
        if blamed is not (record.status >= 500):
            self._weigh(record, FAILED if blamed else ANSWERED)

    def answer_unread(self, record: RequestRecord) -> None:
        """Count an answer that was not read for faults."""
        self._weigh(record, NOT_READ)

    def _weigh(self, record: RequestRecord, word: str) -> None:
        series = self._faults.setdefault((record.route, record.side, record.backend), {})
        weighed = series.setdefault("faulted", {})
        weighed[word] = weighed.get(word, 0) + 1

    # -- handing on --------------------------------------------------------------------------

    def merge(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows in JSON form."""
        for row in rows:
            label = OperationLabel(row["kind"], row["field"], row["type"], row["name"])
            key = (row["place"], label, row["route"], row["side"])
            self._add(key, (row.get(name, 0) for name in _NUMBERS))

    def to_data(self) -> list[dict[str, Any]]:
        """All rows in JSON form."""
        return [
            {
                "place": place,
                **label._asdict(),
                "route": route,
                "side": side,
                **dict(zip(_NUMBERS, row, strict=True)),
            }
            for (place, label, route, side), row in self._rows.items()
        ]

    def take(self) -> list[dict[str, Any]]:
        """All rows in JSON form; counting begins anew."""
        rows = self.to_data()
        self._rows = {}
        return rows

    def take_faults(self) -> list[dict[str, Any]]:
        """Faults in the form of series, to be added to those; counting begins anew."""
        found, self._faults = self._faults, {}
        return [
            {"route": route, "side": side, "backend": backend, **counts}
            for (route, side, backend), counts in found.items()
        ]


def _is_secret(name: str) -> bool:
    from figway.redact.detectors import hide_secrets  # only where operations are counted
    from figway.redact.looks_random import random_parts

    return hide_secrets(name, lambda kind, secret: HIDDEN) != name or bool(random_parts(name))
