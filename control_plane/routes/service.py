"""Edits of items, and what they become: changes, once their preconditions hold.

The `*_make` functions make a `Make` for the publisher, which runs it against the table that the
change will be applied to; so a precondition is checked again when another control plane was faster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

from control_plane.http.preconditions import check_match
from control_plane.http.problems import FindingOut, conflict, invalid, not_found, refused
from control_plane.publishing.changed import Changed
from control_plane.publishing.edit import Edit
from control_plane.publishing.service import Make
from control_plane.publishing.state import Snapshot, TableState
from control_plane.routes.schemas import BreakerForceIn, FlipIn
from figway.model import change
from figway.model.backend import Backend
from figway.model.change import Change, Kind
from figway.model.codec import CodecError, Item, from_data, to_data
from figway.model.table import Capability, Route, Table
from figway.model.words import Side

T = TypeVar("T", Backend, Capability, Route)


def put_make(state: TableState, kind: Kind, item_id: str, item: Item, if_match: str) -> Make:
    """Create an item, or replace it under If-Match."""
    if item.id != item_id:
        raise invalid("id", f"{item.id!r} is not the id of the address, {item_id!r}")

    def make(snapshot: Snapshot) -> list[Change]:
        _check(state, snapshot, kind, item_id, if_match)
        return _with_default(snapshot, Change(kind, item_id, item))

    return make


def create_make(kind: Kind, item: Item) -> Make:
    """Create an item that must not be there yet."""

    def make(snapshot: Snapshot) -> list[Change]:
        if change.get(snapshot.table, kind, item.id) is not None:
            raise conflict(f"{kind.value} {item.id!r} exists already", "exists_already")
        return _with_default(snapshot, Change(kind, item.id, item))

    return make


def patch_make(
    state: TableState, kind: Kind, cls: type[T], item_id: str, patch: dict[str, Any], if_match: str
) -> Make:
    """Merge a patch into an item (RFC 7396); null puts a field back to its default."""

    def make(snapshot: Snapshot) -> list[Change]:
        known = _check(state, snapshot, kind, item_id, if_match, must_exist=True)
        try:
            item = from_data(cls, _merged(to_data(known), patch))
        except CodecError as error:
            raise invalid(error.path, error.message) from None
        if item.id != item_id:
            raise invalid("$.id", "an id cannot be changed; create another and delete this one")
        return [Change(kind, item_id, item)]

    return make


def delete_make(state: TableState, kind: Kind, item_id: str, if_match: str) -> Make:
    """Delete an item."""

    def make(snapshot: Snapshot) -> list[Change]:
        _check(state, snapshot, kind, item_id, if_match, must_exist=True)
        _not_in_use(snapshot.table, kind, item_id)
        return [Change(kind, item_id, None)]

    return make


def _not_in_use(table: Table, kind: Kind, item_id: str) -> None:
    """Raises `ApiProblem` that names who uses an item that is to be deleted."""
    what = f"{kind.value} {item_id}"
    if kind is Kind.BACKEND and item_id == table.default_backend:
        resolution = "Name another default backend first, in the table document: figway apply."
        raise refused([_in_use(what, "everything that no route matches", resolution)], _IN_USE)
    routes = [
        route.id
        for route in table.routes.values()
        if (kind is Kind.BACKEND and item_id in (route.new, route.legacy))
        or (kind is Kind.CAPABILITY and item_id == route.capability)
    ]
    if routes:
        more = f" and {len(routes) - 5} more" if len(routes) > 5 else ""
        users = f"route{'s' * (len(routes) > 1)} {', '.join(routes[:5])}{more}"
        resolution = (
            "Give them another one, or delete them first: `figway routes set`, `figway routes rm`."
        )
        raise refused([_in_use(what, users, resolution)], _IN_USE)


_IN_USE = "It is in use"


def _in_use(what: str, users: str, resolution: str) -> FindingOut:
    return FindingOut(
        code="in_use", severity="error", path=what, message=f"used by {users}",
        resolution=resolution,
    )  # fmt: skip


def flip_make(state: TableState, route_id: str, body: FlipIn, if_match: str) -> Make:
    """Flip one route."""
    _needs_a_move(body)

    def make(snapshot: Snapshot) -> list[Change]:
        known = _check(state, snapshot, Kind.ROUTE, route_id, if_match, must_exist=True)
        return [_flipped(cast(Route, known), body)]

    return make


def flip_capability_make(capability_id: str, body: FlipIn, if_match: str) -> Make:
    """Flip every route of a capability at once, or none. If-Match is of the table."""
    _needs_a_move(body)

    def make(snapshot: Snapshot) -> list[Change]:
        check_match(if_match, "the table", snapshot.etag)
        if capability_id not in snapshot.table.capabilities:
            raise not_found("capability", capability_id)
        routes = [r for r in snapshot.table.routes.values() if r.capability == capability_id]
        if not routes:
            raise conflict(f"no route belongs to capability {capability_id!r}", "no_routes")
        return [_flipped(route, body) for route in routes]

    return make


def force_breaker_make(
    state: TableState, route_id: str, body: BreakerForceIn, if_match: str
) -> Make:
    """Override the breaker of a route. If-Match may be left out: this is for emergencies."""

    def make(snapshot: Snapshot) -> list[Change]:
        known = _check(state, snapshot, Kind.ROUTE, route_id, if_match or "*", must_exist=True)
        route = cast(Route, known)
        forced = replace(route, breaker=replace(route.breaker, force=body.force))
        return [Change(Kind.ROUTE, route_id, forced)]

    return make


async def create(edit: Edit, kind: Kind, item: Item) -> Changed:
    """Create an item. Raises `ApiProblem`: 409 if there is one of this id."""
    return await _publish(edit, "create", kind, item.id, create_make(kind, item))


async def put(edit: Edit, kind: Kind, item_id: str, item: Item) -> Changed:
    """Create an item, or replace the one that is there under If-Match."""
    make = put_make(edit.state, kind, item_id, item, edit.if_match)
    return await _publish(edit, "put", kind, item_id, make)


async def patch(
    edit: Edit, kind: Kind, cls: type[T], item_id: str, fields: dict[str, Any]
) -> Changed:
    """Merge some fields into an item (RFC 7396)."""
    make = patch_make(edit.state, kind, cls, item_id, fields, edit.if_match)
    return await _publish(edit, "patch", kind, item_id, make)


async def delete(edit: Edit, kind: Kind, item_id: str) -> Changed:
    """Delete an item."""
    make = delete_make(edit.state, kind, item_id, edit.if_match)
    return await _publish(edit, "delete", kind, item_id, make)


async def flip(edit: Edit, route_id: str, body: FlipIn) -> Changed:
    """Put a route into another stage, or give it another weight."""
    make = flip_make(edit.state, route_id, body, edit.if_match)
    return await _publish(edit.because(body.reason), "flip", Kind.ROUTE, route_id, make)


async def flip_capability(edit: Edit, capability_id: str, body: FlipIn) -> Changed:
    """Flip every route of a capability at once, or none. If-Match is the table's ETag."""
    make = flip_capability_make(capability_id, body, edit.if_match)
    subject = f"capability {capability_id}"
    return await edit.because(body.reason).publish("capability.flip", subject, make)


async def force_breaker(edit: Edit, route_id: str, body: BreakerForceIn) -> Changed:
    """Override the breaker of a route."""
    make = force_breaker_make(edit.state, route_id, body, edit.if_match)
    return await _publish(edit.because(body.reason), "breaker", Kind.ROUTE, route_id, make)


async def _publish(edit: Edit, verb: str, kind: Kind, item_id: str, make: Make) -> Changed:
    return await edit.publish_item(f"{kind.value}.{verb}", kind, item_id, make)


def matching(*, q: str, stage: str, capability: str, backend: str) -> Callable[[Route], bool]:
    """A filter of routes; an empty argument lets everything pass."""
    wanted = q.lower()

    def matches(route: Route) -> bool:
        return (
            (not wanted or wanted in f"{route.id} {route.match.path} {route.description}".lower())
            and (not stage or route.stage == stage)
            and (not capability or route.capability == capability)
            and (not backend or backend in (route.new, route.legacy))
        )

    return matches


def _check(
    state: TableState,
    snapshot: Snapshot,
    kind: Kind,
    item_id: str,
    if_match: str,
    *,
    must_exist: bool = False,
) -> Item | None:
    known = cast("Item | None", change.get(snapshot.table, kind, item_id))
    if known is None and must_exist:
        raise not_found(kind.value, item_id)
    etag = None if known is None else state.etag(kind, known)
    check_match(if_match, f"{kind.value} {item_id!r}", etag)
    return known


def _with_default(snapshot: Snapshot, entry: Change) -> list[Change]:
    """The first legacy backend becomes the table's default: without one nothing could be served."""
    found = [entry]
    backend = entry.value
    if (
        isinstance(backend, Backend)
        and backend.side is Side.LEGACY
        and not snapshot.table.default_backend
    ):
        found.append(Change(Kind.SETTING, "default_backend", backend.id))
    return found


def _needs_a_move(body: FlipIn) -> None:
    if body.stage is None and body.weight is None:
        raise invalid("stage", "a flip needs a stage, a weight, or both")


def _flipped(route: Route, body: FlipIn) -> Change:
    if (expected := body.expected) is not None:
        for name in ("stage", "weight"):
            wanted, found = getattr(expected, name), getattr(route, name)
            if wanted is not None and wanted != found:
                raise conflict(
                    f"route {route.id!r} has {name} {found}, not {wanted} as expected", "unexpected"
                )
    return Change(Kind.ROUTE, route.id, change.flip(route, body.stage, body.weight))


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = _merged(found.get(name), value)
    return found
