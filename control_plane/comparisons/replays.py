"""Stored requests sent once more, to both sides: jobs in the database, which proxies fetch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

from sqlalchemy import and_, case, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.comparisons.batches import ReplayedAnswer
from control_plane.comparisons.records import PairHead, Record
from control_plane.comparisons.schemas_replays import (
    JobExample,
    JobOut,
    ReplayItemOut,
    ReplayOut,
    ResultIn,
)
from control_plane.db.models import ExampleRow, ReplayItemRow, ReplayRow
from figway.message.http import is_read

LEASE_MS = 60_000
"""A proxy that is silent for so long about a job loses it to another."""
EXPIRE_MS = 3_600_000
NOT_REPLAYABLE = "not_replayable"
ASKED = 2
"""Times that each side is asked for one pair at most: what differs is looked at again."""
_SENT = "sent"
PRIVATE = "private"
"""Status of a job with headers that only the control plane that took the order holds."""
_OPEN = ("waiting", "running", PRIVATE)
_MOST_JOBS = 5
_MOST_AT_ONCE = 25  # so that results are seen as they come
_MOST_BYTES = 8_000_000


Status = Literal["waiting", "running", "done", "expired"]


@dataclass(frozen=True, slots=True)
class ReplayRecord(Record):
    """A job."""

    number: int
    id: str
    route: str
    actor: str
    created_ms: int
    status: str
    instance: str
    leased_ms: int
    finished_ms: int | None

    @property
    def shown(self) -> Status:
        """The status as people know it."""
        if self.status == PRIVATE:
            return "running" if self.instance else "waiting"
        return cast(Status, self.status)


@dataclass(frozen=True, slots=True)
class ItemRecord(Record):
    """One stored pair of a job."""

    replay: str
    example: str
    was: str
    verdict: str
    at_ms: int
    document: str


class _Count(NamedTuple):
    was: str
    verdict: str
    n: int


async def create(
    connection: AsyncConnection,
    replay: str,
    rows: Sequence[PairHead],
    *,
    route: str,
    actor: str,
    now: int,
    private: bool = False,
    reads: tuple[str, ...] = (),
) -> None:
    """Store a job. What may not be repeated is answered at once."""
    unsafe = {row.id for row in rows if not is_read(row.method, reads)}
    done = len(unsafe) == len(rows)
    await connection.execute(
        insert(ReplayRow).values(
            id=replay,
            route=route,
            actor=actor[:200],
            created_ms=now,
            status="done" if done else PRIVATE if private else "waiting",
            instance="",
            leased_ms=0,
            finished_ms=now if done else None,
        )
    )
    reason = json.dumps({"reason": "unsafe_method"})
    await connection.execute(
        insert(ReplayItemRow),
        [
            {
                "replay": replay,
                "example": row.id,
                "was": row.verdict,
                "verdict": NOT_REPLAYABLE if row.id in unsafe else "",
                "at_ms": now if row.id in unsafe else 0,
                "document": reason if row.id in unsafe else "{}",
            }
            for row in rows
        ],
    )


# -- for proxies -------------------------------------------------------------------------------


async def free(connection: AsyncConnection, now: int, private: Sequence[str] = ()) -> list[str]:
    """Jobs that nobody works on; of the private ones those that are named."""
    ours = or_(ReplayRow.status != PRIVATE, ReplayRow.id.in_(private))
    query = select(ReplayRow.id).where(_unleased(now), ours).order_by(ReplayRow.number)
    return list((await connection.execute(query.limit(_MOST_JOBS))).scalars())


def _unleased(now: int) -> Any:
    fresh = ReplayRow.created_ms > now - EXPIRE_MS
    return and_(ReplayRow.status.in_(_OPEN), ReplayRow.leased_ms < now, fresh)


async def take(connection: AsyncConnection, replay: str, instance: str, now: int) -> JobOut | None:
    """Lease a job to a proxy; None when another was faster, or nothing is left of it."""
    taken = await connection.execute(
        update(ReplayRow)
        .where(ReplayRow.id == replay, _unleased(now))
        .values(
            instance=instance,
            leased_ms=now + LEASE_MS,
            status=case((ReplayRow.status == PRIVATE, PRIVATE), else_="running"),
        )
        .returning(ReplayRow.route)
    )
    job = taken.one_or_none()
    if job is None:
        return None
    chosen = await _unanswered(connection, replay)
    await _lose(connection, replay, [example for example, document in chosen if not document], now)
    found: list[JobExample] = []
    size = 0
    for example, document in chosen:
        if not document:
            continue
        size += len(document)
        if found and (size > _MOST_BYTES or len(found) == _MOST_AT_ONCE):
            break
        stored = json.loads(document)
        found.append(JobExample(id=example, request=stored["request"], legacy=stored["legacy"]))
    if not found:
        await _finish(connection, replay, now)
        return None
    await connection.execute(
        update(ReplayItemRow)
        .where(
            ReplayItemRow.replay == replay,
            ReplayItemRow.example.in_([entry.id for entry in found]),
        )
        .values(verdict=_SENT)
    )
    return JobOut(id=replay, route=job.route, examples=found)


async def _unanswered(connection: AsyncConnection, replay: str) -> list[tuple[str, str | None]]:
    query = (
        select(ReplayItemRow.example, ExampleRow.document)
        .outerjoin(ExampleRow, ExampleRow.id == ReplayItemRow.example)
        .where(ReplayItemRow.replay == replay, ReplayItemRow.verdict.in_(("", _SENT)))
        .order_by(ReplayItemRow.example)
    )
    return [(row.example, row.document) for row in (await connection.execute(query)).all()]


async def _lose(
    connection: AsyncConnection, replay: str, examples: Sequence[str], now: int
) -> None:
    """The examples were dropped meanwhile."""
    if examples:
        await connection.execute(
            update(ReplayItemRow)
            .where(ReplayItemRow.replay == replay, ReplayItemRow.example.in_(examples))
            .values(
                verdict=NOT_REPLAYABLE,
                at_ms=now,
                document=json.dumps({"reason": "example_no_longer_kept"}),
            )
        )


async def answer(
    connection: AsyncConnection, replay: str, results: Sequence[ResultIn], now: int
) -> int:
    """Keep results; how many were new. What was answered before stays as it is."""
    accepted = 0
    for result in results:
        document = result.model_dump(mode="json", exclude={"example", "verdict"})
        kept = await connection.execute(
            update(ReplayItemRow)
            .where(
                ReplayItemRow.replay == replay,
                ReplayItemRow.example == result.example,
                ReplayItemRow.verdict.in_(("", _SENT)),
            )
            .values(
                verdict=result.verdict,
                at_ms=now,
                document=json.dumps(document, ensure_ascii=False),
            )
        )
        accepted += kept.rowcount
    # The rest of a large job is handed out as soon as what was handed out is answered.
    sent = _items(replay, ReplayItemRow.verdict == _SENT)
    lease = now + LEASE_MS if (await connection.execute(sent)).scalar_one() else 0
    await connection.execute(
        update(ReplayRow)
        .where(ReplayRow.id == replay, ReplayRow.status.in_(_OPEN))
        .values(leased_ms=lease)
    )
    await _finish(connection, replay, now)
    return accepted


def _items(replay: str, condition: Any) -> Any:
    return (
        select(func.count())
        .select_from(ReplayItemRow)
        .where(ReplayItemRow.replay == replay, condition)
    )


async def _finish(connection: AsyncConnection, replay: str, now: int) -> None:
    left = _items(replay, ReplayItemRow.verdict.in_(("", _SENT)))
    if (await connection.execute(left)).scalar_one() == 0:
        await connection.execute(
            update(ReplayRow)
            .where(ReplayRow.id == replay, ReplayRow.status.in_(_OPEN))
            .values(status="done", finished_ms=now)
        )


# -- for people --------------------------------------------------------------------------------


async def one(connection: AsyncConnection, replay: str) -> ReplayRecord | None:
    """One job."""
    query = select(ReplayRow.__table__).where(ReplayRow.id == replay)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else ReplayRecord.of(row)


async def page(
    connection: AsyncConnection, route: str, before: int | None, limit: int
) -> list[ReplayRecord]:
    """Jobs, newest first."""
    query = select(ReplayRow.__table__).order_by(ReplayRow.number.desc()).limit(limit)
    if route:
        query = query.where(ReplayRow.route == route)
    if before is not None:
        query = query.where(ReplayRow.number < before)
    return list(map(ReplayRecord.of, (await connection.execute(query)).all()))


async def shown(
    connection: AsyncConnection, rows: Sequence[ReplayRecord], now: int
) -> list[ReplayOut]:
    """Jobs with how far they are."""
    query = (
        select(
            ReplayItemRow.replay, ReplayItemRow.was, ReplayItemRow.verdict, func.count().label("n")
        )
        .where(ReplayItemRow.replay.in_([row.id for row in rows]))
        .group_by(ReplayItemRow.replay, ReplayItemRow.was, ReplayItemRow.verdict)
    )
    counts: dict[str, list[_Count]] = {}
    for replay, was, verdict, number in (await connection.execute(query)).all():
        counts.setdefault(replay, []).append(_Count(was, verdict, number))
    return [_shown(row, counts.get(row.id, []), now) for row in rows]


def _shown(row: ReplayRecord, counts: list[_Count], now: int) -> ReplayOut:
    done = [entry for entry in counts if entry.verdict not in ("", _SENT)]
    judged = [entry for entry in done if entry.verdict != NOT_REPLAYABLE]
    status: Status = row.shown
    if row.status in _OPEN and row.created_ms <= now - EXPIRE_MS:
        status = "expired"
    return ReplayOut(
        id=row.id,
        route=row.route,
        status=status,
        actor=row.actor,
        created_ms=row.created_ms,
        finished_ms=row.finished_ms,
        instance=row.instance,
        total=sum(entry.n for entry in counts),
        legacy_requests=ASKED * (sum(entry.n for entry in counts) - _unsafe(counts)),
        done=sum(entry.n for entry in done),
        gone=sum(e.n for e in judged if e.was != "match" and e.verdict == "match"),
        still=sum(e.n for e in judged if e.verdict != "match"),
        not_replayable=sum(e.n for e in done if e.verdict == NOT_REPLAYABLE),
    )


def _unsafe(counts: list[_Count]) -> int:
    return sum(entry.n for entry in counts if entry.verdict == NOT_REPLAYABLE)


async def items(
    connection: AsyncConnection, replay: str, after: str, verdict: str, limit: int
) -> list[ItemRecord]:
    """The examples of a job, by id."""
    query = select(ReplayItemRow.__table__).where(
        ReplayItemRow.replay == replay, ReplayItemRow.example > after
    )
    if verdict:
        query = query.where(ReplayItemRow.verdict == verdict)
    rows = await connection.execute(query.order_by(ReplayItemRow.example).limit(limit))
    return list(map(ItemRecord.of, rows.all()))


def item_out(row: ItemRecord) -> ReplayItemOut:
    """One stored pair of a job as the API shows it."""
    said = ReplayedAnswer.model_validate_json(row.document)
    return ReplayItemOut(
        example=row.example,
        was=row.was,
        verdict=row.verdict if row.verdict not in ("", _SENT) else None,
        at_ms=row.at_ms,
        reason=said.reason,
        differences=said.differences,
    )


async def of_example(connection: AsyncConnection, example: str, limit: int) -> list[ItemRecord]:
    """What replays said of an example, newest first."""
    query = (
        select(ReplayItemRow.__table__)
        .where(
            ReplayItemRow.example == example,
            ReplayItemRow.verdict.not_in(("", _SENT)),
        )
        .order_by(ReplayItemRow.at_ms.desc())
        .limit(limit)
    )
    return list(map(ItemRecord.of, (await connection.execute(query)).all()))


async def trim(connection: AsyncConnection, before_ms: int, expired_before: int) -> None:
    """Give up what nobody answered, and delete what is old."""
    await connection.execute(
        update(ReplayRow)
        .where(ReplayRow.status.in_(_OPEN), ReplayRow.created_ms < expired_before)
        .values(status="expired")
    )
    old = select(ReplayRow.id).where(
        or_(ReplayRow.created_ms < before_ms, ReplayRow.finished_ms < before_ms)
    )
    await connection.execute(delete(ReplayItemRow).where(ReplayItemRow.replay.in_(old)))
    await connection.execute(delete(ReplayRow).where(ReplayRow.created_ms < before_ms))
