"""A word that lets proxies of another installation follow this one."""

from __future__ import annotations

from control_plane.auth.keys import generate
from tests.support.control import Control, control_plane
from tests.support.until import until

A, B, C = ("a" * 32, "b" * 32, "c" * 32)


async def adopted(control: Control, installation: str) -> list[str]:
    body = {"installation": installation, "reason": "its database is lost"}
    answer = await control.post("/installation/adopt", body)
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()["adopts"]
    return found


async def test_it_is_known_at_every_control_plane(database_url: str) -> None:
    """T5: proxies that ask another one were left standing, and the next word given there forgot
    the first."""
    key = str(generate())
    async with (
        control_plane(database_url, key=key, poll_seconds=0.05) as one,
        control_plane(database_url, key=key, poll_seconds=0.05) as other,
    ):
        assert await adopted(one, A) == [A]
        assert await adopted(other, B) == [A, B]
        for control in (one, other):
            await until(lambda c=control: c.services.to_proxies.get("Figway-Adopts") == f"{A}, {B}")
        assert await adopted(one, A) == [A, B]
        assert await adopted(one, C) == [A, B, C]
