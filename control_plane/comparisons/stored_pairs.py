"""Stored pairs of answers, with the verdict that they come to now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from control_plane.comparisons import examples, replays
from control_plane.comparisons.batches import ReplayedAnswer
from control_plane.comparisons.examples import Wanted
from control_plane.comparisons.judged import Judged
from control_plane.comparisons.records import PairHead, StoredPair
from control_plane.comparisons.schemas import ExampleOut, ExampleSummary, FoundOut, ReplayedOut
from control_plane.comparisons.views import EvidenceViews
from control_plane.comparisons.wording import MARKS, OUTCOMES
from control_plane.db.engine import Database
from control_plane.http.problems import ApiProblem, not_found
from figway.evidence.field_state import FieldState
from figway.evidence.judgement import outcome_of
from figway.evidence.noise.form_fit import in_words
from figway.evidence.noise.marks import Mark

_MOST_SCANNED = 5_000
"""Stored pairs that are looked through for one page."""
_CHUNK = 200
_FULL_ID = 32
_MOST_ALIKE = 5


class StoredPairs:
    """Reads stored pairs. Their verdict is derived: it follows rules, words and forms of now."""

    def __init__(self, database: Database, views: EvidenceViews) -> None:
        self._database = database
        self._views = views

    async def page(
        self, wanted: Wanted, before: int | None, limit: int
    ) -> tuple[list[ExampleSummary], int | None]:
        """Stored pairs, newest first, and the number to go on from; None on the last page."""
        found: list[tuple[PairHead, str]] = []
        judged: dict[tuple[str, str, str], Judged | None] = {}
        told = wanted.without_verdict() if wanted.verdict else wanted
        scanned = 0
        while len(found) <= limit and scanned < _MOST_SCANNED:
            async with self._database.read() as connection:
                rows = await examples.page(connection, told, before, min(_CHUNK, limit + 1))
            for row in rows:
                verdict = await self._verdict(row, judged)
                if not wanted.verdict or verdict == wanted.verdict:
                    found.append((row, verdict))
            if len(rows) < min(_CHUNK, limit + 1):
                before = None
                break
            before, scanned = rows[-1].number, scanned + len(rows)
        if len(found) > limit:
            before = found[limit - 1][0].number
        return [_summary(row, verdict) for row, verdict in found[:limit]], before

    async def ids(self, wanted: Wanted, limit: int) -> list[PairHead]:
        """The newest stored pairs whose verdict of now is the wanted one."""
        rows, _ = await self.page(wanted, None, limit)
        if not rows:  # no ids would mean any
            return []
        async with self._database.read() as connection:
            return await examples.page(
                connection, Wanted(ids=tuple(row.id for row in rows)), None, len(rows)
            )

    async def whole(self, wanted: Wanted, limit: int, most_bytes: int) -> list[StoredPair]:
        """The same with their documents, together within `most_bytes`."""
        rows, _ = await self.page(wanted, None, limit)
        kept: list[str] = []
        used = 0
        for row in rows:
            used += row.size
            if used > most_bytes and kept:
                break
            kept.append(row.id)
        async with self._database.read() as connection:
            return await examples.by_ids(connection, kept)

    async def count_by_field(self, route: str, names: Sequence[str]) -> dict[str, int]:
        """How many stored pairs of a route differ in each of some fields."""
        async with self._database.read() as connection:
            return await examples.count_by_field(connection, route, names)

    async def one(self, example_id: str) -> ExampleOut:
        """A stored pair, whole; the beginning of its id is enough where only one begins so.

        Raises:
            ApiProblem: 404; 409 where several begin so.
        """
        async with self._database.read() as connection:
            row = await examples.one(connection, await self._full(example_id))
            if row is None:
                raise not_found("stored comparison", example_id)
            replayed = await replays.of_example(connection, row.id, 5)
        judged = await self._views.of_window(row.route, row.window, row.told.get("build", ""))
        known = _states(judged)
        entries = _entries(row)
        return ExampleOut.model_validate(
            {
                "route": row.route,
                "window": row.window,
                "instance": row.instance,
                "received_ms": row.received_ms,
                "verdict": _now(row, known),
                "example": row.pair,
                "found": _found(entries, known),
                "replays": [_replayed(entry) for entry in replayed],
            }
        )

    async def _full(self, start: str) -> str:
        if len(start) >= _FULL_ID or not start:
            return start
        async with self._database.read() as connection:
            alike = await examples.begins_with(connection, start, _MOST_ALIKE)
        if len(alike) > 1 and start not in alike:
            shown = ", ".join(alike)
            raise ApiProblem(
                409, "ambiguous", "Several begin so", f"{start!r} begins several ids: {shown}"
            )
        return alike[0] if len(alike) == 1 else start

    async def _verdict(
        self, row: PairHead, judged: dict[tuple[str, str, str], Judged | None]
    ) -> str:
        if not row.told.get("marks"):
            return row.verdict
        key = (row.route, row.window, row.told.get("build", ""))
        if key not in judged:
            judged[key] = await self._views.of_window(*key)
        return _now(row, _states(judged[key]))


def _states(judged: Judged | None) -> dict[str, FieldState]:
    return {} if judged is None else {one.field: one.state for one in judged.judgement.fields}


def _entries(row: PairHead) -> list[tuple[str, str]]:
    return [(str(field), str(mark)) for field, mark in row.told.get("marks", ())]


def _now(row: PairHead, known: dict[str, FieldState]) -> str:
    """The verdict by what is known now; as it was told where its fields are not known."""
    entries = _entries(row)
    if not entries or any(field not in known for field, _ in entries):
        return row.verdict
    return outcome_of(tuple(entries), known)[0]


def _found(entries: Iterable[tuple[str, str]], known: dict[str, FieldState]) -> list[FoundOut]:
    rows = []
    for field, letter in entries:
        state, mark = known.get(field), Mark(letter)
        path, _, kind = field.rpartition("|")
        outcome = None if state is None else state.outcome(mark)
        rows.append(
            FoundOut(
                field=field,
                path=path,
                kind=kind.partition("~")[0],
                found=MARKS[mark],
                counts=outcome == "counts",
                outcome="" if outcome is None else OUTCOMES[outcome],
                form="" if state is None or state.form is None else in_words(state.form),
            )
        )
    return sorted(rows, key=lambda row: not row.counts)


def _summary(row: PairHead, verdict: str) -> ExampleSummary:
    return ExampleSummary.model_validate(
        {
            "id": row.id,
            "at_ms": row.at_ms,
            "route": row.route,
            "window": row.window,
            "revision": row.revision,
            "instance": row.instance,
            "signature": row.signature,
            "served": row.served,
            "size": row.size,
            **row.told,
            "verdict": verdict,
            "told": row.verdict,
        }
    )


def summaries(rows: Sequence[PairHead]) -> list[ExampleSummary]:
    """Pairs of a list, with their verdicts as they were told."""
    return [_summary(row, row.verdict) for row in rows]


def _replayed(row: replays.ItemRecord) -> ReplayedOut:
    said = ReplayedAnswer.model_validate_json(row.document)
    return ReplayedOut(
        replay=row.replay,
        at_ms=row.at_ms,
        was=row.was,
        verdict=row.verdict,
        reason=said.reason,
        differences=said.differences,
        new=said.new,
    )
