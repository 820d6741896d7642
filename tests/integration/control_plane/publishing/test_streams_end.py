"""A stream lasts as long as the key that opened it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from control_plane.auth.roles import Role
from control_plane.auth.service import Actor
from control_plane.comparisons.api import stream_comparisons
from control_plane.db.engine import DatabaseAway
from control_plane.publishing import hub
from control_plane.publishing.api import stream_live, stream_table
from tests.support.control import Control


@pytest.mark.parametrize("opened", [stream_table, stream_live, stream_comparisons])
async def test_revoking_a_key_ends_its_streams(
    control: Control, monkeypatch: pytest.MonkeyPatch, opened: Any
) -> None:
    """S6: a revoked key opens nothing; it kept a stream of every table for as long as it liked."""
    monkeypatch.setattr(hub, "_CHECK_S", 0.0)
    monkeypatch.setattr(hub, "_HEARTBEAT_S", 0.05)
    made = (await control.post("/keys", {"name": "p", "role": "viewer"})).json()
    actor = Actor("p", made["prefix"], Role.VIEWER, "")
    response = await opened(actor, control.services)
    body = cast("AsyncIterator[bytes]", response.body_iterator)
    assert b"event: current" in await anext(body)
    while b"still here" not in await anext(body):
        pass  # while it stands, whatever happens is told
    answer = await control.client.delete(f"/keys/{made['prefix']}", params={"reason": "lost"})
    assert answer.status_code < 300, answer.text
    left = [message async for message in body]
    assert len(left) < 10, "it ended"


async def test_a_database_that_is_away_ends_no_stream(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """trap 52: proxies keep their stream, and with it the kill switch."""
    prefix = (await control.post("/keys", {"name": "p", "role": "proxy"})).json()["prefix"]

    def away() -> None:
        raise DatabaseAway("gone")

    monkeypatch.setattr(control.services.database, "read", away)
    assert await control.services.auth.stands(prefix)
