"""A table made ready to serve: the matcher, and for each route a plan worked out once.

A compiled table is immutable; a request keeps the one that it started with. The next table is
compiled from the one before: what did not change is shared, so that a flip among 100 000
routes costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter, eq, is_not, ne
from typing import Final

from figway.message.http import RequestHead
from figway.message.rewrite import BackendNames
from figway.message.sticky_cookie import cookie_attributes
from figway.model.backend import Backend
from figway.model.comparison import ShadowPolicy
from figway.model.policies import NO_POLICIES
from figway.model.table import (
    BreakerPolicy,
    Capability,
    FallbackPolicy,
    KeySource,
    Route,
    Stage,
    StickyKey,
    Table,
)
from figway.operation.operation import BodyNeeded, OperationReading
from figway.routing.match import Matcher, Peek
from figway.routing.pattern import PatternError
from figway.routing.policy import PolicyPlan
from figway.routing.spelling import Guarded, is_guarded

_RETIRED: Final = Stage.RETIRED
NO_ROUTE: Final = "-"
"""Stands for route and capability in the plan of a request that no route matched."""


_ID: Final = attrgetter("id")


class CompileError(ValueError):
    """A table that cannot serve; `figway.validate.table` says so in more detail, and beforehand."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request needs of its route.

    `salt` and `sticky` are its capability's; `issue` names the cookie to issue to clients that
    bring no key, or is empty; `issue_attributes` are its attributes. `new` is None only in stage
    legacy, `policy_plan` without policies. `reads` are methods that only read besides the safe
    ones.
    """

    route_id: str
    stage: Stage
    weight: int
    salt: bytes
    sticky: tuple[StickyKey, ...]
    issue: bytes
    legacy: Backend
    new: Backend | None
    fallback: FallbackPolicy
    breaker: BreakerPolicy
    shadow: ShadowPolicy
    capability_id: str
    route: Route | None
    policy_plan: PolicyPlan | None = None
    issue_attributes: bytes = b""
    reads: tuple[str, ...] = ()


class CompiledTable:
    """One table, ready to serve.

    `etag` is its content hash, `revision` its number; `names` knows the addresses of its backends,
    `with_policies` are the plans with route policies and the retired ones, `guarded` is what
    another spelling must not pass (None for nothing).
    """

    __slots__ = (
        "default",
        "etag",
        "guarded",
        "matcher",
        "names",
        "plans",
        "revision",
        "table",
        "with_policies",
    )

    def __init__(
        self,
        table: Table,
        revision: int,
        etag: str,
        *,
        default: Plan,
        plans: dict[str, Plan],
        matcher: Matcher,
        names: BackendNames,
        with_policies: dict[str, Plan],
        guarded: Guarded | None = None,
    ) -> None:
        self.table = table
        self.revision = revision
        self.etag = etag
        self.default = default
        self.plans = plans
        self.matcher = matcher
        self.names = names
        self.with_policies = with_policies
        self.guarded = _guarded(table, with_policies) if guarded is None else guarded

    def match(self, head: RequestHead) -> Plan:
        """The plan of the route that takes `head`; the default plan if none does.

        Raises:
            BodyNeeded: where the operation decides, which only the body tells; see `match_read`.
        """
        met = self.matcher.match(head)
        if met is None:
            return self.default
        if isinstance(met, Peek):  # compiled, one comparison of pointers
            raise BodyNeeded(met.asks, met.place)
        return self.plans[met]

    def match_read(self, head: RequestHead, reading: OperationReading) -> tuple[Plan, str]:
        """As `match`, with what was read of the body; and why that decided nothing, or empty.

        Raises:
            BodyNeeded: for what was not read.
        """
        met, unread = self.matcher.match_read(head, reading)
        if met is None:
            return self.default, unread
        if isinstance(met, Peek):
            raise BodyNeeded(met.asks, met.place)
        return self.plans[met], unread

    def with_table(self, table: Table, revision: int, etag: str) -> CompiledTable:
        """Compile the table that follows this one, sharing what did not change.

        Raises `CompileError`.
        """
        before = self.table
        backends = _changed(before.backends, table.backends)
        capabilities = _changed(before.capabilities, table.capabilities)
        default_moved = table.default_backend != before.default_backend
        default = self.default
        if default_moved or table.default_backend in backends:
            default = _default_plan(table)
        changed, same_routes = _changed_routes(before.routes, table.routes)
        stale = changed
        if backends or capabilities or default_moved:
            stale = [
                route
                for route in table.routes.values()
                if route.new in backends
                or before.legacy_of(route) in backends
                or table.legacy_of(route) in backends
                or route.capability in capabilities
                or (default_moved and not route.legacy)
            ]
            stale += changed
        matcher = self.matcher
        if not same_routes or any(
            route.match != before.routes[route.id].match for route in changed
        ):
            matcher = _matcher(table.routes.values())
        plans, with_policies = self.plans, self.with_policies
        if stale or not same_routes:
            plans = plans.copy()
            gone = () if same_routes else plans.keys() - table.routes.keys()
            fresh = {route.id: _plan(table, route) for route in stale}
            for route_id in gone:
                del plans[route_id]
            plans.update(fresh)
            before_policies = with_policies
            kept = {
                key: plan
                for key, plan in with_policies.items()
                if key in plans and key not in fresh
            }
            with_policies = kept | _with_policies(fresh)
            if not with_policies and not before_policies:
                with_policies = before_policies
        return CompiledTable(
            table,
            revision,
            etag,
            default=default,
            plans=plans,
            matcher=matcher,
            names=BackendNames(table.backends.values()) if backends else self.names,
            with_policies=with_policies,
            guarded=self.guarded if self._same_guards(table, with_policies) else None,
        )

    def _same_guards(self, table: Table, with_policies: dict[str, Plan]) -> bool:
        """Whether the guarded routes of a following table are this one's."""
        return (
            with_policies is self.with_policies
            and table.refuse_other_spellings == self.table.refuse_other_spellings
        )


def compile_table(table: Table, revision: int = 0, etag: str = "") -> CompiledTable:
    """Compile a table from scratch. Raises `CompileError` for one that cannot serve."""
    plans = {route.id: _plan(table, route) for route in table.routes.values()}
    return CompiledTable(
        table,
        revision,
        etag,
        default=_default_plan(table),
        plans=plans,
        matcher=_matcher(table.routes.values()),
        names=BackendNames(table.backends.values()),
        with_policies=_with_policies(plans),
    )


def _guarded(table: Table, with_policies: Mapping[str, Plan]) -> Guarded | None:
    """What another spelling must not pass; None where there is nothing."""
    if not table.refuse_other_spellings:
        return None
    routes = [plan.route for plan in with_policies.values() if plan.route is not None]
    guarded = [route for route in routes if is_guarded(route)]
    return Guarded(guarded) if guarded else None


def _matcher(routes: Iterable[Route]) -> Matcher:
    try:
        return Matcher(routes)
    except PatternError as error:
        raise CompileError(f"a broken template: {error}") from None


def _plan(table: Table, route: Route) -> Plan:
    capability = table.capability_of(route)
    return Plan(
        route_id=route.id,
        stage=route.stage,
        weight=route.weight,
        salt=(capability.salt or capability.id).encode(),
        sticky=capability.sticky,
        issue=_cookie_to_issue(capability),
        issue_attributes=cookie_attributes(capability),
        legacy=_backend(table, table.legacy_of(route), f"route {route.id}"),
        new=_new_backend(table, route),
        fallback=route.fallback,
        breaker=route.breaker,
        shadow=route.shadow,
        capability_id=capability.id,
        route=route,
        policy_plan=_policy_plan(route),
        reads=route.reads,
    )


def _with_policies(plans: dict[str, Plan]) -> dict[str, Plan]:
    return {
        key: plan
        for key, plan in plans.items()
        if plan.policy_plan is not None or plan.stage is _RETIRED
    }


def _policy_plan(route: Route) -> PolicyPlan | None:
    if route.policies is NO_POLICIES or route.policies == NO_POLICIES:
        return None
    try:
        return PolicyPlan(route.policies, route.match.path)
    except ValueError as error:
        raise CompileError(f"route {route.id} has a broken policy: {error}") from None


def _default_plan(table: Table) -> Plan:
    return Plan(
        route_id=NO_ROUTE,
        stage=Stage.LEGACY,
        weight=0,
        salt=b"",
        sticky=(),
        issue=b"",
        legacy=_backend(table, table.default_backend, "the table's default"),
        new=None,
        fallback=FallbackPolicy(),
        breaker=BreakerPolicy(),
        shadow=ShadowPolicy(sample=0),
        capability_id=NO_ROUTE,
        route=None,
    )


def _backend(table: Table, backend_id: str, user: str) -> Backend:
    found = table.backends.get(backend_id)
    if found is None:
        raise CompileError(f"{user} needs the backend {backend_id!r}, which does not exist")
    return found


def _new_backend(table: Table, route: Route) -> Backend | None:
    if route.new or route.stage is not Stage.LEGACY:
        return _backend(table, route.new, f"route {route.id} in stage {route.stage.value}")
    return None


def _cookie_to_issue(capability: Capability) -> bytes:
    if capability.issue_cookie:
        for link in capability.sticky:
            if link.source is KeySource.COOKIE:
                return link.name.encode()
    return b""


# -- what changed ------------------------------------------------------------------------------


def _changed(before: Mapping[str, object], after: Mapping[str, object]) -> set[str]:
    """Keys whose value was added, replaced by another or deleted."""
    if before is after:
        return set()
    keys = {key for key, value in after.items() if before.get(key) != value}
    return keys | (before.keys() - after.keys())


def _changed_routes(
    before: Mapping[str, Route], after: Mapping[str, Route]
) -> tuple[list[Route], bool]:
    """The routes that are new or differ, and whether both tables hold the same ids.

    Tables that follow each other share most objects in the same order, so that a comparison of
    identities, made in C, finds what little differs.
    """
    if before is after:
        return [], True
    if len(before) == len(after):
        differ = list(map(is_not, before.values(), after.values()))
        replaced = list(compress(before.values(), differ))
        replacing = list(compress(after.values(), differ))
        if all(map(eq, map(_ID, replaced), map(_ID, replacing))):
            return list(compress(replacing, map(ne, replaced, replacing))), True
    known = before.get
    changed = [
        route for key, route in after.items() if (old := known(key)) is not route and old != route
    ]
    return changed, before.keys() == after.keys()
