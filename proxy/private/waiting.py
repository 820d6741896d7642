"""What the facade answers while it has no table: 503, and what is missing.

It listens all the same. A refused connection looks like a crash, and a connection that is left
hanging looks like a slow legacy; this names the step that is missing, and `/ready` says the same.
Legacy cannot be asked, as only a table says where it is.
"""

from __future__ import annotations

from figway.message.problem import Problem
from proxy.private.responder import Answer

ON_ITS_WAY = "The table is on its way from the control plane."


def no_table(detail: str) -> Problem:
    """The problem; `detail` is a sentence that says why there is no table."""
    return Problem(503, "no_table", "The facade has no table yet", detail, retry_after=5)


class WithoutTable:
    """Answers every request. `detail` is what is so now."""

    def __init__(self) -> None:
        self.detail = ON_ITS_WAY

    async def respond(self, method: str, path: str) -> Answer:
        """The answer to every request."""
        problem = no_table(self.detail)
        body = problem.body()
        return Answer(problem.status, body, problem.headers(body))
