"""Other spellings of a path: what must not pass the policies of a route.

Routes match the path as it was sent. Legacy may read another one from the same bytes: it may
decode, fold the case, merge slashes, drop a trailing one, resolve dots, strip parameters, take a
method or a path from a header. A request that no guarded route took, but that read so would meet
one, is refused: only legacy knows what it would make of it. Guarded are routes with a policy that
refuses, and retired ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from figway.message.http import RequestHead
from figway.message.overrides import asked_methods, asked_paths
from figway.message.problem import Problem
from figway.model.policies import NO_POLICIES
from figway.model.table import Route, Stage
from figway.routing.match import Check, compile_conditions, method_rank, normal_host
from figway.routing.pattern import parse
from figway.routing.readings import ALIASED, EMPTY, literals_of, readings

_CANONICAL: Final = re.compile(
    rb"(?:/[a-z0-9_~!$'()*+,=:@-](?:[a-z0-9_~!$'()*+,=:@.-]*[a-z0-9_~!$'()*+,=:@-])?)*/?"
).fullmatch


_MOST_PATHS: Final = 8
"""Paths that a request may ask for beside its own."""


def _is_plain(path: bytes) -> bool:
    """Whether a path has one reading."""
    return _CANONICAL(path) is not None and path[-1:] != b"/" and ALIASED(path) is None


def is_guarded(route: Route) -> bool:
    """Whether a request that passes `route` by gets past something."""
    if route.stage is Stage.RETIRED:
        return True
    policies = route.policies
    if policies is NO_POLICIES:
        return False
    return bool(
        policies.jwt is not None
        or policies.maintenance is not None
        or policies.rate_limits
        or policies.body.max_bytes
        or policies.body.content_types
    )


class Guarded:
    """The guarded routes of a table, by what legacy might read."""

    __slots__ = ("_root",)

    def __init__(self, routes: Iterable[Route]) -> None:
        """Raises `figway.routing.pattern.PatternError` for a broken template."""
        self._root = _Step()
        for route in routes:
            self._root.add(_Guard(route))

    def refusal(self, head: RequestHead, taken: Route | None) -> Problem | None:
        """Why a request that `taken` took, or no route, is refused; None if it is not."""
        methods, paths = asked_methods(head), asked_paths(head)
        if not methods and not paths and _is_plain(head.path):
            return None
        methods.add(head.method.upper())
        own = None if taken is None else _Taken(taken)
        for path in (head.path, *paths[:_MOST_PATHS]):
            found = readings(path)
            if found is None:
                return _TOO_MANY
            for segments in found:
                met = self._met(head, segments, methods, own)
                if met is not None:
                    return _problem(met)
        return None if len(paths) <= _MOST_PATHS else _TOO_MANY

    def _met(
        self, head: RequestHead, segments: Sequence[bytes], methods: set[str], own: _Taken | None
    ) -> str | None:
        """The id of a guarded route that a reading of the request meets."""
        keeps = own is not None and own.takes(segments)
        for guard in self._root.walk(segments, 0):
            if own is not None and (guard.route_id == own.route_id or (keeps and own <= guard)):
                continue
            if guard.meets(methods, head):
                return guard.route_id
        return None


class _Guard:
    """One guarded route."""

    __slots__ = ("checks", "hosts", "methods", "rank", "rest", "route_id", "segments")

    def __init__(self, route: Route) -> None:
        self.route_id = route.id
        self.segments, self.rest = _folded(route)
        self.rank = _rank(self.segments, rest=self.rest)
        self.hosts = tuple(host.lower().encode() for host in route.match.hosts)
        self.methods = route.match.methods
        self.checks: tuple[Check, ...] = compile_conditions(route.match)

    def meets(self, methods: set[str], head: RequestHead) -> bool:
        """Whether a request for its path is one of the route's."""
        return (
            any(method_rank(self.methods, method) for method in methods)
            and self._has_host(normal_host(head.host))
            and all(check(head) for check in self.checks)
        )

    def _has_host(self, host: bytes) -> bool:
        return not self.hosts or any(
            host.endswith(known[1:]) if known.startswith(b"*.") else host == known
            for known in self.hosts
        )


class _Step:
    """One step of a trie of guarded routes, by what is left of their paths when read leniently."""

    __slots__ = ("here", "literals", "rest", "wild")

    def __init__(self) -> None:
        self.literals: dict[bytes, _Step] = {}
        self.wild: _Step | None = None
        self.here: list[_Guard] = []
        self.rest: list[_Guard] = []

    def add(self, guard: _Guard) -> None:
        """Put a route in its place below this root."""
        step = self
        for segment in guard.segments:
            if segment is None:
                step.wild = step.wild or _Step()
                step = step.wild
            else:
                step = step.literals.setdefault(segment, _Step())
        (step.rest if guard.rest else step.here).append(guard)

    def walk(self, segments: Sequence[bytes], index: int) -> Iterator[_Guard]:
        """The routes that take a path whose segments go on at `index`."""
        yield from self.rest
        if index == len(segments):
            yield from self.here
            return
        literal = self.literals.get(segments[index])
        if literal is not None:
            yield from literal.walk(segments, index + 1)
        if self.wild is not None and segments[index] != EMPTY:
            yield from self.wild.walk(segments, index + 1)


class _Taken:
    """The route that took a request as it was sent."""

    __slots__ = ("_rest", "_segments", "rank", "route_id")

    def __init__(self, route: Route) -> None:
        self.route_id = route.id
        self._segments, self._rest = _folded(route)
        self.rank = _rank(self._segments, rest=self._rest)

    def takes(self, segments: Sequence[bytes]) -> bool:
        """Whether it takes this reading as well."""
        count = len(self._segments)
        if len(segments) < count or (len(segments) > count and not self._rest):
            return False
        pairs = zip(self._segments, segments, strict=False)
        return all(
            segment != EMPTY if literal is None else literal == segment
            for literal, segment in pairs
        )

    def __le__(self, guard: _Guard) -> bool:
        return self.rank <= guard.rank


def _folded(route: Route) -> tuple[tuple[bytes | None, ...], bool]:
    pattern = parse(route.match.path)
    segments: list[bytes | None] = []
    for segment in pattern.segments:
        segments += [None] if segment is None else literals_of(segment)
    return tuple(segments), pattern.rest


def _rank(segments: tuple[bytes | None, ...], *, rest: bool) -> tuple[int, ...]:
    """How specific a path is; the lowest wins (see `figway.routing.match`)."""
    return (*(1 if segment is None else 0 for segment in segments), 2 if rest else -1)


_TOO_MANY: Final = Problem(
    400,
    "other_spelling",
    "The request is spelled ambiguously",
    "Its path can be read in too many ways, and some routes are guarded. Spell it plainly.",
)


def _problem(route_id: str) -> Problem:
    detail = f"It could be read as one of the route {route_id}, which is guarded. Spell it plainly."
    return Problem(400, "other_spelling", "The request is spelled ambiguously", detail)
