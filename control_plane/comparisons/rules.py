"""Comparison rules and words on noise, as changes of a route: a revision, audited, undoable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from control_plane.comparisons.schemas_rules import OverruleIn, RuleIn
from control_plane.comparisons.store import digest
from control_plane.http.preconditions import check_match
from control_plane.http.problems import conflict, invalid, not_found
from control_plane.publishing.service import Make
from control_plane.publishing.state import Snapshot, TableState
from figway.compare.rules import RuleError, check_rule
from figway.model.change import Change, Kind
from figway.model.comparison import ComparisonPolicy, ComparisonRule, NoiseOverrule
from figway.model.table import Route


def spec(body: RuleIn) -> ComparisonRule:
    """The rule that was sent, checked; with an id. Raises `ApiProblem` 422."""
    values = body.model_dump(exclude={"id", "pairs"})
    pairs = tuple((left, right) for left, right in body.pairs)
    found = ComparisonRule(id=body.id or _name(body), pairs=pairs, **values)
    try:
        check_rule(found)
    except RuleError as error:
        raise invalid(
            "rule", str(error), "see docs/concepts/shadow.md for the kinds and their parameters"
        ) from None
    return found


def _name(body: RuleIn) -> str:
    parameters = body.model_dump_json(exclude={"id", "note"})
    return f"{body.kind.value.replace('_', '-')}-{digest(parameters)[:8]}"


def add(state: TableState, route_id: str, rule: ComparisonRule, if_match: str) -> Make:
    """Write a rule."""

    def edit(policy: ComparisonPolicy) -> ComparisonPolicy:
        for known in policy.rules:
            if known.id == rule.id and known != rule:
                raise conflict(f"route {route_id!r} has another rule {rule.id!r}", "exists_already")
            if known.id == rule.id:
                return policy
        return replace(policy, rules=(*policy.rules, rule))

    return _edited(state, route_id, if_match, edit)


def remove(state: TableState, route_id: str, rule_id: str, if_match: str) -> Make:
    """Take a rule away."""

    def edit(policy: ComparisonPolicy) -> ComparisonPolicy:
        left = tuple(rule for rule in policy.rules if rule.id != rule_id)
        if len(left) == len(policy.rules):
            raise not_found(f"comparison rule of route {route_id!r} named", rule_id)
        return replace(policy, rules=left)

    return _edited(state, route_id, if_match, edit)


def overrule(state: TableState, route_id: str, body: OverruleIn, if_match: str) -> Make:
    """Say whether a field is noise, or leave it to what was learned."""

    def edit(policy: ComparisonPolicy) -> ComparisonPolicy:
        left = tuple(item for item in policy.noise_overrules if item.field != body.field)
        if body.word is not None:
            left = (*left, NoiseOverrule(field=body.field, word=body.word))
        return replace(policy, noise_overrules=left)

    return _edited(state, route_id, if_match, edit)


def compare_header(state: TableState, route_id: str, name: str, if_match: str) -> Make:
    """Have a header compared that is not compared otherwise. Raises `ApiProblem` 422."""
    lower = name.strip().lower()
    if not lower:
        raise invalid("name", "name a header")

    def edit(policy: ComparisonPolicy) -> ComparisonPolicy:
        if lower in policy.headers:
            return policy
        return replace(policy, headers=(*policy.headers, lower))

    return _edited(state, route_id, if_match, edit)


def restart(state: TableState, route_id: str, if_match: str) -> Make:
    """Begin the evidence of a route anew, though nothing else has changed. To be published as a
    change that dates itself (`back`)."""

    def make(snapshot: Snapshot) -> list[Change]:
        route = route_of(snapshot, route_id)
        check_match(if_match, f"route {route_id!r}", state.etag(Kind.ROUTE, route))
        anew = replace(route, evidence_since=snapshot.revision + 1)
        return [Change(Kind.ROUTE, route_id, anew)]

    return make


def _edited(
    state: TableState,
    route_id: str,
    if_match: str,
    edit: Callable[[ComparisonPolicy], ComparisonPolicy],
) -> Make:
    def make(snapshot: Snapshot) -> list[Change]:
        route = route_of(snapshot, route_id)
        check_match(if_match, f"route {route_id!r}", state.etag(Kind.ROUTE, route))
        return [Change(Kind.ROUTE, route_id, replace(route, comparison=edit(route.comparison)))]

    return make


def route_of(snapshot: Snapshot, route_id: str) -> Route:
    """A route of the table. Raises `ApiProblem` 404."""
    route = snapshot.table.routes.get(route_id)
    if route is None:
        raise not_found("route", route_id)
    return route
