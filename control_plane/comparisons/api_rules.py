"""Comparison rules over HTTP: try them on what is stored, write them, take them away."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter

from control_plane.auth.access import Viewer
from control_plane.comparisons import rules
from control_plane.comparisons.schemas_rules import (
    ComparedHeaderIn,
    OverruleIn,
    PreviewIn,
    PreviewOut,
    RuleIn,
)
from control_plane.http.problems import COMMON, EDIT, documented, invalid
from control_plane.publishing.changed import Changed
from control_plane.publishing.edit import Editing
from control_plane.services import Svc
from figway.model.change import Kind
from figway.model.comparison import ComparisonRule

router = APIRouter(tags=["comparisons"], responses=documented(*COMMON))
_EDIT = documented(*EDIT)


@router.get("/routes/{route_id}/rules", responses=documented(404))
async def list_rules(route_id: str, _: Viewer, services: Svc) -> list[ComparisonRule]:
    """The comparison rules of a route; 500 at most."""
    return list(rules.route_of(services.state.current, route_id).comparison.rules)


@router.post("/routes/{route_id}/rules/preview", responses=documented(404, 409))
async def preview_rules(route_id: str, body: PreviewIn, _: Viewer, services: Svc) -> PreviewOut:
    """What rules, or the lack of some, would do to the stored examples. Nothing is changed.

    Each pair is compared again with and without them: the stored text, so that a difference that
    redaction took away, or one of charsets, is not seen. Ends after five seconds with what it has.
    """
    return await services.comparisons.previews.preview(route_id, body)


@router.post("/routes/{route_id}/rules", status_code=201, responses=_EDIT)
async def add_rule(route_id: str, body: RuleIn, edit: Editing) -> Changed:
    """Write a comparison rule into a route: a revision. A rule of kind `ignore` covers what was
    counted before as well; any other starts a new evidence window."""
    make = rules.add(edit.state, route_id, rules.spec(body), edit.if_match)
    edit = replace(edit, reason=edit.reason or body.note)
    return await edit.publish_item("rule.add", Kind.ROUTE, route_id, make)


@router.delete("/routes/{route_id}/rules/{rule_id:path}", responses=_EDIT)
async def remove_rule(route_id: str, rule_id: str, edit: Editing) -> Changed:
    """Take a comparison rule out of a route."""
    make = rules.remove(edit.state, route_id, rule_id, edit.if_match)
    return await edit.publish_item("rule.remove", Kind.ROUTE, route_id, make)


@router.post("/routes/{route_id}/noise", responses=_EDIT)
async def overrule_noise(route_id: str, body: OverruleIn, edit: Editing) -> Changed:
    """Say that a field is noise, or that it is not, whatever was learned; null takes it back."""
    make = rules.overrule(edit.state, route_id, body, edit.if_match)
    return await edit.publish_item("noise.overrule", Kind.ROUTE, route_id, make)


@router.post("/routes/{route_id}/compared-headers", status_code=201, responses=_EDIT)
async def compare_header(route_id: str, body: ComparedHeaderIn, edit: Editing) -> Changed:
    """Have a header of answers compared that is not compared otherwise."""
    make = rules.compare_header(edit.state, route_id, body.name, edit.if_match)
    return await edit.publish_item("header.compare", Kind.ROUTE, route_id, make)


@router.post("/routes/{route_id}/evidence/restart", responses=_EDIT)
async def restart_evidence(route_id: str, edit: Editing) -> Changed:
    """Begin the evidence of a route anew: a revision that changes nothing else. For a fix of new
    that names no build. The reason is required."""
    if not edit.reason.strip():
        raise invalid("reason", "say why the evidence begins anew", "give ?reason=")
    make = rules.restart(edit.state, route_id, edit.if_match)
    return await edit.publish(
        "evidence.restart", f"route {route_id}", make, item=(Kind.ROUTE, route_id), back=True
    )
