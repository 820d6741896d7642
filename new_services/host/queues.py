"""Event source mappings: queues are polled, and functions invoked with what was found.

Source: AWS Lambda developer guide, "Using Lambda with Amazon SQS". A message is deleted when its
invocation succeeded and does not name it in `batchItemFailures`; else it comes back when its
visibility timeout is over, until the queue's redrive policy puts it aside.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from new_services.host.cloud import Cloud, CloudError
from new_services.host.invocation import Outcome
from new_services.host.layout import Function, Layout
from new_services.host.log import say

_SHORTEST, _LONGEST = 0.05, 0.4
"""Seconds between two looks into an empty queue."""
_AFTER_ERROR = 1.0

Deliver = Callable[[bytes], Awaitable[Outcome | None]]
"""Invokes the function with an event; None when it was not invoked at all."""


async def poll(function: Function, layout: Layout, cloud: Cloud, deliver: Deliver) -> None:
    """Work off a function's queue until cancelled."""
    queue, pause, failing = f"{cloud.url}/{layout.account}/{function.queue}", _SHORTEST, False
    wanted = {
        "QueueUrl": queue,
        "MaxNumberOfMessages": function.batch,
        "AttributeNames": ["All"],
        "MessageAttributeNames": ["All"],
    }
    while True:
        try:
            found = (await cloud.sqs("ReceiveMessage", wanted)).get("Messages", [])
            if found:
                event = {"Records": [_record(one, function, layout) for one in found]}
                await _settle(cloud, queue, event, await deliver(json.dumps(event).encode()))
            failing = False
        except CloudError as error:
            if not failing:
                say(f"[{function.name}] its queue cannot be read; trying again: {error}")
            failing = True
            await asyncio.sleep(_AFTER_ERROR)
            continue
        pause = _SHORTEST if found else min(_LONGEST, pause * 1.5)
        if not found:
            await asyncio.sleep(pause)


def _record(message: dict[str, Any], function: Function, layout: Layout) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": message.get("MessageAttributes", {}),
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{layout.region}:{layout.account}:{function.queue}",
        "awsRegion": layout.region,
    }


async def _settle(cloud: Cloud, queue: str, event: dict[str, Any], outcome: Outcome | None) -> None:
    if outcome is None or outcome.failed:
        return
    answer = json.loads(outcome.payload)
    left = answer.get("batchItemFailures", []) if isinstance(answer, dict) else []
    failed = {one["itemIdentifier"] for one in left}
    for record in event["Records"]:
        if record["messageId"] not in failed:
            handle = {"QueueUrl": queue, "ReceiptHandle": record["receiptHandle"]}
            await cloud.sqs("DeleteMessage", handle)
