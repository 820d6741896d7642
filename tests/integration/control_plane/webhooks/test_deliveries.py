"""Events on their way out: signed, once queued, sent again, never to a cloud's metadata."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from control_plane.webhooks.delivery import WAITS_S, Delivered, Unreachable, outcome, reach
from control_plane.webhooks.signing import signature
from control_plane.webhooks.store import WebhookDelivery
from tests.support.control import Control
from tests.support.rollouts import set_clock


class Receiver:
    """A server that keeps what it is sent, and answers as it was told."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.heard.append((headers, body))
        status = self.answers.pop(0) if self.answers else 204
        extra = "Location: http://127.0.0.1:1/\r\n" if status == 302 else ""
        answer = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{extra}Connection: close\r\n\r\n"
        writer.write(answer.encode())
        await writer.drain()
        writer.close()

    def of_type(self, event_type: str) -> list[tuple[dict[str, str], bytes]]:
        return [entry for entry in self.heard if event_type.encode() in entry[1]]


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    found = Receiver()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server:
        yield found


async def _add(control: Control, url: str, **more: Any) -> dict[str, Any]:
    answer = await control.post("/webhooks", {"id": "hook", "url": url, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def _sent(control: Control, there: Receiver, number: int) -> None:
    """Until so many requests have come in, by the control plane's own task or by this."""
    for _ in range(100):
        await control.services.sender.round()
        if len(there.heard) >= number:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(there.heard)


async def test_a_public_library_verifies_what_is_sent(control: Control) -> None:
    """Standard Webhooks: id, timestamp, signature; another secret or body does not verify."""
    await control.seed()
    async with receiver() as there:
        secret = (await _add(control, there.url, types=["figway.route.flipped"]))["secret"]
        await control.flip(500)
        await _sent(control, there, 1)
        headers, body = there.heard[0]
        told = Webhook(secret).verify(body, headers)
        assert told["type"] == "figway.route.flipped"
        assert told["data"]["routes"] == [{"route": "orders", "before": "legacy", "after": "5 %"}]
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body + b" ", headers)
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_" + "A" * 43 + "=").verify(body, headers)
        shown = (await control.get("/webhooks"))["items"][0]
        assert "secret" not in shown


async def test_endpoints_come_by_the_page(control: Control) -> None:
    """By id, each once."""
    for name in ("c", "a", "b"):
        await control.post("/webhooks", {"id": name, "url": "http://127.0.0.1:9/hook"})
    found, cursor = [], ""
    for _ in range(3):
        page = await control.get("/webhooks", limit=1, cursor=cursor)
        found += [entry["id"] for entry in page["items"]]
        cursor = page["next"] or ""
    assert (found, cursor) == (["a", "b", "c"], "")


async def test_cloudevents_and_slack(control: Control) -> None:
    """The same event as CloudEvents 1.0, and as a text that Slack shows without its mark-up."""
    await control.seed()
    async with receiver() as there:
        await _add(control, there.url, form="cloudevents", types=["figway.kill.*"])
        slack = {"id": "slack", "url": there.url + "/T0/secret", "form": "slack",
                 "types": ["figway.kill.*"]}  # fmt: skip
        made = await control.post("/webhooks", slack)
        assert "secret" not in made.json()["url"]
        await control.post("/kill", {"on": True, "reason": "<b> & all"})
        await _sent(control, there, 2)
        events = [json.loads(body) for headers, body in there.heard if "cloud" in str(headers)]
        assert (events[0]["specversion"], events[0]["type"]) == ("1.0", "figway.kill.on")
        assert {"id", "source", "time", "data"} <= events[0].keys()
        texts = [json.loads(body)["text"] for _, body in there.heard if b'"text"' in body]
        assert "&lt;b&gt; &amp; all" in texts[-1]


async def test_a_failure_is_tried_again_with_the_same_id(control: Control) -> None:
    """500, a redirect, then 204: each attempt carries the id of the first, and none follows the
    redirect; a person sends it once more, with that id again."""
    await control.seed()
    async with receiver() as there:
        there.answers = [500, 302]
        await _add(control, there.url, types=["figway.test"])
        assert (await control.post("/webhooks/hook/test", None)).status_code == 202
        await _sent(control, there, 1)
        for number in (2, 3):
            waiting = (await control.get("/deliveries"))["items"][0]
            assert (waiting["status"], waiting["attempts"]) == ("waiting", 1)
            await control.post(f"/deliveries/{waiting['number']}/send", None)
            await _sent(control, there, number)
        delivered = (await control.get("/deliveries"))["items"][0]
        assert (delivered["status"], delivered["last_status"]) == ("delivered", 204)
        await control.post(f"/deliveries/{delivered['number']}/send", None)
        await _sent(control, there, 4)
        assert len({headers["webhook-id"] for headers, _ in there.heard}) == 1


async def test_an_endpoint_that_is_gone_is_disabled(control: Control) -> None:
    """410: nothing more is sent there, and the list says why; switched on it is sent to again."""
    await control.seed()
    async with receiver() as there:
        there.answers = [410]
        await _add(control, there.url, types=["figway.route.*"])
        await control.flip(500)
        await _sent(control, there, 1)
        for _ in range(40):
            found = (await control.get("/webhooks"))["items"][0]
            if not found["enabled"]:
                break
            await asyncio.sleep(0.05)
        assert (found["enabled"], found["disabled_why"]) == (False, "it answered 410 Gone")
        await control.flip(600)
        await control.services.sender.round()
        assert len(there.heard) == 1
        await control.client.patch("/webhooks/hook", json={"enabled": True})
        await control.flip(700)
        await _sent(control, there, 2)


async def test_no_event_without_its_change_and_no_change_without_its_event(
    control: Control,
) -> None:
    """The outbox is written in the transaction of the revision: a refused change tells nothing."""
    await control.seed()
    before = len((await control.get("/out-events"))["items"])
    assert (await control.flip(20_000)).status_code == 422
    assert len((await control.get("/out-events"))["items"]) == before
    await control.flip(500)
    events = (await control.get("/out-events"))["items"]
    assert len(events) == before + 1
    assert events[0]["data"]["revision"] == control.services.state.current.revision


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://[fe80::1]/",
        "http://0xa9fea9fe/",
        "http://metadata.google.internal/",
        "http://user:pw@example.com/",
        "ftp://example.com/",
        "https:///nowhere",
        "http://example.com/a b",
    ],
)
async def test_addresses_are_held_to_the_rules_of_backends(control: Control, url: str) -> None:
    """A cloud's credentials are no webhook's business; nothing is kept."""
    answer = await control.post("/webhooks", {"id": "hook", "url": url})
    assert answer.status_code == 422, answer.text
    assert (await control.get("/webhooks"))["items"] == []


async def test_a_name_that_resolves_to_metadata_is_not_sent_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a name means is looked up before each attempt."""
    loop = asyncio.get_running_loop()

    async def resolved(*_: Any, **__: Any) -> Any:
        return [(2, 1, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(loop, "getaddrinfo", resolved)
    with pytest.raises(Unreachable, match="metadata"):
        await reach("http://innocent.example/")


async def test_a_clock_that_was_ahead_delays_no_delivery(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt failed while the clock was 90 days ahead: the next one is not in 90 days."""
    async with receiver() as there:
        there.answers = [500]
        set_clock(monkeypatch, 90 * 24 * 3_600_000)
        await _add(control, there.url, types=["figway.test"])
        await control.post("/webhooks/hook/test", None)
        await _sent(control, there, 1)
        set_clock(monkeypatch, 0)
        await _sent(control, there, 2)
        (first, _), (second, _) = there.heard
        assert first["webhook-id"] == second["webhook-id"]


def test_the_pauses_between_attempts() -> None:
    """They grow to ten hours, honour Retry-After, and end."""
    found = WebhookDelivery(
        number=1, event="e", endpoint="h", status="waiting", attempts=0, next_ms=0, at_ms=0,
        last_status=None, last_error="",
    )  # fmt: skip
    assert outcome(found, Delivered(503, "HTTP 503"), 0)["next_ms"] == WAITS_S[0] * 1_000
    assert outcome(found, Delivered(429, "HTTP 429", 90), 0)["next_ms"] == 90_000
    late = WebhookDelivery(
        number=1, event="e", endpoint="h", status="waiting", attempts=len(WAITS_S), next_ms=0,
        at_ms=0, last_status=None, last_error="",
    )  # fmt: skip
    assert outcome(late, Delivered(None, "no answer"), 0)["status"] == "failed"


def test_the_vector_of_the_specification() -> None:
    """The example of standardwebhooks.com, signed by ours."""
    found = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
        b'{"test": 2432232314}',
    )  # fmt: skip
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_proxies_lost_tables_refused_and_breakers_are_events(control: Control) -> None:
    """Each once, however often it is looked for."""
    await control.seed()
    now = control.services.state.current
    refused = {"revision": now.revision, "etag": now.etag, "findings": []}
    await control.ack("p1", 1, "old", refused=refused)
    opened = {"at_ms": now.created_ms, "kind": "breaker", "route": "orders", "backend": "fn",
              "from": "closed", "to": "open"}  # fmt: skip
    report = {"instance": "p1", "boot": "b1", "sequence": 1, "from_ms": now.created_ms,
              "to_ms": now.created_ms, "events": [opened, {**opened, "worker": 1}]}  # fmt: skip
    assert (await control.post("/reports", report)).status_code == 200
    await control.ack("gone", now.revision, now.etag)
    await _silence(control, "gone")
    for _ in range(3):
        await control.services.ticker.round()
    types = [entry["type"] for entry in (await control.get("/out-events"))["items"]]
    for kind in ("figway.table.refused", "figway.breaker.opened", "figway.proxy.lost"):
        assert types.count(kind) == 1, types


async def _silence(control: Control, instance: str) -> None:
    from sqlalchemy import update

    from control_plane.db.models import InstanceRow

    async with control.services.database.write() as connection:
        await connection.execute(
            update(InstanceRow)
            .where(InstanceRow.instance == instance)
            .values(seen_ms=InstanceRow.seen_ms - 60_000)
        )
