"""One shop for all the tests of this folder, faults and counts cleared before each."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.system.legacy_stub.running import running


@pytest.fixture(scope="session")
def shop_url() -> Iterator[str]:
    with running() as shop:
        yield shop.url


@pytest.fixture
def shop(shop_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shop_url, trust_env=False, timeout=10) as client:
        client.delete("/internal/faults").raise_for_status()
        client.delete("/internal/stats").raise_for_status()
        yield client
