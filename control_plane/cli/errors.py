"""What the CLI's exit codes mean, and the errors that carry them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit codes of `figway`; documented in docs/reference/cli.md and stable."""

    OK = 0
    FAILED = 1
    """Something else went wrong; the line on standard error says what."""
    USAGE = 2
    """The command line is wrong."""
    NOT_FOUND = 3
    """There is no such route, backend, revision, ..."""
    CONFLICT = 4
    """Somebody else changed it meanwhile: read it again."""
    REFUSED = 5
    """The change would make a wrong table, and the findings say why; or `up --check` found answers
    of legacy that the facade would refuse."""
    FORBIDDEN = 6
    """No key, a wrong key, or one whose role may not do this."""
    UNREACHABLE = 7
    """The control plane does not answer."""
    NOT_APPLIED = 8
    """The change is saved, but not every proxy does it: one refused it, was not done in time, or
    went silent."""
    NOT_CONFIRMED = 9
    """New would serve more without proof, and nobody has said so: --yes, or --force --reason."""


class CliError(Exception):
    """An error with one line for people, a next step, and an exit code."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: Exit = Exit.FAILED,
        findings: Sequence[dict[str, Any]] = (),
        problem: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        self.findings = findings
        self.problem = problem
        """Code of the problem that the control plane answered with."""
