"""Route policies, compiled: what a plan needs to edit and judge requests without thinking twice.

Only what needs no state is here: rate limits (`figway.serving.gcra`) and tokens
(`figway.serving.claims`) are kept by the worker. Paths are raw bytes: nothing is decoded, and
the query stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from figway.message.forwarded import folded
from figway.message.http import Headers, RequestHead
from figway.message.problem import Problem
from figway.model.policies import HeaderEdits, Maintenance, PathRewrite, RewriteKind, RoutePolicies
from figway.model.words import Side
from figway.routing.pattern import Pattern, parse

_Rewrite = Callable[[bytes], bytes]


class Edits:
    """Headers to set and remove."""

    __slots__ = ("_added", "_gone")

    def __init__(self, edits: HeaderEdits) -> None:
        self._added: Headers = [(item.name.encode(), item.value.encode()) for item in edits.set]
        names = [item.name for item in edits.set] + list(edits.remove)
        self._gone = frozenset(folded(name.lower().encode()) for name in names)

    def apply(self, headers: Headers) -> Headers:
        """The header section after the edits; a field goes in every spelling that CGI folds."""
        gone = self._gone
        return [pair for pair in headers if folded(pair[0].lower()) not in gone] + self._added


class PolicyPlan:
    """The policies of one route. `request` and `response` are None where nothing is edited."""

    __slots__ = (
        "_rewrite",
        "_sides",
        "edits_requests",
        "policies",
        "request",
        "response",
        "types",
    )

    def __init__(self, policies: RoutePolicies, template: str) -> None:
        """`template` is the route's path template. Raises `PatternError`."""
        self.policies = policies
        self.request = _edits(policies.request_headers)
        self.response = _edits(policies.response_headers)
        self.types = tuple(name.lower().encode() for name in policies.body.content_types)
        path = policies.path
        self._rewrite: _Rewrite | None = None if path is None else _rewriter(path, parse(template))
        self.edits_requests = path is not None or self.request is not None
        self._sides = frozenset() if path is None else frozenset(path.sides)

    def target(self, raw: bytes, side: Side) -> bytes:
        """The request target that backends of `side` get: path and query, raw."""
        if self._rewrite is None or side not in self._sides or raw[:1] != b"/":
            return raw
        path, mark, query = raw.partition(b"?")
        return self._rewrite(path) + mark + query

    def body_problem(self, head: RequestHead) -> Problem | None:
        """415 for a body whose media type is not on the list."""
        if not self.types:
            return None
        value = head.get(b"content-type") or b""
        media = value.partition(b";")[0].strip().lower()
        family = media.partition(b"/")[0] + b"/*"
        if media in self.types or (b"/" in media and family in self.types):
            return None
        return _wrong_type(self.types)


def _wrong_type(types: tuple[bytes, ...]) -> Problem:
    wanted = ", ".join(name.decode() for name in types)
    return Problem(415, "content_type", "The content type is not accepted", f"Accepted: {wanted}.")


def _edits(edits: HeaderEdits) -> Edits | None:
    return Edits(edits) if edits.set or edits.remove else None


# -- paths -------------------------------------------------------------------------------------


def _rewriter(rewrite: PathRewrite, pattern: Pattern) -> _Rewrite:
    if rewrite.kind is RewriteKind.PREFIX:
        return _by_prefix(rewrite.prefix.rstrip("/").encode(), rewrite.to.rstrip("/").encode())
    pieces = split_template(rewrite.to)

    def by_template(path: bytes) -> bytes:
        variables = pattern.variables(path)
        return b"".join(
            variables.get(piece.text, b"") if piece.variable else piece.text.encode()
            for piece in pieces
        )

    return by_template


def _by_prefix(prefix: bytes, to: bytes) -> _Rewrite:
    size = len(prefix)

    def by_prefix(path: bytes) -> bytes:
        if not path.startswith(prefix) or path[size : size + 1] not in (b"", b"/"):
            return path
        return to + path[size:] or b"/"

    return by_prefix


class Piece(NamedTuple):
    """A literal, or the name of a variable, of a template that a path is rewritten to."""

    text: str
    variable: bool


def split_template(template: str) -> list[Piece]:
    """`/v2/orders/{id}` in pieces. Raises ValueError for braces that do not pair."""
    pieces, rest = [], template
    while rest:
        literal, brace, rest = rest.partition("{")
        if "}" in literal:
            raise ValueError("a brace is closed that was not opened")
        if literal:
            pieces.append(Piece(literal, False))
        if brace:
            name, closed, rest = rest.partition("}")
            if not closed or not name or "{" in name:
                raise ValueError("a variable is written {name}")
            pieces.append(Piece(name, True))
    return pieces


# -- maintenance -------------------------------------------------------------------------------


def maintenance_problem(policy: Maintenance) -> Problem:
    """The answer of a route under maintenance."""
    content = None
    if policy.body:
        content = (policy.content_type.encode(), policy.body.encode())
    return Problem(
        policy.status,
        "maintenance",
        "Under maintenance",
        retry_after=policy.retry_after_s or None,
        content=content,
    )
