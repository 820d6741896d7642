"""What the core may know of an HTTP message: the narrow view that matching and deciding need.

Doors implement `RequestHead` over whatever they received, so that nothing is parsed that no
rule asks for. Bytes stay as the client sent them. Terms are those of RFC 9110.
"""

from __future__ import annotations

from typing import Final, Protocol

Headers = list[tuple[bytes, bytes]]
"""A header section: raw (name, value) pairs; order, case and repetition kept."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110, 9.2.1."""

IDEMPOTENT_METHODS: Final = SAFE_METHODS | {"PUT", "DELETE"}
"""RFC 9110, 9.2.2."""

REPEATABLE_METHODS: Final = IDEMPOTENT_METHODS | {
    "ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LINK", "MERGE",
    "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "ORDERPATCH",
    "PROPFIND", "PROPPATCH", "QUERY", "REBIND", "REPORT", "SEARCH", "UNBIND", "UNCHECKOUT",
    "UNLINK", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL",
}  # fmt: skip
"""What may be sent again to the *same* backend when a kept connection turns out to be closed
(RFC 9110, 9.2.2; the idempotent methods of IANA's HTTP Method Registry)."""


def is_read(method: str, reads: tuple[str, ...] = ()) -> bool:
    """Whether a request only reads: by its method (RFC 9110, 9.2.1), or because a person says so of
    this method on its route (`figway.model.table.Route.reads`)."""
    return method in SAFE_METHODS or method in reads


class RequestHead(Protocol):
    """The head of a request as the core sees it."""

    @property
    def method(self) -> str:
        """The method, case kept."""

    @property
    def path(self) -> bytes:
        """The raw path of the target, without the query; never decoded or normalised."""

    @property
    def query(self) -> bytes:
        """The raw query, without the question mark; empty when there is none."""

    @property
    def host(self) -> bytes:
        """Host of the target or of the Host header, with port if one was sent."""

    @property
    def client(self) -> str:
        """The client's address, after trusted proxies were taken into account."""

    def get(self, name: bytes) -> bytes | None:
        """The value of a header, all its lines as one list; `name` in lower case."""
