"""Control planes that look at rollouts only when a test tells them to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.control import Control
from tests.support.databases import OpenControl


@pytest.fixture
async def control(open_control: OpenControl) -> AsyncIterator[Control]:
    """A fresh control plane whose own ticker is asleep."""
    async with open_control(rollout_seconds=60) as opened:
        yield opened
