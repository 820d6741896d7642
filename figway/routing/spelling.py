"""Other spellings of a path: what must not pass the policies of a route.

Routes match the path as it was sent. Legacy may read another one from the same bytes: it may
decode, fold the case, merge slashes, drop a trailing one, resolve dots, strip parameters, take a
method from a header. A request that no guarded route took, but that read so would meet one, is
refused: only legacy knows what it would make of it. Guarded are routes with a policy that refuses,
and retired ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from figway.message.http import RequestHead
from figway.message.overrides import overriding
from figway.message.problem import Problem
from figway.model.policies import NO_POLICIES
from figway.model.table import Route, Stage
from figway.routing.match import Check, compile_conditions, method_rank, normal_host
from figway.routing.pattern import parse

_CANONICAL: Final = re.compile(
    rb"(?:/[a-z0-9_~!$'()*+,=:@-](?:[a-z0-9_~!$'()*+,=:@.-]*[a-z0-9_~!$'()*+,=:@-])?)*/?"
).fullmatch
_ESCAPE: Final = re.compile(rb"%(?:[uU]([0-9A-Fa-f]{4})|([0-9A-Fa-f]{2}))")
_OVERLONG: Final = re.compile(rb"\xc0([\x80-\xbf])|\xc1([\x80-\xbf])|\xe0\x80([\x80-\xbf])")
_ROUNDS: Final = 3
"""How often a path may be decoded on its way through an application."""


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
        method = overriding(head)
        if _CANONICAL(head.path) is not None and head.path[-1:] != b"/" and not method:
            return None
        met = self.met(head, taken, method)
        return None if met is None else _problem(met)

    def met(self, head: RequestHead, taken: Route | None, method: str = "") -> str | None:
        """The id of a guarded route that another reading of the request would meet."""
        segments = reading(head.path)
        methods = {head.method.upper(), method or head.method.upper()}
        own = _rank(taken) if taken is not None and _takes(taken, segments) else None
        for guard in self._root.walk(segments, 0):
            if taken is not None and guard.route_id == taken.id:
                continue
            if guard.meets(methods, head) and (own is None or guard.rank < own):
                return guard.route_id
        return None


class _Guard:
    """One guarded route."""

    __slots__ = ("checks", "hosts", "methods", "rank", "rest", "route_id", "segments")

    def __init__(self, route: Route) -> None:
        self.route_id = route.id
        self.segments, self.rest = _folded(route)
        self.rank = _rank(route)
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

    def walk(self, segments: list[bytes], index: int) -> Iterator[_Guard]:
        """The routes that take a path whose segments go on at `index`."""
        yield from self.rest
        if index == len(segments):
            yield from self.here
            return
        literal = self.literals.get(segments[index])
        if literal is not None:
            yield from literal.walk(segments, index + 1)
        if self.wild is not None:
            yield from self.wild.walk(segments, index + 1)


def reading(path: bytes) -> list[bytes]:
    """The segments that the most lenient application might read: decoded as often as it may be, in
    lower case, without parameters, empty segments, dots, and what file systems ignore."""
    for _ in range(_ROUNDS):
        decoded = _OVERLONG.sub(_shorten, _ESCAPE.sub(_decode, path))
        if decoded == path:
            break
        path = decoded
    path = path.partition(b"\0")[0].replace(b"\\", b"/")
    text = unicodedata.normalize("NFKC", path.decode("utf-8", "surrogateescape")).casefold()
    segments: list[bytes] = []
    for part in text.encode("utf-8", "surrogateescape").split(b"/"):
        name = part.partition(b";")[0].partition(b"?")[0].partition(b"#")[0].strip(b" \t\r\n")
        if name == b"..":
            del segments[-1:]
        elif name := name.rstrip(b". "):
            segments.append(name)
    return segments


def _decode(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return chr(int(found[1], 16)).encode("utf-8", "surrogatepass")
    return bytes([int(found[2], 16)])


def _shorten(found: re.Match[bytes]) -> bytes:
    """The character that an overlong encoding in UTF-8 stands for."""
    if found[1] is not None:
        return bytes([found[1][0] & 0x3F])
    if found[2] is not None:
        return bytes([0x40 | (found[2][0] & 0x3F)])
    return bytes([found[3][0] & 0x3F])


def _folded(route: Route) -> tuple[tuple[bytes | None, ...], bool]:
    pattern = parse(route.match.path)
    segments: list[bytes | None] = []
    for segment in pattern.segments:
        segments += [None] if segment is None else reading(b"/" + segment)
    return tuple(segments), pattern.rest


def _fits(pattern: tuple[bytes | None, ...], rest: bool, segments: list[bytes]) -> bool:
    if len(segments) < len(pattern) or (len(segments) > len(pattern) and not rest):
        return False
    pairs = zip(pattern, segments, strict=False)
    return all(literal is None or literal == segment for literal, segment in pairs)


def _takes(route: Route, segments: list[bytes]) -> bool:
    return _fits(*_folded(route), segments)


def _rank(route: Route) -> tuple[int, ...]:
    """How specific a route's path is; the lowest wins (see `figway.routing.match`)."""
    segments, rest = _folded(route)
    return (*(1 if segment is None else 0 for segment in segments), 2 if rest else -1)


def _problem(route_id: str) -> Problem:
    detail = f"It could be read as one of the route {route_id}, which is guarded. Spell it plainly."
    return Problem(400, "other_spelling", "The request is spelled ambiguously", detail)
