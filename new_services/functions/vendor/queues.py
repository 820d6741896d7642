"""What a function gets from a queue, and what it gives to one.

Source: AWS Lambda developer guide, "Implementing partial batch responses".
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from typing import Any

from new_services.functions.vendor import aws


def each(event: dict[str, Any], work: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Run `work` for the detail of each message; only those that failed come again."""
    failed = []
    for record in event["Records"]:
        try:
            work(_detail(json.loads(record["body"])))
        except Exception:
            traceback.print_exc()
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _detail(body: dict[str, Any]) -> dict[str, Any]:
    """An event of the bus in its envelope, or a message that was sent as it is."""
    if "detail-type" in body and isinstance(body.get("detail"), dict):
        return {**body["detail"], "type": body["detail-type"]}
    return body


def send(queue: str, body: dict[str, Any]) -> None:
    """Send a message. Raises aws.AwsError."""
    account = os.environ.get("AWS_ACCOUNT", "123456789012")
    base = (
        os.environ.get("AWS_ENDPOINT_URL")
        or f"https://sqs.{os.environ['AWS_REGION']}.amazonaws.com"
    )
    message = {"QueueUrl": f"{base}/{account}/{queue}", "MessageBody": json.dumps(body)}
    aws.call("sqs", "SendMessage", message)
