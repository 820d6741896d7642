"""Making, editing and deleting backends, capabilities and routes; the list of the first two."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Query, Response

from control_plane.console import item_forms
from control_plane.console.access import Operating, Viewing, Visit
from control_plane.console.pages.flips import spread
from control_plane.http.problems import ApiProblem, invalid, not_found
from control_plane.publishing.changed import Changed
from control_plane.publishing.state import StoredItem
from control_plane.routes import service
from control_plane.traffic.inventory import match_of, suggested_id
from figway.model.change import Kind
from figway.model.codec import CodecError, from_data
from figway.model.table import Route
from figway.operation.label import OperationLabel

router = APIRouter()
Items = Literal["routes", "backends", "capabilities"]
KINDS = {"routes": Kind.ROUTE, "backends": Kind.BACKEND, "capabilities": Kind.CAPABILITY}


@router.get("/backends")
async def show(visit: Viewing) -> Response:
    """Backends and capabilities, with the routes that need them."""
    table = visit.services.state.current.table
    users: dict[tuple[str, str], list[str]] = {}
    for route in table.routes.values():
        for name, item_id in (
            ("backend", route.new), ("backend", table.legacy_of(route)),
            ("capability", route.capability),
        ):  # fmt: skip
            if item_id:
                users.setdefault((name, item_id), []).append(route.id)
    return await visit.page(
        "backends.html",
        backends=[table.backends[name] for name in sorted(table.backends)],
        capabilities=[table.capabilities[name] for name in sorted(table.capabilities)],
        default=table.default_backend,
        users=users,
    )


@router.get("/new/{items}")
async def ask_new(
    items: Items,
    visit: Viewing,
    place: str = "",
    kind: str = "",
    field: str = "",
    type_: Annotated[str, Query(alias="type")] = "",
    name: str = "",
) -> Response:
    """An empty form; or one for the route of an operation, as the list of operations names it."""
    values = _shown(visit, items, None)
    if items == "routes" and place and name:
        values = _of_operation(visit, place, OperationLabel(kind, field, type_, name))
    return await _form(visit, items, "", "", values)


def _of_operation(visit: Visit, place: str, label: OperationLabel) -> dict[str, str]:
    table = visit.services.state.current.table
    match = match_of(table, place[:2_000], label)
    if match is None:
        raise invalid("name", "this stands for no single operation")
    route_id = suggested_id(label, table.routes)
    try:
        route = from_data(Route, {"id": route_id, "match": match, "stage": "legacy"})
    except CodecError as error:
        raise invalid(error.path, error.message) from None
    return {**item_forms.shown(Kind.ROUTE, table, route), "id": route_id}


@router.post("/new/{items}")
async def create(items: Items, visit: Operating) -> Response:
    """Create what the form describes."""
    kind, item_id = KINDS[items], visit.form.get("id", "").strip()
    try:
        reason = visit.reason()
        if not item_id:
            raise invalid("id", "give it a name: lower case letters, digits, `-`, `_` and `.`")
        item = item_forms.wanted(kind, visit.services.state.current.table, item_id, visit.form)
        changed = await service.create(visit.edit("", reason), kind, item)
    except ApiProblem as error:
        return await _form(visit, items, "", "", visit.form, error)
    return await _saved(visit, changed, f"Created {kind.value} {item_id}")


@router.get("/edit/{items}/{item_id}")
async def ask(items: Items, item_id: str, visit: Viewing) -> Response:
    """A form that holds the item as it is."""
    stored = _found(visit, items, item_id)
    return await _form(visit, items, item_id, stored.etag, _shown(visit, items, stored))


@router.post("/edit/{items}/{item_id}")
async def change(items: Items, item_id: str, visit: Operating) -> Response:
    """Change the item into what the form describes."""
    kind, etag = KINDS[items], visit.form.get("etag", "")
    stored = _found(visit, items, item_id)
    try:
        reason = visit.reason()
        table = visit.services.state.current.table
        item = item_forms.wanted(kind, table, item_id, visit.form)
        patch = item_forms.difference(stored.item, item)
        # One of three classes; which one does not matter to who merges fields.
        cls = cast("type[Route]", item_forms.CLASSES[kind])
        changed = await service.patch(visit.edit(etag, reason), kind, cls, item_id, patch)
        if not changed.changed:
            raise ApiProblem(409, "nothing_differs", "Nothing differs", "so nothing was saved")
    except ApiProblem as error:
        return await _form(visit, items, item_id, etag, visit.form, error)
    return await _saved(visit, changed, f"Changed {kind.value} {item_id}")


@router.post("/edit/{items}/{item_id}/delete")
async def delete(items: Items, item_id: str, visit: Operating) -> Response:
    """Delete the item."""
    kind, etag = KINDS[items], visit.form.get("etag", "")
    stored = _found(visit, items, item_id)
    try:
        changed = await service.delete(visit.edit(etag, visit.reason()), kind, item_id)
    except ApiProblem as error:
        values = _shown(visit, items, stored)
        return await _form(visit, items, item_id, etag, values, error, deleting=True)
    return await _saved(visit, changed, f"Deleted {kind.value} {item_id}")


def _found(visit: Visit, items: Items, item_id: str) -> StoredItem:
    stored = visit.services.state.stored(KINDS[items], item_id)
    if stored is None:
        raise not_found(KINDS[items].value, item_id)
    return stored


def _shown(visit: Visit, items: Items, stored: StoredItem | None) -> dict[str, str]:
    table = visit.services.state.current.table
    return item_forms.shown(KINDS[items], table, stored.item if stored else None)


async def _saved(visit: Visit, changed: Changed, heading: str) -> Response:
    """What became of it, with what the validator warns of."""
    return await spread(visit, changed.revision, heading=heading, warnings=changed.warnings)


async def _form(
    visit: Visit,
    items: Items,
    item_id: str,
    etag: str,
    values: dict[str, str],
    problem: ApiProblem | None = None,
    *,
    deleting: bool = False,
) -> Response:
    """The form, with what was typed and what stands in its way."""
    kind = KINDS[items]
    context: dict[str, Any] = {
        "items": items,
        "noun": kind.value,
        "item_id": item_id,
        "etag": etag,
        "values": values,
        "reason": visit.form.get("reason", ""),
        "groups": item_forms.groups(kind, visit.services.state.current.table),
        "problem": problem,
        "deleting": deleting,
    }
    return await visit.page("item.html", problem.status if problem else 200, **context)
