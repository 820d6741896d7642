"""Makes the resources on an endpoint that stands for AWS, by its own APIs."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from new_services.cloud.resources import Queue, Resources, Workflow
from new_services.functions.vendor import aws

_DEAD_FOR = "1209600"  # seconds that dead letters are kept: two weeks, the most there is


def _call(service: str, operation: str, body: dict[str, Any]) -> None:
    # The first state machine makes the server load its interpreter.
    aws.call(service, operation, body, timeout=60)


class Provision:
    """The resources of one account and region."""

    def __init__(self, resources: Resources, region: str, account: str) -> None:
        self._resources = resources
        self._region = region
        self._account = account

    def all(self) -> None:
        """Make everything. Raises aws.AwsError."""
        _call("events", "CreateEventBus", {"Name": self._resources.bus})
        for queue in self._resources.queues:
            self._queue(queue)
        for queue in self._resources.queues:
            self._rule(queue)
        for workflow in self._resources.workflows:
            self._workflow(workflow)
        self.put("", b"")

    def arn(self, service: str, name: str) -> str:
        """The ARN of a resource."""
        return f"arn:aws:{service}:{self._region}:{self._account}:{name}"

    def _queue(self, queue: Queue) -> None:
        if not queue.dead:
            dead = {
                "QueueName": queue.dead_letters,
                "Attributes": {"MessageRetentionPeriod": _DEAD_FOR},
            }
            _call("sqs", "CreateQueue", dead)
        redrive = {
            "deadLetterTargetArn": self.arn("sqs", queue.dead_letters),
            "maxReceiveCount": queue.attempts,
        }
        attributes = {
            "VisibilityTimeout": str(queue.visibility),
            "RedrivePolicy": json.dumps(redrive),
        }
        _call("sqs", "CreateQueue", {"QueueName": queue.name, "Attributes": attributes})

    def _rule(self, queue: Queue) -> None:
        if not queue.events:
            return
        bus = self._resources.bus
        pattern = json.dumps({"source": ["wayfarer"], "detail-type": list(queue.events)})
        rule = {"Name": queue.name, "EventBusName": bus, "EventPattern": pattern}
        _call("events", "PutRule", {**rule, "State": "ENABLED"})
        target = {"Id": queue.name, "Arn": self.arn("sqs", queue.name)}
        targets = {"Rule": queue.name, "EventBusName": bus, "Targets": [target]}
        _call("events", "PutTargets", targets)

    def _workflow(self, workflow: Workflow) -> None:
        machine = {
            "name": workflow.name,
            "definition": workflow.text(),
            "type": "EXPRESS",
            "roleArn": f"arn:aws:iam::{self._account}:role/workflows",
        }
        _call("states", "CreateStateMachine", machine)

    def put(
        self, key: str, content: bytes, content_type: str = "text/plain; charset=utf-8"
    ) -> None:
        """Put an object into the bucket; without a key, make the bucket. Raises aws.AwsError."""
        path = f"/{self._resources.bucket}/{quote(key)}" if key else f"/{self._resources.bucket}"
        body = content
        if not key:
            where = "http://s3.amazonaws.com/doc/2006-03-01/"
            body = (
                f'<CreateBucketConfiguration xmlns="{where}"><LocationConstraint>{self._region}'
                "</LocationConstraint></CreateBucketConfiguration>"
            ).encode()
        answer = aws.request("s3", "PUT", path, body, {"content-type": content_type}, timeout=30)
        if answer.status != 200:
            raise aws.AwsError("s3", answer.status, answer.body.decode("utf-8", "replace")[:300])
