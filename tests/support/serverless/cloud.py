"""AWS by moto's server on loopback: the production code finds it by AWS_ENDPOINT_URL alone."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
}


class Cloud:
    """SQS, S3 and Secrets Manager, with a queue, a bucket and a key in them."""

    def __init__(self, endpoint: str, key: str) -> None:
        self.endpoint = endpoint
        self.sqs = self.client("sqs")
        self.s3 = self.client("s3")
        self.secrets = self.client("secretsmanager")
        self.bucket = "figway-captures"
        self.s3.create_bucket(Bucket=self.bucket)
        self.queue_url = self.sqs.create_queue(
            QueueName="figway-shadow", Attributes={"MaximumMessageSize": "1048576"}
        )["QueueUrl"]
        self.secret = self.secrets.create_secret(
            Name="figway/control-key", SecretString=json.dumps({"key": key})
        )["ARN"]

    def client(self, name: str) -> Any:
        """A client of any service."""
        return boto3.client(
            name,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "FIGWAY_SHADOW_QUEUE_URL": self.queue_url,
            "FIGWAY_SHADOW_BUCKET": self.bucket,
        }

    def take(self) -> dict[str, Any]:
        """The event that SQS would trigger the worker with: up to ten messages."""
        found = self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, AttributeNames=["All"]
        )
        records = [
            {
                "messageId": item["MessageId"],
                "receiptHandle": item["ReceiptHandle"],
                "body": item["Body"],
                "attributes": item.get("Attributes", {}),
                "eventSource": "aws:sqs",
            }
            for item in found.get("Messages", [])
        ]
        return {"Records": records}

    def settle(self, event: dict[str, Any], result: dict[str, Any]) -> list[str]:
        """Delete what did not fail, as the platform does; what did."""
        failed = [item["itemIdentifier"] for item in result["batchItemFailures"]]
        for record in event["Records"]:
            if record["messageId"] not in failed:
                self.sqs.delete_message(
                    QueueUrl=self.queue_url, ReceiptHandle=record["receiptHandle"]
                )
        return failed


@contextmanager
def cloud(key: str = "key") -> Iterator[Cloud]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a call, else
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        # Servers of one process share what they hold: nothing of the one before is wanted.
        urlopen(Request(f"{endpoint}/moto-api/reset", method="POST"), timeout=10).close()
        yield Cloud(endpoint, key)
    finally:
        server.stop()
