"""Rollouts in the database. A write holds only if nobody wrote since it was read."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.db.engine import Database
from control_plane.db.rollout_models import LeaseRow, RolloutEventRow, RolloutPointRow, RolloutRow
from figway.model.codec import content_hash
from figway.rollout.parsing import parse_plan, plan_to_data
from figway.rollout.plan import RolloutPlan
from figway.rollout.state import (
    ENDED,
    Reason,
    RolloutPhase,
    RolloutState,
    state_from_data,
    state_to_data,
)

_log = logging.getLogger(__name__)
PLANNED = "planned"
"""The phase of a plan that was never started."""
_OVER = (PLANNED, *(phase.value for phase in ENDED))


class Outrun(Exception):
    """Somebody else wrote the rollout first: what was decided here is out of date."""


@dataclass(frozen=True, slots=True)
class StoredRollout:
    """A rollout as it was read. `state` is None before its first start."""

    plan: RolloutPlan
    state: RolloutState | None
    version: int
    phase_ms: int
    created_ms: int
    created_by: str
    look: Mapping[str, Any] = field(default_factory=dict)
    looked_ms: int = 0

    @property
    def phase(self) -> str:
        """The state's phase, or `planned`."""
        return PLANNED if self.state is None else self.state.phase.value

    @property
    def active(self) -> bool:
        """Whether the ticker has to look at it."""
        return self.state is not None and not self.state.ended


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One line of a timeline."""

    rollout: str
    at_ms: int
    kind: str
    phase: str
    waiting_for: str = ""
    step: int = -1
    reasons: tuple[Reason, ...] = ()
    revision: int | None = None
    actor: str = ""
    note: str = ""
    id: int = 0


def plan_hash(plan: RolloutPlan) -> str:
    """Names exactly this plan."""
    return content_hash(orjson.dumps(plan_to_data(plan)).decode())


# -- rollouts ----------------------------------------------------------------------------------


async def read(connection: AsyncConnection, rollout: str) -> StoredRollout | None:
    """One rollout."""
    rows = await connection.execute(select(RolloutRow.__table__).where(RolloutRow.id == rollout))
    row = rows.one_or_none()
    return None if row is None else _stored(row)


async def everything(connection: AsyncConnection, *, active: bool = False) -> list[StoredRollout]:
    """All rollouts by id, only those that move if `active`; one that cannot be read is left out."""
    query = select(RolloutRow.__table__).order_by(RolloutRow.id)
    if active:
        query = query.where(RolloutRow.phase.not_in(_OVER))
    found = [_stored(row) for row in (await connection.execute(query)).all()]
    return [one for one in found if one is not None]


async def active(connection: AsyncConnection) -> tuple[list[StoredRollout], set[str]]:
    """All rollouts that move by id, and the ids of those that cannot be read."""
    query = select(RolloutRow.__table__).where(RolloutRow.phase.not_in(_OVER))
    rows = (await connection.execute(query.order_by(RolloutRow.id))).all()
    found = [one for one in map(_stored, rows) if one is not None]
    return found, {row.id for row in rows} - {one.plan.id for one in found}


def _stored(row: Row[Any]) -> StoredRollout | None:
    """A row; None, and a line in the log, where it cannot be read: written by a later release, or
    by hand. It harms no other rollout."""
    try:
        plan, findings = parse_plan(orjson.loads(row.plan))
        if plan is None:
            raise ValueError(findings[0].message)
        state = state_from_data(orjson.loads(row.state)) if row.state else None
        look = orjson.loads(row.look)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        _log.error("rollout %s cannot be read: %s: %s", row.id, type(error).__name__, error)
        return None
    return StoredRollout(
        plan, state, row.version, row.phase_ms, row.created_ms, row.created_by, look,
        row.looked_ms,
    )  # fmt: skip


async def put_plan(
    database: Database, connection: AsyncConnection, plan: RolloutPlan, actor: str, now: int
) -> None:
    """Keep a plan; where its rollout stands is left alone."""
    columns = {"plan": orjson.dumps(plan_to_data(plan)).decode(), "plan_hash": plan_hash(plan)}
    statement = database.insert(RolloutRow).values(
        id=plan.id, **columns, state="", phase=PLANNED, phase_ms=now, version=1, look="{}",
        looked_ms=0, created_ms=now, created_by=actor[:200],
    )  # fmt: skip
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"], set_={**columns, "version": RolloutRow.version + 1}
        )
    )


async def put_state(
    connection: AsyncConnection,
    stored: StoredRollout,
    state: RolloutState,
    now: int,
    look: Mapping[str, Any] | None = None,
) -> StoredRollout:
    """Keep where a rollout stands. Raises `Outrun` when somebody wrote since it was read."""
    before = stored.state
    stands = before is not None and _stands(before) == _stands(state)
    columns: dict[str, Any] = {
        "state": orjson.dumps(state_to_data(state)).decode(),
        "phase": state.phase.value,
        "phase_ms": stored.phase_ms if stands else now,
        "version": stored.version + 1,
    }
    if look is not None:
        columns |= {"look": orjson.dumps(look).decode(), "looked_ms": now}
    done = await connection.execute(
        update(RolloutRow)
        .where(RolloutRow.id == stored.plan.id, RolloutRow.version == stored.version)
        .values(**columns)
    )
    if not done.rowcount:
        raise Outrun(stored.plan.id)
    return replace(
        stored, state=state, version=stored.version + 1, phase_ms=columns["phase_ms"],
        look=look or stored.look, looked_ms=now if look is not None else stored.looked_ms,
    )  # fmt: skip


def _stands(state: RolloutState) -> tuple[object, ...]:
    return state.phase, state.step, state.waiting_for, state.attempts


async def begin_in_turn(database: Database, connection: AsyncConnection) -> None:
    """Let nobody else begin a rollout until this transaction has ended: whoever comes here next
    waits for it, and sees what it wrote."""
    statement = database.insert(LeaseRow).values(name="rollouts begin", owner="", until_ms=0)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"until_ms": 0})
    )


async def remove(connection: AsyncConnection, stored: StoredRollout) -> bool:
    """Forget a rollout with its timeline; False if somebody wrote since it was read."""
    rollout = stored.plan.id
    same = (RolloutRow.id == rollout, RolloutRow.version == stored.version)
    if not (await connection.execute(delete(RolloutRow).where(*same))).rowcount:
        return False
    await connection.execute(delete(RolloutEventRow).where(RolloutEventRow.rollout == rollout))
    await connection.execute(delete(RolloutPointRow).where(RolloutPointRow.rollout == rollout))
    return True


# -- timeline and points -----------------------------------------------------------------------


async def tell(connection: AsyncConnection, entry: TimelineEntry) -> None:
    """Add a line to a timeline."""
    reasons = [
        {"code": r.code, "text": r.text, "value": r.value, "bound": r.bound, "n": r.n}
        for r in entry.reasons
    ]
    await connection.execute(
        insert(RolloutEventRow).values(
            rollout=entry.rollout, at_ms=entry.at_ms, kind=entry.kind, phase=entry.phase,
            waiting_for=entry.waiting_for, step=entry.step,
            reasons=orjson.dumps(reasons).decode(), revision=entry.revision,
            actor=entry.actor[:200], note=entry.note,
        )
    )  # fmt: skip


async def timeline(
    connection: AsyncConnection, rollout: str, *, before: int | None = None, limit: int = 100
) -> list[TimelineEntry]:
    """A timeline, newest first."""
    query = select(RolloutEventRow.__table__).where(RolloutEventRow.rollout == rollout)
    if before is not None:
        query = query.where(RolloutEventRow.id < before)
    query = query.order_by(RolloutEventRow.id.desc()).limit(limit)
    return [_entry(row) for row in (await connection.execute(query)).all()]


def _entry(row: Row[Any]) -> TimelineEntry:
    reasons = tuple(Reason(**data) for data in orjson.loads(row.reasons))
    fields = {name: getattr(row, name) for name in (
        "id", "rollout", "at_ms", "kind", "phase", "waiting_for", "step", "revision", "actor",
        "note",
    )}  # fmt: skip
    return TimelineEntry(**fields, reasons=reasons)


async def put_point(
    database: Database, connection: AsyncConnection, rollout: str, at_ms: int, document: Any
) -> None:
    """Keep the figures of one moment."""
    statement = database.insert(RolloutPointRow).values(
        rollout=rollout, at_ms=at_ms, document=orjson.dumps(document).decode()
    )
    await connection.execute(statement.on_conflict_do_nothing())


async def points(
    connection: AsyncConnection, rollout: str, since_ms: int
) -> Sequence[tuple[int, Any]]:
    """The figures since then, oldest first."""
    query = (
        select(RolloutPointRow.at_ms, RolloutPointRow.document)
        .where(RolloutPointRow.rollout == rollout, RolloutPointRow.at_ms >= since_ms)
        .order_by(RolloutPointRow.at_ms)
    )
    return [(row.at_ms, orjson.loads(row.document)) for row in await connection.execute(query)]


async def trim(connection: AsyncConnection, points_before: int) -> None:
    """Drop old figures."""
    await connection.execute(delete(RolloutPointRow).where(RolloutPointRow.at_ms < points_before))


async def aborts(connection: AsyncConnection) -> list[tuple[str, str, int]]:
    """How often a guard led back or ended a rollout: (rollout, guard's code, times)."""
    query = (
        select(RolloutEventRow.rollout, RolloutEventRow.reasons)
        .where(
            RolloutEventRow.kind == "tick",
            RolloutEventRow.phase.in_(
                (RolloutPhase.ABORTED.value, RolloutPhase.STEPPING_BACK.value)
            ),
        )
        .order_by(RolloutEventRow.id)
    )
    found: dict[tuple[str, str], int] = {}
    for row in await connection.execute(query):
        reasons = orjson.loads(row.reasons)
        key = (row.rollout, reasons[0]["code"] if reasons else "unknown")
        found[key] = found.get(key, 0) + 1
    return [(rollout, guard, times) for (rollout, guard), times in sorted(found.items())]


async def counts(connection: AsyncConnection) -> dict[str, int]:
    """How many rollouts are in each phase."""
    query = select(RolloutRow.phase, func.count()).group_by(RolloutRow.phase)
    return {row[0]: row[1] for row in await connection.execute(query)}
