"""The facade's own answers that more than one door gives, and the limits that lead to them."""

from __future__ import annotations

from typing import Final

from figway.message.problem import Problem

NO_ROOM: Final = Problem(503, "too_many_connections", "The facade has too many connections", "", 1)
SLOW_HEAD: Final = Problem(408, "head_timeout", "The request head did not come in time")
SLOW_BODY: Final = Problem(408, "body_timeout", "The request body did not come in time")
LINGER_MS: Final = 2_000
"""How long a closing connection still reads, so that the client gets to see the answer."""
