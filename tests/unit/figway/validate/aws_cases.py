"""Tables with broken queues, buses, topics, workflows and signatures, each with its finding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from figway.model.backend import (
    AwsResource,
    Backend,
    BackendKind,
    CredentialHeader,
    RedisStream,
    Signing,
    WorkflowMode,
)
from figway.model.comparison import ShadowPolicy
from figway.model.table import Route, Stage, Table
from figway.model.words import Side
from tests.support.tables import LEGACY, NEW, route, table

QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/exports"
FIFO_URL = f"{QUEUE_URL}.fifo"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:bookings"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:booked"
POST = ("POST",)


def handing(kind: BackendKind, resource: str, **fields: Any) -> Backend:
    """A backend that hands requests on; fields of `aws` and of the backend by their names."""
    own = {name: fields.pop(name) for name in list(fields) if name in Backend.__dataclass_fields__}
    aws = AwsResource(resource=resource, **fields)
    return Backend(id="handing", **{"side": Side.NEW, "kind": kind, "aws": aws, **own})


def queue(resource: str = QUEUE_URL, **fields: Any) -> Backend:
    return handing(BackendKind.QUEUE, resource, **fields)


def events(resource: str = "shop", **fields: Any) -> Backend:
    return handing(BackendKind.EVENTS, resource, **fields)


def workflow(resource: str = MACHINE, **fields: Any) -> Backend:
    return handing(BackendKind.WORKFLOW, resource, **fields)


def with_one(backend: Backend, *routes: Route) -> Table:
    return table(*routes, backends=[LEGACY, NEW, backend])


def led(backend: Backend, path: str = "/exports/{kind}", **fields: Any) -> Table:
    """A table with a route that leads to `backend`."""
    fields = {"new": "handing", "stage": Stage.NEW, "methods": POST, **fields}
    return with_one(backend, route("r", path, **fields))


def signed(**fields: Any) -> Table:
    return table(backends=[LEGACY, replace(NEW, **fields)])


def stream(url: str = "redis://10.0.0.7:6379/0", **fields: Any) -> Backend:
    """A queue in Redis; fields of the stream and of the backend by their names."""
    own = {name: fields.pop(name) for name in list(fields) if name in Backend.__dataclass_fields__}
    made = RedisStream(**{"name": "jobs", **fields})
    given = {"kind": BackendKind.QUEUE, "side": Side.NEW, "url": url, "stream": made, **own}
    return Backend(id="handing", **given)


SECRET = CredentialHeader(header="Authorization", value="env:FIGWAY_SECRET_X")
CASES: list[tuple[str, Table]] = [
    ("resource_missing", with_one(queue(""))),
    ("resource_missing", with_one(workflow(""))),
    ("resource_invalid", with_one(queue("arn:aws:sns:eu-west-1:123456789012:exports"))),
    ("resource_invalid", with_one(workflow("bookings"))),
    ("resource_invalid", with_one(events("arn:aws:sqs:eu-west-1:123456789012:exports"))),
    ("resource_invalid", with_one(events("a bus"))),
    ("url_invalid", with_one(queue("exports"))),
    ("url_userinfo", with_one(queue("https://key:secret@sqs.eu-west-1.amazonaws.com/1/q"))),
    ("address_link_local", with_one(queue("http://169.254.169.254/1/q"))),
    ("address_link_local", with_one(workflow(endpoint_url="http://169.254.169.254"))),
    ("handed_on_legacy", with_one(queue(side=Side.LEGACY))),
    ("handed_on_legacy", with_one(workflow(side=Side.LEGACY))),
    ("url_unused", with_one(queue(url="http://10.0.0.1"))),
    ("url_unused", with_one(queue(urls=("http://10.0.0.1",)))),
    ("function_unused", with_one(events(function="f"))),
    ("location_invalid", with_one(queue(location="exports/{id}"))),
    ("location_invalid", with_one(queue(location="/exports/{id"))),
    ("location_invalid", with_one(queue(location="/exports/{}"))),
    ("location_invalid", with_one(queue(location="/exports/\r\nSet-Cookie: a=1"))),
    ("location_invalid", with_one(queue(location="javascript:alert(1)"))),
    ("retry_after_range", with_one(queue(retry_after_s=-1))),
    ("group_invalid", with_one(queue(FIFO_URL, group_by="body:x"))),
    ("group_invalid", with_one(queue(FIFO_URL, group_by="header:a b"))),
    ("event_name_invalid", with_one(events(source=""))),
    ("event_name_invalid", with_one(events(detail_type="x" * 129))),
    ("credential_invalid", with_one(queue(credentials=(SECRET,)))),
    ("stream_invalid", with_one(stream(stream=RedisStream()))),
    ("stream_invalid", with_one(stream(name="", max_length=5))),
    ("stream_invalid", with_one(stream(name="a b"))),
    ("stream_invalid", with_one(stream(name="x" * 513))),
    ("stream_invalid", with_one(stream(user="figway"))),
    ("stream_invalid", with_one(stream(aws=AwsResource(resource=QUEUE_URL)))),
    ("stream_range", with_one(stream(max_length=-1))),
    ("stream_range", with_one(stream(dedupe_s=604_801))),
    ("stream_unused", signed(stream=RedisStream(name="jobs"))),
    ("stream_unused", with_one(events(stream=RedisStream(name="jobs")))),
    ("url_missing", with_one(stream(""))),
    ("url_invalid", with_one(stream("http://10.0.0.7:6379"))),
    ("url_invalid", with_one(stream("redis://10.0.0.7:6379/jobs"))),
    ("url_invalid", with_one(stream("redis://[::1"))),
    ("url_invalid", with_one(stream("redis:///0"))),
    ("url_invalid", signed(url="redis://10.0.0.7:6379")),
    ("url_userinfo", with_one(stream("rediss://figway:s3cret@10.0.0.7"))),
    ("url_query", with_one(stream("redis://10.0.0.7/0?password=s3cret"))),
    ("address_link_local", with_one(stream("redis://169.254.169.254"))),
    ("credential_invalid", with_one(stream(password="s3cret"))),
    ("credential_invalid", with_one(stream(password="file:/run/../etc/shadow"))),
    ("credential_invalid", with_one(stream(credentials=(SECRET,)))),
    ("aws_unused", with_one(stream(region="eu-west-1"))),
    ("aws_unused", with_one(stream(endpoint_url="http://10.0.0.8"))),
    ("aws_unused", with_one(stream(aws=AwsResource(group_by="header:x")))),
    ("handed_on_legacy", with_one(stream(side=Side.LEGACY))),
    ("async_not_comparable", led(stream(), stage=Stage.SHADOW)),
    ("variable_unknown", led(stream(aws=AwsResource(location="/jobs/{account}/{id}")))),
    ("sign_invalid", signed(sign=Signing(service="S3 bucket"))),
    ("sign_invalid", signed(sign=Signing(service="s3", region="Europe"))),
    ("sign_invalid", signed(sign=Signing(region="eu-west-1"))),
    ("url_unused", signed(sign=Signing(service="s3"), urls=("http://10.0.0.2",))),
    ("aws_unused", signed(aws=AwsResource(resource=QUEUE_URL))),
    ("aws_unused", with_one(queue(sign=Signing(service="sqs", region="eu-west-1")))),
    ("aws_unused", with_one(queue(mode=WorkflowMode.START))),
    ("aws_unused", with_one(queue(respond_async=True))),
    ("aws_unused", with_one(queue(group_by="header:x"))),
    ("aws_unused", with_one(workflow(location="/a/{id}"))),
    ("aws_unused", with_one(events(TOPIC, source="shop"))),
    ("async_not_comparable", led(queue(), stage=Stage.SHADOW)),
    ("async_not_comparable", led(events(), stage=Stage.SHADOW)),
    ("async_not_comparable", led(workflow(mode=WorkflowMode.START), stage=Stage.SHADOW)),
    ("shadow_copies_nothing", led(workflow(), stage=Stage.SHADOW, methods=("GET",))),
    ("variable_unknown", led(queue(location="/exports/{account}/{id}"))),
    ("variable_unknown", led(queue(location="/exports/{path.id}/{id}"))),
    ("variable_unknown", led(queue(FIFO_URL, group_by="path:account"))),
    ("reads_handed_on", led(queue(), methods=())),
    ("reads_handed_on", led(queue(), reads=POST)),
    ("reads_handed_on", led(workflow(), reads=POST)),
    ("reads_handed_on", led(events(), methods=("GET", "POST"))),
]
SOUND: list[Table] = [
    led(queue(location="/exports/{kind}/{id}", retry_after_s=2)),
    led(queue(FIFO_URL, group_by="header:X-Account")),
    led(queue(FIFO_URL, group_by="path:kind")),
    led(queue("arn:aws:sqs:eu-west-1:123456789012:exports.fifo")),
    led(queue("http://127.0.0.1:5000/123456789012/exports")),
    led(stream(aws=AwsResource(location="/exports/{kind}/{id}", retry_after_s=2))),
    led(stream("rediss://redis.internal", user="figway", password="env:FIGWAY_SECRET_REDIS")),
    led(stream("redis://[::1]:6379/15", max_length=100_000, dedupe_s=0)),
    led(events(source="shop", detail_type="exported")),
    led(events("arn:aws:events:eu-west-1:123456789012:event-bus/shop")),
    led(events(TOPIC, location="https://shop.example/exports/{id}")),
    led(workflow(), stage=Stage.SHADOW, shadow=ShadowPolicy(dry_run="Figway-Dry-Run")),
    led(workflow(f"{MACHINE}:live")),
    led(workflow(mode=WorkflowMode.START, location="/a/{path.id}/{id}"), "/a/{id}"),
    led(workflow(respond_async=True, location="/a/{id}")),
    led(workflow(), methods=("GET",)),
    signed(sign=Signing(service="s3", region="eu-west-1")),
    signed(region="eu-west-1"),
]
