"""The targets of fuzzing by coverage hold for the corpus, whether or not a fuzzer is installed."""

from __future__ import annotations

import pytest

from tests.suites.hostile.guided import NAMES
from tests.suites.hostile.targets import SEEDS, TARGETS


@pytest.mark.parametrize("name", NAMES)
def test_a_target_holds_for_its_seeds(name: str) -> None:
    """trap 17, trap 53: and for every seed cut short."""
    target = TARGETS[name]
    for seed in SEEDS[name]:
        for at in {0, 1, len(seed) // 2, len(seed) - 1, len(seed)}:
            target(seed[:at])


def test_every_target_has_seeds() -> None:
    assert tuple(TARGETS) == tuple(SEEDS) == NAMES
