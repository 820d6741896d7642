"""Workflows that the client waits for, by a real interpreter of the States Language: Figway's own
upstream calls StartSyncExecution of the host, behind which moto's interpreter runs the machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from figway.model.backend import AwsResource, Backend, BackendKind, Timeouts
from figway.model.words import Side as WhichSide
from proxy.loop.deadlines import DeadlineTimer
from proxy.upstreams.factory import open_upstream
from proxy.wire.message import OutboundRequest, RequestPlace
from tests.support.peer import Sink
from tests.system.new_services import sagas
from tests.system.new_services.clouds import MACHINE, Side, new_side

_ROLE = "arn:aws:iam::123456789012:role/r"


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    with new_side(tmp_path_factory.mktemp("shop")) as side:
        yield side


def machine(side: Side, name: str, state: dict[str, Any], **more: Any) -> str:
    """An express state machine of one state; its ARN."""
    definition = {"StartAt": "S", "States": {"S": state}, **more}
    order = {"name": name, "roleArn": _ROLE, "type": "EXPRESS"}
    made = side.aws("states", "CreateStateMachine", {**order, "definition": json.dumps(definition)})
    return str(made["stateMachineArn"])


async def ask(side: Side, arn: str, body: bytes, *headers: tuple[bytes, bytes]) -> Sink:
    """One request as the facade hands it on."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
    backend = Backend(
        id="workflow",
        side=WhichSide.NEW,
        kind=BackendKind.WORKFLOW,
        region="eu-central-1",
        endpoint_url=f"http://127.0.0.1:{side.host.port}",
        timeouts=Timeouts(head_ms=60_000),
        aws=AwsResource(resource=arn),
    )
    timer = DeadlineTimer(10)
    timer.start()
    upstream = open_upstream(backend, timer)
    made = OutboundRequest(
        "POST",
        b"/api/bookings",
        [(b"Host", b"shop.example"), (b"Content-Type", b"application/json"), *headers],
        has_body=True,
        content_length=len(body),
    )
    made.place = RequestPlace("bookings", {}, b"user-7")
    sink = Sink()
    try:
        sending = upstream.send(made, sink)
        sending.write(body)
        sending.end()
        await sink.done.wait()
    finally:
        await upstream.close()
        timer.stop()
    return sink


@pytest.mark.timeout(120)
async def test_success_is_the_output(side: Side) -> None:
    plain = machine(side, "plain", {"Type": "Pass", "Result": {"price": 7}, "End": True})
    sink = await ask(side, plain, b"{}")
    assert (sink.head.status, json.loads(sink.body)) == (200, {"price": 7})
    answer = {"statusCode": 201, "headers": {"x-booking": "7"}, "body": "booked"}
    shaped = machine(side, "shaped", {"Type": "Pass", "Result": answer, "End": True})
    sink = await ask(side, shaped, b"{}")
    assert (sink.head.status, sink.body) == (201, b"booked")
    assert (b"x-booking", b"7") in [(name.lower(), value) for name, value in sink.head.headers]
    echo = machine(side, "echo", {"Type": "Pass", "OutputPath": "$.body", "End": True})
    assert (await ask(side, echo, b'{"a": 1}')).body == b'{"a": 1}'  # a text is the body itself


@pytest.mark.timeout(120)
async def test_failure_and_time_out_have_their_names(side: Side) -> None:
    fail = machine(side, "fails", {"Type": "Fail", "Error": "NoRoom", "Cause": "s3cret"})
    sink = await ask(side, fail, b"{}")
    assert sink.events == ["failed workflow_failed SOME"]
    assert sink.failure is not None
    assert "NoRoom" in sink.failure.detail
    assert "s3cret" not in sink.failure.detail
    waits = {"Type": "Wait", "Seconds": 20, "End": True}
    slow = machine(side, "waits", waits, TimeoutSeconds=1)
    assert (await ask(side, slow, b"{}")).events == ["failed workflow_timed_out SOME"]


@pytest.mark.timeout(300)
async def test_a_repeated_key_books_once(side: Side) -> None:
    """An express workflow runs again under its name: the saga's first step knows the id."""
    wish = sagas.wishes(side, 1)[0] | {"from": "2027-07-01", "to": "2027-07-03"}
    key = (b"Idempotency-Key", b"repeated-7")
    first, again = [await ask(side, MACHINE, json.dumps(wish).encode(), key) for _ in range(2)]
    assert (first.head.status, again.head.status) == (201, 201)
    assert json.loads(first.body)["id"] == json.loads(again.body)["id"]
    found = [one for one in side.run("saga-audit")["sagas"] if one["id"] == "repeated-7"]
    assert [one["state"] for one in found] == ["confirmed"]
