"""What the facade answers while it has no table: 503, and what is missing.

It listens all the same. A refused connection looks like a crash, and a connection that is left
hanging looks like a slow legacy; this names the step that is missing, and `/ready` says the same.
Legacy cannot be asked, as only a table says where it is.
"""

from __future__ import annotations

from figway.message.problem import Problem
from proxy.private.responder import Answer

NO_TABLE = Problem(
    503,
    "no_table",
    "The facade has no table yet",
    "It has never reached its control plane, and has no last good table on disk.",
    retry_after=5,
)


async def wait_for_table(method: str, path: str) -> Answer:
    """The answer to every request."""
    body = NO_TABLE.body()
    return Answer(NO_TABLE.status, body, NO_TABLE.headers(body))
