"""Keys of a token issuer do not come from a cloud's metadata service."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.policies.keys import fetch, may_fetch


async def test_a_name_that_leads_to_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """S5: the list of addresses holds for what a name resolves to, too."""

    async def resolved(*_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", ("169.254.169.254", 443))]

    assert may_fetch("https://issuer.example/keys")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)
    with pytest.raises(OSError, match="link-local"):
        await fetch("https://issuer.example/keys")
