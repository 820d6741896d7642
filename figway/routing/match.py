"""Which route takes a request: a few dictionary steps, however many routes there are.

Routes live in tries of path segments, one for each host that routes name. The most specific route
wins, compared in this order:

1. host: exact, then `*.suffix` (longest first), then any;
2. path, segment by segment from the left: literal, then variable, then rest;
3. method: listed, then HEAD for a route that lists GET (RFC 9110, 9.3.2), then any;
4. with an operation, then without;
5. the number of conditions.

Where the body would have to be read to go on, `match` gives a `Peek`: what is to be read.
`match_read` goes on with what was read.

A route takes a request only as a whole: where its method or conditions fail, the next specific
one is tried. A CORS preflight is matched as the method that it announces, so that it meets the
side that the real request will meet (Fetch standard, CORS-preflight fetch); it carries neither
cookies nor the headers that it asks for, so conditions on those fail for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from figway.message.http import RequestHead
from figway.message.overrides import asked_methods
from figway.model.policies import RateKey
from figway.model.table import Condition, ConditionKind, KeySource, Route, RouteMatch, StickyKey
from figway.operation.operation import Ask, OperationReading, UnreadReason
from figway.routing.operations import action_check, ask_of, rank, takes
from figway.routing.pattern import PLAIN, Pattern, is_ambiguous, parse

Check = Callable[[RequestHead], bool]


class Peek:
    """The routes of a leaf depend on operations: these must be read to go on. `place` is their
    path template."""

    __slots__ = ("asks", "place")

    def __init__(self, asks: tuple[Ask, ...], place: str) -> None:
        self.asks = asks
        self.place = place


class Entry:
    """A route where it stands in a trie. `met` is what a request gets that passes the checks."""

    __slots__ = ("ask", "checks", "met", "methods", "path", "route_id", "specific", "takes")

    def __init__(self, route: Route) -> None:
        operation = route.match.operation
        self.route_id = route.id
        self.path = route.match.path
        self.met: str | Peek = route.id
        self.methods = route.match.methods
        self.checks = compile_conditions(route.match)
        self.ask = ask_of(operation)
        self.takes = None if operation is None or self.ask is None else takes(operation)
        self.specific = (rank(operation), len(self.checks))


class Candidate(NamedTuple):
    """A route whose host and path fit, and why it does not take the request (empty: it may)."""

    route_id: str
    refused: str


class Found(NamedTuple):
    """What a request meets whose operations were read, and why they decided nothing (empty: they
    did, or are another route's)."""

    met: str | Peek | None
    unread: str


class Leaf:
    """The routes of one host and path. `by_method` and `other` are in order of precedence.

    `only` is the id of a single route that takes whatever comes: by far the most common leaf, and
    one that is read without touching more memory than itself.
    """

    __slots__ = ("by_method", "entries", "only", "other")

    def __init__(self) -> None:
        self.only: str | None = None
        self.entries: list[Entry] = []
        self.by_method: dict[str, list[Entry]] = _NO_METHODS
        self.other: list[Entry] = self.entries

    def add(self, entry: Entry) -> None:
        """Put a route in its place."""
        self.entries.append(entry)
        self._peek()
        if len(self.entries) == 1 and not entry.methods:
            self.only = None if entry.checks or entry.ask else entry.route_id
            return
        self.only = None
        listed = {method for known in self.entries for method in known.methods}
        if "GET" in listed:
            listed.add("HEAD")
        self.other = self._ranked("")
        self.by_method = {method: self._ranked(method) for method in listed}

    def _peek(self) -> None:
        """What is read where any operation matters: all that the routes of this leaf ask for."""
        asks = tuple(dict.fromkeys(entry.ask for entry in self.entries if entry.ask is not None))
        if asks:
            peek = Peek(asks, next(entry.path for entry in self.entries if entry.ask is not None))
            for entry in self.entries:
                if entry.ask is not None:
                    entry.met = peek

    def _ranked(self, method: str) -> list[Entry]:
        """The entries that take `method`, most specific first."""
        ranked = [(method_rank(entry.methods, method), entry) for entry in self.entries]
        ranked = [pair for pair in ranked if pair[0]]
        ranked.sort(key=lambda pair: (pair[0], pair[1].specific), reverse=True)
        return [entry for _, entry in ranked]

    def find(self, method: str, head: RequestHead) -> str | Peek | None:
        """The id of the route that takes `head`, or what must be read to tell."""
        if self.only is not None:
            return self.only
        for entry in self.by_method.get(method, self.other):
            for check in entry.checks:
                if not check(head):
                    break
            else:
                return entry.met
        return None

    def find_read(self, method: str, head: RequestHead, reading: OperationReading) -> Found:
        """As `find`, with what was read of the body."""
        takers = self.by_method.get(method, self.other)
        unread = ""
        mixed = False
        for entry in takers:
            if not all(check(head) for check in entry.checks):
                continue
            if entry.ask is None or entry.takes is None:
                return Found(entry.route_id, unread)
            if entry.ask not in reading.found:
                return Found(entry.met, unread)
            operations = reading.operations(entry.ask)
            taken = [operation for operation in operations if entry.takes(operation)]
            if operations and len(taken) == len(operations) and not mixed:
                return Found(entry.route_id, "")
            if taken:
                mixed, unread = True, UnreadReason.MIXED.value
        return Found(None, unread)

    def candidates(
        self, method: str, head: RequestHead, reading: OperationReading | None = None
    ) -> Iterator[Candidate]:
        """All routes here, in order of precedence; those that refuse the method come last."""
        takers = self.by_method.get(method, self.other)
        for entry in takers:
            failed = any(not check(head) for check in entry.checks)
            refused = "condition" if failed else "" if _may_take(entry, reading) else "operation"
            yield Candidate(entry.route_id, refused)
        for entry in self.entries:
            if entry not in takers:
                yield Candidate(entry.route_id, "method")


_NO_METHODS: dict[str, list[Entry]] = {}


def _may_take(entry: Entry, reading: OperationReading | None) -> bool:
    """Whether an entry takes all operations that were read."""
    if entry.ask is None or entry.takes is None:
        return True
    operations = () if reading is None else reading.operations(entry.ask)
    return bool(operations) and all(map(entry.takes, operations))


class Node:
    """One step of a trie."""

    __slots__ = ("here", "literals", "rest", "wild")

    def __init__(self) -> None:
        self.literals: dict[bytes, Node] | None = None
        self.wild: Node | None = None
        self.here: Leaf | None = None
        self.rest: Leaf | None = None

    def leaf(self, pattern: Pattern) -> Leaf:
        """The leaf of `pattern` below this root, made if needed."""
        node = self
        for segment in pattern.segments:
            node = node._step(segment)
        if pattern.rest:
            node.rest = node.rest or Leaf()
            return node.rest
        node.here = node.here or Leaf()
        return node.here

    def _step(self, segment: bytes | None) -> Node:
        """The node below, by a literal or a variable; made if needed."""
        if segment is None:
            self.wild = self.wild or Node()
            return self.wild
        if self.literals is None:
            self.literals = {}
        step = self.literals.get(segment)
        if step is None:
            step = self.literals[segment] = Node()
        return step

    def first(self, parts: list[bytes], method: str, head: RequestHead) -> str | Peek | None:
        """As `find`, without a call a segment: where the first way down leads to a route, it is
        the most specific one; where it does not, `find` tries the others."""
        node = self
        for part in parts:
            literals, step = node.literals, None
            if literals is not None:
                step = literals.get(part)
            if step is None and part:
                step = node.wild
            if step is None:
                if node.rest is None:
                    break
                leaf: Leaf | None = node.rest
                return self._take(leaf, parts, method, head)
            node = step
        else:
            return self._take(node.here, parts, method, head)
        return self.find(parts, 0, method, head)

    def _take(
        self, leaf: Leaf | None, parts: list[bytes], method: str, head: RequestHead
    ) -> str | Peek | None:
        if leaf is not None:
            route_id = leaf.only or leaf.find(method, head)
            if route_id is not None:
                return route_id
        return self.find(parts, 0, method, head)

    def find(
        self, parts: list[bytes], index: int, method: str, head: RequestHead
    ) -> str | Peek | None:
        """The id of the route that takes `head`, whose path goes on with `parts[index]`."""
        if index == len(parts):
            return None if self.here is None else self.here.find(method, head)
        part = parts[index]
        if self.literals is not None:
            step = self.literals.get(part)
            if step is not None:
                route_id = step.find(parts, index + 1, method, head)
                if route_id is not None:
                    return route_id
        if self.wild is not None and part:
            route_id = self.wild.find(parts, index + 1, method, head)
            if route_id is not None:
                return route_id
        return None if self.rest is None else self.rest.find(method, head)

    def leaves(self, parts: list[bytes], index: int) -> Iterator[Leaf]:
        """All leaves that fit the path, most specific first."""
        if index == len(parts):
            if self.here is not None:
                yield self.here
            return
        if self.literals is not None and (step := self.literals.get(parts[index])) is not None:
            yield from step.leaves(parts, index + 1)
        if self.wild is not None and parts[index]:
            yield from self.wild.leaves(parts, index + 1)
        if self.rest is not None:
            yield self.rest


class Matcher:
    """The tries of one set of routes; immutable once built, shared between tables."""

    __slots__ = ("_any", "_exact", "_suffixes")

    def __init__(self, routes: Iterable[Route]) -> None:
        """Raises `figway.routing.pattern.PatternError` for a broken template."""
        self._any = Node()
        self._exact: dict[bytes, Node] = {}
        self._suffixes: dict[bytes, Node] = {}
        for route in routes:
            pattern = parse(route.match.path)
            entry = Entry(route)
            for host in route.match.hosts or ("",):
                self._root(host).leaf(pattern).add(entry)

    def match(self, head: RequestHead) -> str | Peek | None:
        """The id of the route that takes `head`; None if none does; a `Peek` if its body tells."""
        path = head.path
        parts = path.split(b"/")
        if not _is_plain(path, parts) and is_ambiguous(path):
            return None
        method = effective_method(head)
        if self._exact or self._suffixes:
            for root in self._roots(head.host):
                route_id = root.find(parts, 1, method, head)
                if route_id is not None:
                    return route_id
            return None
        return self._any.first(parts[1:], method, head)

    def match_read(self, head: RequestHead, reading: OperationReading) -> Found:
        """As `match`, with what was read of the body. A `Peek` asks for what was not read."""
        unread = reading.reason
        if not is_ambiguous(head.path):
            method = effective_method(head)
            parts = head.path.split(b"/")
            for root in self._roots(head.host):
                for leaf in root.leaves(parts, 1):
                    found = leaf.find_read(method, head, reading)
                    unread = unread or found.unread
                    if found.met is not None:
                        return Found(found.met, unread)
        return Found(None, unread)

    def candidates(
        self, head: RequestHead, reading: OperationReading | None = None
    ) -> Iterator[Candidate]:
        """All routes whose host and path fit, in order of precedence, to explain a match."""
        if is_ambiguous(head.path):
            return
        method = effective_method(head)
        parts = head.path.split(b"/")
        for root in self._roots(head.host):
            for leaf in root.leaves(parts, 1):
                yield from leaf.candidates(method, head, reading)

    def _root(self, host: str) -> Node:
        if not host:
            return self._any
        name = host.encode()
        if name.startswith(b"*."):
            return self._suffixes.setdefault(name[2:], Node())
        return self._exact.setdefault(name, Node())

    def _roots(self, host: bytes) -> Iterator[Node]:
        name = normal_host(host)
        if (root := self._exact.get(name)) is not None:
            yield root
        if self._suffixes:
            suffix = name
            while suffix:
                suffix = suffix.partition(b".")[2]
                if (root := self._suffixes.get(suffix)) is not None:
                    yield root
        yield self._any


_PLAIN: Final = bytes(octet if octet in PLAIN else 0x21 for octet in range(256))
"""Changes a path that holds more than the octets of a plain one."""


def _is_plain(path: bytes, parts: list[bytes]) -> bool:
    """Whether `path`, whose segments are `parts`, has one reading only, as most have."""
    if path.translate(_PLAIN) != path or parts[0] or len(parts) < 2:
        return False
    last = len(parts) - 1
    for index in range(1, last + 1):
        part = parts[index]
        if part:
            first = part[0]
            if first == 0x2E or first == 0x3B:  # a dot, a semicolon
                return False
        elif index != last:
            return False
    return True


def normal_host(host: bytes) -> bytes:
    """A host in lower case, without port and without the trailing dot."""
    if not host.endswith(b"]"):
        name, colon, port = host.rpartition(b":")
        if colon and (port.isdigit() or not port):
            host = name
    return host.lower().removesuffix(b".")


_NOT_OF_A_PREFLIGHT = (b"authorization", b"cookie", b"transfer-encoding", b"upgrade")


def effective_method(head: RequestHead) -> str:
    """The method to match by: a CORS preflight counts as the method that it announces."""
    if head.method == "OPTIONS" and is_preflight(head):
        return (head.get(b"access-control-request-method") or b"").decode("latin-1")
    return head.method


def is_preflight(head: RequestHead) -> bool:
    """Whether a request is a CORS preflight (Fetch standard, CORS-preflight request).

    It has neither a body nor credentials, and asks for no other method or protocol: what does is no
    preflight, whatever fields it carries, and gets past nothing.
    """
    return (
        head.method == "OPTIONS"
        and head.get(b"origin") is not None
        and bool(head.get(b"access-control-request-method"))
        and not any(head.get(name) is not None for name in _NOT_OF_A_PREFLIGHT)
        and (head.get(b"content-length") or b"0").strip(b"0") == b""
        and not asked_methods(head)
    )


def method_rank(methods: tuple[str, ...], method: str) -> int:
    """How specifically a route's methods take `method`: 3 listed, 2 as GET's HEAD, 1 any, 0 not."""
    if not methods:
        return 1
    if method in methods:
        return 3
    return 2 if method == "HEAD" and "GET" in methods else 0


# -- conditions --------------------------------------------------------------------------------


def query_value(query: bytes, name: bytes) -> bytes | None:
    """The first raw value of a query parameter; None if it is absent. Nothing is decoded."""
    if name not in query:
        return None
    for pair in query.split(b"&"):
        key, _, value = pair.partition(b"=")
        if key == name:
            return value
    return None


def raw_cookie(header: bytes | None, name: bytes) -> bytes | None:
    """The first raw value of a cookie (RFC 6265, 4.2); None if it is absent."""
    if not header or name not in header:
        return None
    for pair in header.split(b";"):
        key, equals, value = pair.strip(b" \t").partition(b"=")
        if key == name and equals:
            return value
    return None


def compile_conditions(match: RouteMatch) -> tuple[Check, ...]:
    """One function for each condition of a route."""
    operation = match.operation
    by_action = operation is not None and operation.trust_action
    if not (match.headers or match.query or match.cookies or by_action):
        return ()
    return (
        *(_header_check(condition) for condition in match.headers),
        *(_query_check(condition) for condition in match.query),
        *(_cookie_check(condition) for condition in match.cookies),
        *((action_check(operation),) if operation is not None and by_action else ()),
    )


def names_that_decide(route: Route | None, sticky: Iterable[StickyKey]) -> frozenset[bytes]:
    """Header fields, in lower case, that choose a route or a side, or that a policy counts by."""
    if route is None:
        return frozenset()
    names = [condition.name for condition in route.match.headers]
    names += [link.name for link in sticky if link.source is KeySource.HEADER]
    operation = route.match.operation
    if operation is not None and operation.trust_action:
        names.append("soapaction")
    names += [limit.key_name for limit in route.policies.rate_limits if limit.key is RateKey.HEADER]
    return frozenset(name.lower().encode() for name in names)


def _header_check(condition: Condition) -> Check:
    name, holds = condition.name.lower().encode(), value_check(condition)
    return lambda head: holds(head.get(name))


def _query_check(condition: Condition) -> Check:
    name, holds = condition.name.encode(), value_check(condition)
    return lambda head: holds(query_value(head.query, name))


def _cookie_check(condition: Condition) -> Check:
    name, holds = condition.name.encode(), value_check(condition)
    return lambda head: holds(raw_cookie(head.get(b"cookie"), name))


def value_check(condition: Condition) -> Callable[[bytes | None], bool]:
    """Does a raw value, None for an absent one, satisfy `condition`?"""
    value, kind = condition.value.encode(), condition.kind
    if kind is ConditionKind.EXACT:
        return lambda given: given == value
    if kind is ConditionKind.PREFIX:
        return lambda given: given is not None and given.startswith(value)
    if kind is ConditionKind.SUFFIX:
        return lambda given: given is not None and given.endswith(value)
    if kind is ConditionKind.CONTAINS:
        return lambda given: given is not None and value in given
    if kind is ConditionKind.PRESENT:
        return lambda given: given is not None
    return lambda given: given is None
