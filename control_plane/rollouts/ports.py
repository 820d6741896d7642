"""What rollouts need of others, as narrow as it can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from figway.rollout.observation import Answer, ParityCounts


class EvidenceSource(Protocol):
    """What comparing says of routes, by the rules and words of now."""

    async def parity(self, routes: Sequence[str]) -> Mapping[str, ParityCounts]:
        """By route; one that was never compared is absent."""


class CheckResult(NamedTuple):
    """What an external check said."""

    answer: Answer
    text: str


class ExternalCheck(Protocol):
    """Asks a webhook whether a rollout may go on, or must go back."""

    async def ask(self, url: str, question: Mapping[str, object]) -> CheckResult:
        """Never raises: what does not answer holds, and breaches nothing."""
