"""What the new side does beside single functions: each pattern by what can be counted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.system.new_services import sagas
from tests.system.new_services.clouds import Side, new_side

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    with new_side(tmp_path_factory.mktemp("shop"), WEBHOOK_SECRET=SECRET) as side:
        yield side


def _calls(side: Side, *functions: str) -> list[int]:
    return [side.host.stats(name).get("invocations", 0) for name in functions]


@pytest.mark.timeout(300)
def test_graphql_asks_each_service_once_a_level(side: Side) -> None:
    """No N+1: 50 bookings with their hotels and users are three invocations, not 101."""
    services = ("bookings-batch", "catalogue-batch", "users-batch")
    before = _calls(side, *services)
    query = "{ bookings(first: 50) { id hotel { name city } user { name } } }"
    answer = side.ask("graphql", "POST", "/graphql", {"query": query}).json()
    assert "errors" not in answer
    found = answer["data"]["bookings"]
    assert len(found) == 50
    assert all(one["hotel"]["name"] and one["user"]["name"] for one in found)
    after = _calls(side, *services)
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1]


@pytest.mark.timeout(300)
def test_graphql_says_which_service_did_not_answer(side: Side) -> None:
    side.host.fault(function="users-batch", kind="service", times=1)
    query = '{ booking(id: "WF-100001") { id user { name } hotel { name } } }'
    answer = side.ask("graphql", "POST", "/graphql", {"query": query}).json()
    assert answer["errors"][0]["extensions"] == {
        "code": "SERVICE_UNAVAILABLE",
        "service": "users",
    }
    booking = answer["data"]["booking"]
    assert (booking["user"], bool(booking["hotel"]["name"])) == (None, True)


def _owner(side: Side, booking: str) -> str:
    return str(
        httpx.get(f"{side.legacy}/api/bookings/{booking}", trust_env=False, timeout=60).json()[
            "user_id"
        ]
    )


@pytest.mark.timeout(300)
def test_a_trip_is_whole_or_says_what_is_missing(side: Side) -> None:
    owner, path = _owner(side, "WF-100004"), "/api/me/trips/WF-100004"
    whole: dict[str, Any] = {}

    def complete() -> bool:  # warm functions answer within the deadline
        whole.update(side.ask("trip", "GET", path, x_user=owner).json())
        return whole["missing"] == []

    side.until(complete)
    assert str(whole["user"]["id"]) == owner
    assert whole["hotel"]["id"] == whole["booking"]["hotel_id"]
    assert whole["availability"]["nights"] == whole["booking"]["nights"]
    # Stopped before it runs: a real time-out of five seconds, of which the page waits 0.8.
    side.host.fault(function="catalogue-availability", kind="hang", times=1)
    began = time.monotonic()
    part = side.ask("trip", "GET", path, x_user=owner)
    assert time.monotonic() - began < 4
    assert (part.status, part.json()["missing"]) == (200, ["availability"])
    assert part.json()["availability"] is None
    assert part.json()["hotel"]["id"] == whole["hotel"]["id"]


@pytest.mark.timeout(300)
def test_a_trip_comes_small_for_a_phone_and_to_its_owner_alone(side: Side) -> None:
    owner, path = _owner(side, "WF-100004"), "/api/me/trips/WF-100004"
    small: dict[str, Any] = {}

    def complete() -> bool:
        answer = side.ask("trip", "GET", path, x_user=owner, x_client="mobile")
        small.update(answer.json())
        assert "X-Client" in answer.headers["vary"]
        return small["missing"] == []

    side.until(complete)
    assert set(small["user"]) == {"name"}
    assert "rooms" not in small["hotel"]
    assert side.ask("trip", "GET", path, x_user="399").status == 404
    assert side.ask("trip", "GET", path).status == 401
    assert side.ask("trip", "GET", "/api/me/trips/WF-1", x_user="1").status == 404


@pytest.mark.timeout(300)
def test_events_reach_mails_points_and_the_view_once(side: Side) -> None:
    """Published by the saga and by legacy; an event that comes twice counts once."""
    user = {"x_user": "37"}
    wish = {**sagas.wishes(side, 1)[0], "user_id": 37, "from": "2027-08-02", "to": "2027-08-04"}
    booking = side.book(f"events-{uuid.uuid4()}", wish).json()

    def view() -> Any:
        return side.ask("trips-list", "GET", "/api/me/trips", **user).json()

    side.until(lambda: any(one["id"] == booking["id"] for one in view()["items"]))
    side.until(lambda: len(view()["mails"]) == 1 and view()["points"] > 0)
    before = view()
    assert before["points"] == int(float(booking["total"]["amount"]))
    assert before["view"]["max_ms"] >= before["view"]["p50_ms"] >= 0
    event = {
        "detail-type": "booking.created",
        "source": "wayfarer",
        "detail": {"id": "twice", "at": "2026-01-01T00:00:00Z", "data": {"booking": booking}},
    }
    for queue in ("notifications", "loyalty", "trips-view"):
        for _ in range(2):
            url = f"http://localhost/123456789012/{queue}"
            side.aws("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": json.dumps(event)})
    side.until(lambda: view()["points"] > before["points"])
    time.sleep(1.5)
    after = view()
    assert after["points"] == 2 * before["points"]
    assert len(after["mails"]) == 2
    assert len(after["items"]) == len(before["items"])


@pytest.mark.timeout(300)
def test_what_legacy_books_is_published_too(side: Side) -> None:
    wish = {**sagas.wishes(side, 1)[0], "user_id": 38, "from": "2027-08-02", "to": "2027-08-04"}
    made = httpx.post(f"{side.legacy}/api/bookings", json=wish, trust_env=False, timeout=60).json()

    def seen() -> bool:
        view = side.ask("trips-list", "GET", "/api/me/trips", x_user="38").json()
        return [one["id"] for one in view["items"]] == [made["id"]] and bool(view["mails"])

    side.until(seen)


@pytest.mark.timeout(300)
def test_a_burst_of_exports_is_taken_at_once_and_worked_off_later(side: Side) -> None:
    """202 with a status to ask for; each job is done once, by one worker, five a time."""
    asked = [side.ask("exports-start", "POST", "/api/exports", {}) for _ in range(40)]
    assert {one.status for one in asked} == {202}
    where = [one.headers["location"].partition("shop.example")[2] for one in asked]
    assert len(set(where)) == 40

    def states() -> list[Any]:
        return [side.ask("exports-status", "GET", path).json() for path in where]

    side.until(lambda: all(one["status"] == "done" for one in states()), 60)
    done = states()
    assert {one["runs"] for one in done} == {1}
    assert all(one["bytes"] > 10_000 for one in done)
    assert side.host.stats("exports-worker")["processes"] == 1
    assert side.ask("exports-status", "GET", "/api/exports/a%20b").status == 404


@pytest.mark.timeout(300)
def test_a_job_that_is_delivered_twice_is_done_once(side: Side) -> None:
    job = f"twice-{uuid.uuid4()}"
    for _ in range(2):
        side.ask("exports-start", "POST", "/api/exports", {}, idempotency_key=job)

    def done() -> bool:
        told = side.ask("exports-status", "GET", f"/api/exports/{job}").json()
        return told["status"] == "done" and told["runs"] == 2

    side.until(done)
    numbers = side.ask("exports-status", "GET", f"/api/exports/{job}").json()["number"]
    assert isinstance(numbers, int)


def _webhook(
    body: bytes, number: str, at: int | None = None, secret: str = SECRET
) -> dict[str, str]:
    stamp = str(int(time.time()) if at is None else at)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{number}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook_id": number, "webhook_timestamp": stamp, "webhook_signature": signature}


def _post(side: Side, body: bytes, headers: dict[str, str]) -> int:
    return side.ask(
        "payments-webhook", "POST", "/webhooks/payments", body.decode(), **headers
    ).status


def _settled(side: Side) -> dict[str, tuple[str, int]]:
    return {one[0]: (one[1], one[2]) for one in side.run("payments-settled")["items"]}


@pytest.mark.timeout(300)
def test_webhooks_that_are_forged_or_stale_are_refused(side: Side) -> None:
    body, number = b'{"type": "payment.received", "data": {"id": 1}}', f"msg_{uuid.uuid4().hex}"
    good = _webhook(body, number)
    Webhook(SECRET).verify(body.decode(), {k.replace("_", "-"): v for k, v in good.items()})
    other = "whsec_" + base64.b64encode(b"not the secret of the shop......").decode()
    forged = [
        _webhook(body, number, secret=other),
        {**good, "webhook_signature": "v1,AAAA"},
        {**good, "webhook_signature": "v2," + good["webhook_signature"][3:]},
        {**good, "webhook_id": "msg_other"},
        _webhook(body, number, at=int(time.time()) - 400),
        _webhook(body, number, at=int(time.time()) + 400),
    ]
    assert [_post(side, body, one) for one in forged] == [401] * 6
    assert _post(side, body + b" ", good) == 401
    assert _post(side, body, {k: v for k, v in good.items() if k != "webhook_id"}) == 400
    assert number not in _settled(side)
    rotated = {**good, "webhook_signature": f"v1,AAAA {good['webhook_signature']}"}
    assert _post(side, body, rotated) == 204
    side.until(lambda: number in _settled(side))


@pytest.mark.timeout(300)
def test_a_webhook_that_comes_again_is_taken_and_settled_once(side: Side) -> None:
    """The stub's sender, and its last webhook replayed byte for byte."""

    with (
        httpx.Client(base_url=side.legacy, trust_env=False, timeout=60) as shop,
        _Front(side) as url,
    ):
        shop.put("/internal/webhooks", json={"url": url, "secret": SECRET}).raise_for_status()
        wish = sagas.wishes(side, 1)[0] | {"from": "2027-09-06", "to": "2027-09-08"}
        booking = shop.post("/api/bookings", json=wish).json()
        before = len(_settled(side))
        pay = {"amount": {"amount": "1.00", "currency": "EUR"}, "method": "transfer"}
        shop.post(f"/api/bookings/{booking['id']}/payments", json=pay).raise_for_status()
        side.until(lambda: len(_settled(side)) == before + 1)
        assert shop.post("/internal/webhooks/again").json()["status"] == 204
        time.sleep(1.5)
        settled = _settled(side)
        assert len(settled) == before + 1
        assert list(settled.values())[-1][1] == 1
        shop.put("/internal/webhooks", json={"url": None}).raise_for_status()


class _Front:
    """A URL for the receiver: what an HTTP API does before a function, for one path."""

    def __init__(self, side: Side) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                names = {k.lower().replace("-", "_"): v for k, v in self.headers.items()}
                names.pop("host")
                self.send_response(_post(side, body, names))
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}/webhooks/payments"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.timeout(300)
def test_brochures_come_from_the_bucket_as_legacy_has_them(side: Side) -> None:
    there = httpx.get(f"{side.legacy}/brochures/hotel-3.txt", trust_env=False, timeout=60)
    here = side.object("/wayfarer-brochures/brochures/hotel-3.txt")
    assert (here.status, here.body) == (200, there.content)
    assert here.headers["etag"] == there.headers["etag"]
    assert side.object("/wayfarer-brochures/brochures/none.txt").status == 404
    assert side.host.send("GET", "/wayfarer-brochures/brochures/hotel-3.txt").status == 403
