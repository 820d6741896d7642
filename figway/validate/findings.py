"""What is wrong with a table: a finding, and the list that checks write to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from figway.validate.codes import CODES


class Severity(StrEnum):
    """An error keeps a table from being saved or served; a warning only tells."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: a stable code, where it is, and what to do about it."""

    code: str
    severity: Severity
    path: str
    """Place in the table: `routes.orders.match.path`."""
    message: str
    resolution: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}: {self.resolution} [{self.code}]"


class Findings:
    """Collects findings in the order in which they are found."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def error(self, code: str, path: str, message: str, resolution: str) -> None:
        """Note something that must not be."""
        self._add(code, Severity.ERROR, path, message, resolution)

    def warning(self, code: str, path: str, message: str, resolution: str) -> None:
        """Note something that is probably not meant."""
        self._add(code, Severity.WARNING, path, message, resolution)

    def _add(self, code: str, severity: Severity, path: str, message: str, todo: str) -> None:
        assert code in CODES, code
        self.found.append(Finding(code, severity, path, message, todo))
