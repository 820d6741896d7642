"""Upstreams that mend odd answers. Stays Python: a protocol that is compiled cannot be checked
for at run time."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Mending(Protocol):
    """An upstream whose backend may answer in odd ways that have one meaning."""

    def take_odd(self) -> dict[str, int]:
        """How many answers were mended since the last call, by kind (`proxy.wire.odd_head`)."""
