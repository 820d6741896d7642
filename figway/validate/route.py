"""What must hold of a route, alone and beside its neighbours."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from itertools import combinations

from figway.message.http import is_read
from figway.model.backend import HANDED_ON, timeouts_of
from figway.model.comparison import PLAIN_COMPARISON
from figway.model.policies import NO_POLICIES
from figway.model.table import (
    Condition,
    ConditionKind,
    FallbackPolicy,
    Route,
    RouteMatch,
    Stage,
    Table,
)
from figway.model.words import WEIGHT_SCALE, Side
from figway.routing import overlap
from figway.routing.pattern import PatternError, never_matches, parse
from figway.routing.spelling import is_guarded
from figway.validate import policies as validate_policies
from figway.validate.caching import check_answer
from figway.validate.faults import check_faults
from figway.validate.findings import Findings
from figway.validate.methods import check_methods
from figway.validate.operations import check_operation
from figway.validate.ranges import ROUTE_HOST, TOKEN, VISIBLE, check_ranges, check_text
from figway.validate.reads import check_declared
from figway.validate.sizes import check_sizes

MAX_AT_PATH = 100
"""Routes at one host and path: they are told apart one after the other."""

_VALUELESS = (ConditionKind.PRESENT, ConditionKind.ABSENT)


def check(route: Route, table: Table, findings: Findings) -> None:
    """Check one route of `table`, apart from the others."""
    path = f"routes.{route.id}"
    check_sizes(route, path, findings)
    check_text(route.description, f"{path}.description", findings, lines=True)
    _match(route.match, f"{path}.match", findings)
    _references(route, table, path, findings)
    _stage(route, path, findings)
    new = table.backends.get(route.new)
    if new is not None and new.kind in HANDED_ON:
        from figway.validate import aws as validate_aws

        validate_aws.check_route(route, new, path, findings)
    _fallback(route, table, path, findings)
    check_ranges(route.breaker, f"{path}.breaker", findings)
    if route.breaker.max_open_ms < route.breaker.open_ms:
        message = "the longest open time is below the first"
        hint = "raise max_open_ms to open_ms at least"
        findings.error("breaker_range", f"{path}.breaker.max_open_ms", message, hint)
    check_faults(route, path, findings)
    _shadow(route, path, findings)
    if route.reads:
        check_declared(route, path, findings)
    if route.comparison != PLAIN_COMPARISON:
        # Imported where it is used: a cold start pays for every module.
        from figway.validate import comparison as validate_comparison

        validate_comparison.check(route.comparison, f"{path}.comparison", findings)
    validate_policies.check(route.policies, route.match.path, f"{path}.policies", findings)
    if is_guarded(route):
        _passable(route, table, path, findings)
    if route.policies is not NO_POLICIES and route.policies.response_headers.set:
        sent = [(field.name, field.value) for field in route.policies.response_headers.set]
        place = f"{path}.policies.response_headers"
        side = Side.NEW if route.new else Side.LEGACY
        check_answer(route, table.capability_of(route), side, 200, sent, place, findings)


def _passable(route: Route, table: Table, path: str, findings: Findings) -> None:
    """Say how a request may get past a guarded route and still be served by legacy."""
    ways = []
    if not table.refuse_other_spellings:
        ways.append(("another spelling of its path", "set refuse_other_spellings of the table"))
    if route.match.hosts:
        ways.append(("another Host", "leave out hosts, unless legacy serves others under them"))
    if route.match.headers or route.match.query or route.match.cookies:
        ways.append(("a request without what its conditions ask for", "guard the path whole"))
    if route.match.operation is not None:
        ways.append(("a request whose operation cannot be read", "guard the path whole"))
    for way, hint in ways:
        message = f"{way} passes the route, and legacy may serve the same for it"
        findings.warning("guard_passable", f"{path}.match", message, hint)


# -- what it matches ---------------------------------------------------------------------------


_OTHER_VARIABLE = re.compile(r":([A-Za-z_]\w*)\??|\$([A-Za-z_]\w*)")
"""How other routers write a variable: `:id`, `:id?`, `$id`."""


def _match(match: RouteMatch, path: str, findings: Findings) -> None:
    try:
        pattern = parse(match.path)
    except PatternError as error:
        findings.error("template_invalid", f"{path}.path", str(error), error.resolution)
    else:
        for segment in pattern.segments:
            if segment and (why := never_matches(segment)):
                message = f"the literal {segment.decode()!r} can never match: {why}"
                hint = "write the plain character, or a variable"
                findings.warning("literal_never_matches", f"{path}.path", message, hint)
            elif segment and (name := _OTHER_VARIABLE.fullmatch(segment.decode())):
                message = f"{segment.decode()!r} is taken as it stands, not as a variable"
                hint = f"write {{{name[1] or name[2]}}} to take any segment there"
                findings.warning("literal_like_a_variable", f"{path}.path", message, hint)
    if match.hosts:
        _hosts(match.hosts, f"{path}.hosts", findings)
    if match.methods:
        check_methods(match.methods, f"{path}.methods", findings)
    if overlap.count(match):
        _conditions(match, path, findings)
    if match.operation is not None:
        check_operation(match, path, findings)


def _hosts(hosts: tuple[str, ...], path: str, findings: Findings) -> None:
    for index, host in enumerate(hosts):
        if ROUTE_HOST(host) is None:
            message = f"{host[:80]!r} is not a host"
            hint = "write shop.example.com or *.example.com: lower case, no port"
            findings.error("host_invalid", f"{path}[{index}]", message, hint)
        if host in hosts[:index]:
            message = f"{host[:80]!r} stands here twice"
            findings.error("host_duplicate", f"{path}[{index}]", message, "remove one of them")


def _conditions(match: RouteMatch, path: str, findings: Findings) -> None:
    placed = list(overlap.conditions(match))
    for place, name, condition in placed:
        where = f"{path}.{'query' if place == 'query' else place + 's'}"
        if why := _bad_condition(place, condition):
            message = f"the condition on {name[:80]!r} {why}"
            hint = "write names and values as they are sent, percent-encoded where they are"
            findings.error("condition_invalid", where, message, hint)
    if any(number > 1 for number in Counter(placed).values()):
        message = "a condition stands here twice, and would count twice"
        findings.error("condition_duplicate", path, message, "remove one of them")
    elif overlap.contradicts(match):
        message = "the conditions exclude each other, so the route matches nothing"
        findings.warning("conditions_contradict", path, message, "remove one of them")


def _bad_condition(place: str, condition: Condition) -> str:
    """Why no request can hold what a condition names; empty if one can."""
    name, value = condition.name, condition.value
    if place == "query":
        if not name or VISIBLE(name) is None or set(name) & set("&=#"):
            return "has a name that cannot occur in a query"
        if VISIBLE(value) is None or set(value) & set("&#"):
            return "has a value that cannot occur in a query"
    elif TOKEN(name) is None:
        return f"has a name that cannot be a {place}'s"
    elif any(character < " " or character > "~" for character in value):
        return f"has a value that cannot be a {place}'s: visible ASCII and spaces only"
    elif place == "cookie" and ";" in value:
        return "has a value that cannot be a cookie's"
    if condition.kind in _VALUELESS and value:
        return "asks for presence only, and yet has a value"
    if condition.kind not in (*_VALUELESS, ConditionKind.EXACT) and not value:
        return f"is of kind {condition.kind.value}, and has no value"
    return ""


# -- what it does ------------------------------------------------------------------------------


def _references(route: Route, table: Table, path: str, findings: Findings) -> None:
    for field, backend_id, side in (
        ("legacy", route.legacy, Side.LEGACY),
        ("new", route.new, Side.NEW),
    ):
        if not backend_id:
            continue
        place = f"{path}.{field}"
        backend = table.backends.get(backend_id)
        if backend is None:
            message = f"there is no backend {backend_id!r}"
            findings.error("backend_unknown", place, message, "add it, or name another")
        elif backend.side is not side:
            message = f"the backend {backend_id!r} is on side {backend.side.value}"
            hint = f"name a backend of side {side.value}"
            findings.error("backend_wrong_side", place, message, hint)
    if route.capability and route.capability not in table.capabilities:
        message = f"there is no capability {route.capability!r}"
        hint = "add it, name another, or leave it empty"
        findings.error("capability_unknown", f"{path}.capability", message, hint)


def _stage(route: Route, path: str, findings: Findings) -> None:
    if not 0 <= route.weight <= WEIGHT_SCALE:
        message = f"{route.weight} is out of range"
        hint = "use basis points, 0 to 10 000: 2 500 is 25 %"
        findings.error("weight_range", f"{path}.weight", message, hint)
    elif route.stage is Stage.CANARY and route.weight in (0, WEIGHT_SCALE):
        message = f"a canary with the weight {route.weight} splits nothing"
        hint = "use stage shadow or new instead, or another weight"
        findings.warning("canary_weight", f"{path}.weight", message, hint)
    if route.stage is not Stage.LEGACY and not route.new:
        message = f"stage {route.stage.value} needs a new backend"
        hint = "set new to a backend of side new, or the stage to legacy"
        findings.error("stage_without_new", f"{path}.new", message, hint)
    if route.stage is Stage.RETIRED:
        for field, used in (("legacy", route.legacy), ("shadow.from_new", route.shadow.from_new)):
            if used:
                message = "legacy is never called in stage retired"
                hint = "remove the setting, or set the stage to new"
                findings.warning("retired_unused", f"{path}.{field}", message, hint)


def _fallback(route: Route, table: Table, path: str, findings: Findings) -> None:
    policy: FallbackPolicy = route.fallback
    check_ranges(policy, f"{path}.fallback", findings)
    for index, status in enumerate(policy.statuses):
        if not 400 <= status <= 599 or status in policy.statuses[:index]:
            message = f"{status} is no error status, or stands here twice"
            hint = "list statuses from 400 to 599, each once"
            findings.error("status_range", f"{path}.fallback.statuses[{index}]", message, hint)
    new = table.backends.get(route.new)
    if new is None or not policy.enabled or route.stage not in (Stage.CANARY, Stage.NEW):
        return
    head_ms = timeouts_of(new).head_ms
    if policy.deadline_ms <= head_ms:
        message = f"{policy.deadline_ms} ms are over before {new.id} times out"
        hint = f"raise deadline_ms above {head_ms}, or lower head_ms of {new.id}"
        findings.warning("deadline_short", f"{path}.fallback.deadline_ms", message, hint)


def _shadow(route: Route, path: str, findings: Findings) -> None:
    policy = route.shadow
    check_ranges(policy, f"{path}.shadow", findings)
    check_text(policy.dry_run, f"{path}.shadow.dry_run", findings, lines=True)
    if route.stage is not Stage.SHADOW:
        return
    methods = set(route.match.methods)
    why = ""
    if policy.sample == 0:
        why = "its sample is 0"
    elif (
        methods
        and not policy.dry_run
        and not any(is_read(method, route.reads) for method in methods)
    ):
        why = "it lists no safe method, none of reads, and has no dry-run contract"
    elif policy.unsafe_get and methods and methods <= {"GET", "HEAD"}:
        why = "its reads are marked as unsafe"
    if why:
        message, hint = f"nothing is copied: {why}", "change the policy, or use another stage"
        findings.warning("shadow_copies_nothing", f"{path}.shadow", message, hint)


# -- beside its neighbours ---------------------------------------------------------------------


def check_overlaps(
    routes: Iterable[Route], changed: Collection[str] | None, findings: Findings
) -> None:
    """Report routes that tie or take everything from each other.

    `changed` limits the search to neighbours of these routes.
    """
    routes = list(routes)
    if changed is not None and len(changed) <= 50:
        routes = _near([route for route in routes if route.id in changed], routes)
    groups: defaultdict[object, list[Route]] = defaultdict(list)
    for route in routes:
        try:
            shape = parse(route.match.path).shape
        except PatternError:
            continue
        for host in dict.fromkeys(route.match.hosts or ("",)):
            groups[host, shape].append(route)
    seen: set[tuple[str, str]] = set()
    for group in groups.values():
        if len(group) > 1 and (changed is None or any(route.id in changed for route in group)):
            _check_group(group, changed, seen, findings)


def _near(changed: list[Route], routes: list[Route]) -> list[Route]:
    """Routes whose template begins, up to its first variable, like one of `changed`."""
    prefixes = tuple({_prefix(route.match.path) for route in changed})
    return [route for route in routes if route.match.path.startswith(prefixes)]


def _prefix(template: str) -> str:
    return template.partition("{")[0].partition("*")[0]


def _check_group(
    group: list[Route],
    changed: Collection[str] | None,
    seen: set[tuple[str, str]],
    findings: Findings,
) -> None:
    if len(group) > MAX_AT_PATH:
        path = f"routes.{group[-1].id}.match"
        message = f"{len(group)} routes stand at the path {group[-1].match.path}"
        hint = f"use at most {MAX_AT_PATH}; give them different paths or hosts"
        findings.error("routes_crowded", path, message, hint)
        return
    for one, other in combinations(group, 2):
        if changed is not None and one.id not in changed and other.id not in changed:
            continue
        if (one.id, other.id) in seen:  # two hosts in common
            continue
        seen.add((one.id, other.id))
        _check_pair(one, other, findings)


def _check_pair(one: Route, other: Route, findings: Findings) -> None:
    path = f"routes.{other.id}.match"
    if overlap.tie(one.match, other.match):
        message = f"the routes {one.id} and {other.id} match the same requests"
        hint = "give one of them another path, host or method, or one more condition"
        findings.error("route_tie", path, message, hint)
    for taker, loser in ((one, other), (other, one)):
        if overlap.shadows(taker.match, loser.match):
            message = f"the route {taker.id} takes every request of {loser.id}"
            hint = f"remove {loser.id}, or loosen the conditions of {taker.id}"
            findings.warning("route_shadowed", f"routes.{loser.id}.match", message, hint)
