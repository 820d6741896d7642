"""What is compared: two answers to one request, and what the comparer must know around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from figway.compare.canonical.json import Value
from figway.compare.limits import Budget, Limits
from figway.model.operations import FaultKind
from figway.model.words import HtmlView

RawHeader = tuple[bytes, bytes] | tuple[str, str]

Decoder = Callable[[bytes, int], bytes]
"""A content coding undone: (coded bytes, most bytes to produce) -> plain bytes.

It must stop once it has produced more than that many bytes (what it returns then may be cut), and
raise an exception on data that is broken or ends early.
"""

BodyReader = Callable[[bytes, Budget], Value]
"""A body in a format that needs a library, such as `pdf` or `image`, as a tree.

It raises `NotThisFormat` for a body that is none, and `CompareError` when a bound is reached; its
work is bounded, or spent from the budget piece by piece.
"""


@dataclass(frozen=True, slots=True)
class PlainBody:
    """One side's body, its content coding undone, as own code reads it."""

    headers: Mapping[str, list[str]]
    """Values by lower-case name, in their order."""
    body: bytes


OwnReader = Callable[[PlainBody, PlainBody], tuple[Value, Value]]
"""Own code that reads two bodies, legacy's and new's: the values to be compared in their place.

It raises `CompareError` for whatever goes wrong, and its work is bounded.
"""

Redact = Callable[[str, object], object]
"""(exact path of the value, JSON-like value) -> the same with secrets replaced."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One side's answer, or its failure to give one."""

    status: int = 0
    headers: tuple[RawHeader, ...] = ()
    body: bytes = b""
    truncated: bool = False
    """The body was longer than the capture's cap, so that it cannot be compared."""
    elapsed_ms: float = 0.0
    failure: str | None = None
    """The name of a transport failure (`connect`, `timeout`, `reset`...); status is then 0."""
    cut: bool = False
    """A stream of events that was left before it ended: more would have come."""


@dataclass(slots=True)
class Context:
    """Everything beside the two answers and the rules that a comparison depends on.

    Nobody changes it. It is not frozen as one is made for every pair, which would cost thrice.
    """

    facade: str = ""
    """The origin that end users see, such as `https://shop.example`."""
    backend_hosts: frozenset[str] = frozenset()
    """Lower-case `host` or `host:port` of known backends: in Location they mean the facade."""
    method: str = "GET"
    path: str = "/"
    """Path of the request, against which a relative Location is resolved."""
    headers: tuple[str, ...] = ()
    """Lower-case names to compare although `headers.not_compared` leaves them out, and validators,
    such as `etag`, to compare by their value."""
    build_header: str = ""
    """Lower-case name of the header that names the build of new: another build is no difference."""
    decoders: Mapping[str, Decoder] = field(default_factory=dict)
    """Codings beyond gzip and deflate, such as `br` and `zstd`, by lower-case name."""
    readers: Mapping[str, BodyReader] = field(default_factory=dict)
    """Formats that need a library, by family (`figway.compare.formats`)."""
    own: OwnReader | None = None
    """Reads bodies that differ, in place of every other reader."""
    noise: frozenset[str] = frozenset()
    """`Difference.field` keys that are learned noise: shown, not counted."""
    html: frozenset[HtmlView] = frozenset()
    """Views of pages that are compared in place of their markup."""
    faults: frozenset[FaultKind] = frozenset()
    """Protocols whose faults are answers (`figway.compare.faults`)."""
    server_errors_fail: bool = True
    """A 5xx counts as that side having failed, rather than as an answer to compare."""
    cookie_expiry_seconds: float = 300.0
    """How far apart two cookies' Expires may be: the two answers were made at two moments."""
    redact: Redact | None = None
    """Applied to every value before any of it is kept as an excerpt."""
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], float] | None = None
    """Seconds, monotonic; bounds the comparison's time by `limits.seconds`."""


def header_values(headers: Iterable[RawHeader]) -> dict[str, list[str]]:
    """Header values by lower-case name, repeated fields kept apart and in order."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        key = name.decode("latin-1").lower() if isinstance(name, bytes) else name.lower()
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        found.setdefault(key, []).append(text.strip(" \t"))
    return found


def values_of(headers: Iterable[RawHeader], name: str) -> list[str]:
    """The values of the field `name` (in lower case) as `header_values` has them."""
    names, length = (name, name.encode()), len(name)
    found: list[str] = []
    for known, value in headers:
        if len(known) == length and known.lower() in names:
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            found.append(text.strip(" \t"))
    return found
