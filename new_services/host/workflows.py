"""StartSyncExecution, which moto's server lacks: started, and looked after until it has ended.

Source: AWS Step Functions API reference, StartSyncExecution. As on AWS, an express
workflow runs again under a name that was used before (moto asks for another, which it gets).
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import Any

from new_services.host.cloud import Cloud
from new_services.host.wire import Request, Response

OPERATION = "AWSStepFunctions.StartSyncExecution"
_LONGEST = 300.0  # seconds that an express workflow may run on AWS
_TOLD = ("executionArn", "stateMachineArn", "name", "startDate", "stopDate", "status", "input")


async def start_sync(cloud: Cloud, request: Request) -> Response:
    """Answer a StartSyncExecution."""
    started = await cloud.pass_on(_as(request, "StartExecution", request.body))
    if started.status == 400 and b"ExecutionAlreadyExists" in started.body:
        order: dict[str, Any] = json.loads(request.body)
        order["name"] = f"{order['name'][:40]}-{uuid.uuid4().hex}"
        started = await cloud.pass_on(_as(request, "StartExecution", json.dumps(order).encode()))
    if started.status != 200:
        return started
    arn = json.loads(started.body)["executionArn"]
    asked = json.dumps({"executionArn": arn}).encode()
    pause, until = 0.02, time.monotonic() + _LONGEST
    while True:
        answer = await cloud.pass_on(_as(request, "DescribeExecution", asked))
        told: dict[str, Any] = json.loads(answer.body) if answer.status == 200 else {}
        if answer.status != 200 or told["status"] != "RUNNING" or time.monotonic() > until:
            break
        await asyncio.sleep(pause)
        pause = min(0.25, pause * 1.3)
    return answer if answer.status != 200 else _ended(told)


def _ended(told: dict[str, Any]) -> Response:
    names = (*_TOLD, *(name for name in ("output", "error", "cause") if told.get(name)))
    shown = {name: told.get(name) for name in names}
    if told["status"] == "RUNNING":
        shown["status"] = "TIMED_OUT"
    headers = [("Content-Type", "application/x-amz-json-1.0")]
    return Response(200, json.dumps(shown).encode(), headers)


def _as(request: Request, operation: str, body: bytes) -> Request:
    headers = {**request.headers, "x-amz-target": f"AWSStepFunctions.{operation}"}
    return Request("POST", "/", "", headers, body)
