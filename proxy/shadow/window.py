"""What the shadow worker knows of one evidence window of one route."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from figway.compare.answer import Answer
from figway.evidence.noise.decide import Knowledge
from figway.evidence.noise.forms import Digest
from figway.evidence.noise.legacy_forms import MOST_PLACES
from figway.model.backend import Backend
from proxy.capture.message import Captured
from proxy.shadow.extra_reads import ExtraReads
from proxy.shadow.sender import EXECUTED

KEPT_MS = 10_000
NATURAL_ALL = 200
"""Natural repeats that are all compared; afterwards one in ten."""
_LONGEST_BUILD = 80


def digest_with(key: bytes) -> Digest:
    """A keyed digest of 8 bytes: values are told apart by it, and not known by it."""
    secret = hashlib.blake2b(key, digest_size=32).digest()

    def digest(text: str) -> str:
        raw = text.encode("utf-8", "backslashreplace")
        return hashlib.blake2b(raw, digest_size=8, key=secret).hexdigest()

    return digest


@dataclass(frozen=True, slots=True)
class ServedShape:
    """A pair of answers that natural repeats are compared with."""

    captured: Captured
    legacy: Answer


@dataclass(slots=True)
class WindowState:
    """Forms and looks of one window, and what is remembered beside them."""

    digest: Digest
    reads: ExtraReads
    knowledge: Knowledge = field(init=False)
    build: str = ""
    """The build of new that answered last."""
    natural: int = 0
    """Natural repeats that were compared."""
    own: int = 0
    """Looks at legacy alone that a sample asked for."""
    early: int = 0
    """Pairs of which more were looked at, as little was known."""
    agreed: bool = False
    """A GET of the route agreed, so that HEAD may be copied."""
    late: dict[str, int] = field(default_factory=dict)
    """Late looks that were begun, by place."""
    drawn: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By place, what both sides said when they differed last, and when that was counted."""

    def __post_init__(self) -> None:
        self.knowledge = Knowledge(self.digest)

    def kept(self, place: str, values: str, at_ms: int) -> bool:
        """Whether both sides said the same when they differed at a place a moment ago: values that
        each keeps for a while are drawn once, however many pairs show them."""
        before = self.drawn.get(place)
        if before is not None and before[0] == values and 0 <= at_ms - before[1] < KEPT_MS:
            return True
        if before is not None or len(self.drawn) < MOST_PLACES:
            self.drawn[place] = values, at_ms
        return False

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take in what an earlier life of the worker has learned."""
        self.knowledge.restore(data)
        self.agreed = self.agreed or bool(data.get("agreed"))


def build_of(backend: Backend, answer: Answer) -> str:
    """The build of new that gave an answer; empty where it does not say."""
    name = EXECUTED.lower() if backend.kind == "lambda" else backend.build_header.encode()
    if not name:
        return ""
    for header, value in answer.headers:
        raw = header if isinstance(header, bytes) else header.encode("latin-1")
        if raw.lower() == name:
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            return text.strip()[:_LONGEST_BUILD]
    return ""
