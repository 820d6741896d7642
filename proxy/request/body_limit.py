"""Where a request's body becomes too large: it is answered 413, and no backend gets more of it.

The limit is the stricter of the facade's (`FIGWAY_MAX_BODY_BYTES`) and the route's
(`policies.body.max_bytes`). It is asked of the length that a head announces, before any backend is
(`Choice.refusal`), and of the bytes that came, piece by piece (`Flow`): a client may announce none.
"""

from __future__ import annotations

from typing import Final

from figway.message.problem import Problem

TOO_LARGE: Final = Problem(413, "body_too_large", "The request body is too large")


def stricter(one: int, other: int) -> int:
    """The smaller of two limits in bytes; 0 is no limit."""
    return min(one, other) if one and other else one or other


def is_over(limit: int, size: int | None) -> bool:
    """Whether `size` bytes, if it is known, are more than `limit`; 0 is no limit."""
    return limit != 0 and size is not None and size > limit
