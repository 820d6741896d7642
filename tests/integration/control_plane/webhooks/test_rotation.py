"""A secret is changed while receivers go on verifying: two signatures in one header."""

from __future__ import annotations

import asyncio

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from control_plane.clock import now_ms
from control_plane.webhooks.service import OLD_SECRET_MS
from tests.integration.control_plane.webhooks.test_deliveries import _add, _sent, receiver
from tests.support.control import Control
from tests.support.rollouts import set_clock


async def _rotated(control: Control, **more: bool) -> str:
    answer = await control.client.patch("/webhooks/hook", json={"rotate_secret": True, **more})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["secret"])


def _verifies(secret: str, heard: tuple[dict[str, str], bytes]) -> bool:
    headers, body = heard
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


async def test_for_a_day_both_secrets_verify(control: Control) -> None:
    """The public library of the receiver takes the header with two signatures, whichever secret it
    was given; a third secret, a changed body and a message of ten minutes ago do not verify."""
    async with receiver() as there:
        first = (await _add(control, there.url, types=["figway.test"]))["secret"]
        second = await _rotated(control)
        shown = (await control.get("/webhooks"))["items"][0]
        assert shown["old_secret_until_ms"] > now_ms() + OLD_SECRET_MS - 60_000
        await control.post("/webhooks/hook/test", None)
        await _sent(control, there, 1)
        [heard] = there.heard
        assert len(heard[0]["webhook-signature"].split(" ")) == 2
        assert _verifies(first, heard)
        assert _verifies(second, heard)
        headers, body = heard
        assert not _verifies("whsec_" + "A" * 43 + "=", heard)
        assert not _verifies(second, (headers, body + b" "))
        early = str(int(headers["webhook-timestamp"]) - 600)
        assert not _verifies(second, (headers | {"webhook-timestamp": early}, body))
        third = await _rotated(control)
        await control.post("/webhooks/hook/test", None)
        await _sent(control, there, 2)
        heard = there.heard[-1]
        assert [_verifies(one, heard) for one in (first, second, third)] == [False, True, True]


async def test_after_a_day_or_at_once_the_new_one_stands_alone(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that has leaked is dropped with its rotation; else it goes by itself."""
    async with receiver() as there:
        await _add(control, there.url, types=["figway.test"])
        await _rotated(control, drop_old_secret=True)
        await control.post("/webhooks/hook/test", None)
        await _sent(control, there, 1)
        await _rotated(control)
        set_clock(monkeypatch, OLD_SECRET_MS + 60_000)
        await control.post("/webhooks/hook/test", None)
        await _sent(control, there, 2)
        signatures = [headers["webhook-signature"] for headers, _ in there.heard]
        assert [len(one.split(" ")) for one in signatures] == [1, 1]


async def test_each_attempt_is_signed_for_its_own_moment(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver refuses what is older than minutes: a repeat after hours is signed anew, with the
    id of the first."""
    async with receiver() as there:
        there.answers = [503]
        await _add(control, there.url, types=["figway.test"])
        await control.post("/webhooks/hook/test", None)
        await _sent(control, there, 1)
        set_clock(monkeypatch, 3 * 3_600_000)
        await _sent(control, there, 2)
        (first, _), (second, _) = there.heard
        assert first["webhook-id"] == second["webhook-id"]
        passed = int(second["webhook-timestamp"]) - int(first["webhook-timestamp"])
        assert 3 * 3_600 <= passed < 3 * 3_600 + 60


async def test_what_others_change_at_the_same_time_stays(control: Control) -> None:
    """One changes the types, one rotates, one switches it off, all at once: each word holds, and
    no secret that was shown once is gone again."""
    async with receiver() as there:
        await _add(control, there.url, types=["figway.test"])
        bodies = ({"types": ["figway.*"]}, {"rotate_secret": True}, {"enabled": False})
        answers = await asyncio.gather(
            *(control.client.patch("/webhooks/hook", json=body) for body in bodies)
        )
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        kept = await control.services.webhooks.get("hook")
        assert kept.secret == answers[1].json()["secret"]
        assert (kept.types, kept.disabled_ms is not None) == (("figway.*",), True)


async def test_an_endpoint_that_is_deleted_meanwhile_stays_deleted(control: Control) -> None:
    """A change that was on its way does not bring it back, with a secret that nobody has."""
    async with receiver() as there:
        for _ in range(5):
            await _add(control, there.url, types=["figway.test"])
            changed, deleted = await asyncio.gather(
                control.client.patch("/webhooks/hook", json={"types": ["figway.*"]}),
                control.client.delete("/webhooks/hook"),
            )
            assert (changed.status_code in (200, 404), deleted.status_code) == (True, 204)
            assert (await control.get("/webhooks"))["items"] == []
