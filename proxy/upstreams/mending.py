"""What only some upstreams can: mend odd answers, log in. Stays Python: a protocol that is compiled
cannot be checked for at run time."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Mending(Protocol):
    """An upstream whose backend may answer in odd ways that have one meaning."""

    def take_odd(self) -> dict[str, int]:
        """How many answers were mended since the last call, by kind (`proxy.wire.odd_head`)."""


class HasPassword(Protocol):
    """Who knows the password of a backend. It may be another one later."""

    password: str


@runtime_checkable
class LoggingIn(Protocol):
    """An upstream whose connections begin with a login."""

    def log_in_with(self, secret: HasPassword) -> None:
        """Where the password is that each connection from now on logs in with."""
