"""What must hold of backends that are services of AWS, and of routes that hand requests to them."""

from __future__ import annotations

import re

from figway.message.http import SAFE_METHODS
from figway.model.backend import (
    HANDED_ON,
    NO_RESOURCE,
    NO_SIGNING,
    AwsResource,
    Backend,
    BackendKind,
    WorkflowMode,
    answers_later,
    is_stream,
    is_topic,
)
from figway.model.table import Route, Stage
from figway.model.words import Side
from figway.routing.pattern import PatternError, parse
from figway.validate import stream as validate_stream
from figway.validate.findings import Findings
from figway.validate.ranges import TOKEN, VISIBLE, check_ranges
from figway.validate.url import check_url

_ARN = r"arn:aws[a-z-]*:{service}:[a-z0-9-]+:[0-9]{{12}}:{rest}"
_QUEUE = re.compile(_ARN.format(service="sqs", rest=r"[A-Za-z0-9_-]{1,80}(?:\.fifo)?")).fullmatch
_TOPIC = re.compile(_ARN.format(service="sns", rest=r"[A-Za-z0-9_-]{1,256}(?:\.fifo)?")).fullmatch
_BUS = re.compile(
    _ARN.format(service="events", rest=r"event-bus/[A-Za-z0-9._/-]{1,256}")
    + r"|[A-Za-z0-9._/-]{1,256}"
).fullmatch
_MACHINE = re.compile(
    _ARN.format(
        service="states", rest=r"stateMachine:[A-Za-z0-9_.-]{1,80}(?::[A-Za-z0-9_.-]{1,80})?"
    )
).fullmatch
_SERVICE = re.compile(r"[a-z][a-z0-9-]{0,62}").fullmatch
_REGION = re.compile(r"[a-z]{2}(?:-[a-z0-9]+)+").fullmatch
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"(?:path\.)?[A-Za-z_][A-Za-z0-9_]*").fullmatch
_GROUP = re.compile(r"(header|path|query):(.+)").fullmatch
_WANTED = {
    BackendKind.QUEUE: "the URL or the ARN of an SQS queue, or url and stream.name for Redis",
    BackendKind.EVENTS: "the name or ARN of an EventBridge bus, or the ARN of an SNS topic",
    BackendKind.WORKFLOW: "the ARN of a Step Functions state machine",
}


def check_resource(backend: Backend, path: str, findings: Findings) -> None:
    """Check what a backend of kind queue, events or workflow hands requests to."""
    aws, kind = backend.aws, backend.kind
    place, wanted = f"{path}.aws.resource", _WANTED[kind]
    streams = kind is BackendKind.QUEUE and (
        is_stream(backend) or validate_stream.is_redis(backend.url)
    )
    if streams:
        validate_stream.check(backend, path, findings)
    elif not aws.resource:
        message = f"a backend of kind {kind.value} needs a resource"
        findings.error("resource_missing", place, message, f"set {wanted}")
    elif kind is BackendKind.QUEUE and not aws.resource.startswith("arn:"):
        check_url(aws.resource, place, backend.allow_link_local, findings)
    elif not _is_resource(backend):
        message = f"{aws.resource[:80]!r} is not {wanted}"
        findings.error("resource_invalid", place, message, f"set {wanted}")
    if backend.side is Side.LEGACY:
        message = f"a backend of kind {kind.value} cannot stand for legacy"
        hint = "set side to new: legacy is what answered before"
        findings.error("handed_on_legacy", f"{path}.side", message, hint)
    if backend.endpoint_url:
        check_url(backend.endpoint_url, f"{path}.endpoint_url", backend.allow_link_local, findings)
    for field, code in (("url", "url_unused"), ("function", "function_unused")):
        if getattr(backend, field) and not (field == "url" and streams):
            message, hint = f"kind {kind.value} uses no {field}", f"remove {field}"
            findings.warning(code, f"{path}.{field}", message, hint)
    _answer(aws, backend, f"{path}.aws", findings)


def check(backend: Backend, path: str, findings: Findings) -> None:
    """Check what any backend says of AWS, and warn of what its kind does not use."""
    sign = backend.sign
    validate_stream.check_unused(backend, path, findings)
    check_ranges(backend.aws, f"{path}.aws", findings)
    if backend.kind not in HANDED_ON and backend.aws != NO_RESOURCE:
        hint = "remove aws, or set kind to queue, events or workflow"
        message = f"kind {backend.kind.value} uses no aws"
        findings.warning("aws_unused", f"{path}.aws", message, hint)
    if backend.kind is not BackendKind.HTTP:
        if sign != NO_SIGNING:
            message = f"kind {backend.kind.value} is signed for by itself"
            findings.warning("aws_unused", f"{path}.sign", message, "remove sign")
        return
    if sign.service and _SERVICE(sign.service) is None:
        message = f"{sign.service[:80]!r} is no service's name"
        hint = "write s3, execute-api, lambda, es or aoss"
        findings.error("sign_invalid", f"{path}.sign.service", message, hint)
    if sign.region and _REGION(sign.region) is None:
        message = f"{sign.region[:80]!r} is no region"
        findings.error("sign_invalid", f"{path}.sign.region", message, "write eu-west-1")
    if sign.region and not sign.service:
        message = "a region without a service signs nothing"
        findings.error("sign_invalid", f"{path}.sign", message, "set sign.service")
    if sign.service and backend.urls:
        message = "only url is asked where requests are signed"
        findings.warning("url_unused", f"{path}.urls", message, "remove urls")


def check_route(route: Route, new: Backend, path: str, findings: Findings) -> None:
    """Check a route whose new backend makes messages, events or executions of its requests."""
    if route.stage is Stage.SHADOW and answers_later(new):
        message = f"{new.id} answers 202 before the work is done, which compares with nothing"
        hint = (
            "go on with a small canary and compare what the work leaves behind, by a shadow of the "
            "route that reads it; or shadow a workflow in mode sync"
        )
        findings.error("async_not_comparable", f"{path}.stage", message, hint)
    elif route.stage is Stage.SHADOW and not route.shadow.dry_run:
        message = f"nothing is copied: {new.id} makes an execution of any request"
        hint = "write a dry-run contract (shadow.dry_run), which the workflow keeps"
        findings.warning("shadow_copies_nothing", f"{path}.shadow", message, hint)
    methods = set(route.match.methods)
    if answers_later(new) and (not methods or methods & SAFE_METHODS):
        message = f"GET and HEAD become messages of {new.id}, too, and are answered 202"
        hint = "list the methods that are meant, such as POST"
        findings.warning("reads_handed_on", f"{path}.match.methods", message, hint)
    if route.reads:
        message = f"{new.id} makes a message or an execution of every request: none only reads"
        hint = "remove reads, or name a backend that is sent the request itself"
        findings.error("reads_handed_on", f"{path}.reads", message, hint)
    _variables(route, new, path, findings)


def _is_resource(backend: Backend) -> bool:
    resource = backend.aws.resource
    if backend.kind is BackendKind.QUEUE:
        return _QUEUE(resource) is not None
    if backend.kind is BackendKind.WORKFLOW:
        return _MACHINE(resource) is not None
    return (_TOPIC if is_topic(resource) else _BUS)(resource) is not None


def _answer(aws: AwsResource, backend: Backend, path: str, findings: Findings) -> None:
    if aws.location and (why := _bad_location(aws.location)):
        hint = "write a path such as /api/exports/{id}, or a whole URL"
        findings.error("location_invalid", f"{path}.location", why, hint)
    if aws.group_by and not _is_group(aws.group_by):
        message = f"{aws.group_by[:80]!r} names nothing of a request"
        hint = "write header:NAME, path:NAME or query:NAME; leave it empty for the sticky key"
        findings.error("group_invalid", f"{path}.group_by", message, hint)
    for field in ("source", "detail_type"):
        value = getattr(aws, field)
        most = 256 if field == "source" else 128
        if len(value) > most or (field == "source" and not value) or not value.isprintable():
            message, hint = "not the name of an event", f"write 1 to {most} printable characters"
            findings.error("event_name_invalid", f"{path}.{field}", message, hint)
    _unused(aws, backend, path, findings)


def _unused(aws: AwsResource, backend: Backend, path: str, findings: Findings) -> None:
    """Warn of settings that this kind, or this resource, does not look at."""
    waits = backend.kind is BackendKind.WORKFLOW and aws.mode is WorkflowMode.SYNC
    unused = []
    if waits and not aws.respond_async:
        unused += [("location", "mode sync"), ("retry_after_s", "mode sync")]
    if backend.kind is not BackendKind.WORKFLOW:
        unused.append(("mode", f"kind {backend.kind.value}"))
    if not waits:
        unused.append(("respond_async", "what always answers 202"))
    if not aws.resource.endswith(".fifo"):
        unused.append(("group_by", "a resource that is not FIFO"))
    if backend.kind is not BackendKind.EVENTS or is_topic(aws.resource):
        unused += [("detail_type", "anything but a bus"), ("source", "anything but a bus")]
    for field, by in unused:
        if getattr(aws, field) != getattr(NO_RESOURCE, field):
            message = f"{field} means nothing to {by}"
            findings.warning("aws_unused", f"{path}.{field}", message, f"remove {field}")


def _bad_location(location: str) -> str:
    """Why a Location cannot be made of a template; empty if it can."""
    if not location.startswith(("/", "http://", "https://")):
        return f"{location[:80]!r} is neither a path nor a URL"
    if VISIBLE(location) is None:
        return "a Location holds visible ASCII characters only"
    for name in _VARIABLE.findall(location):
        if _NAME(name) is None:
            return f"{{{name[:80]}}} is not a variable"
    if "{" in _VARIABLE.sub("", location) or "}" in _VARIABLE.sub("", location):
        return "a brace stands alone"
    return ""


def _is_group(group_by: str) -> bool:
    found = _GROUP(group_by)
    if found is None:
        return False
    return found[1] != "header" or TOKEN(found[2]) is not None


def _variables(route: Route, new: Backend, path: str, findings: Findings) -> None:
    """What the new backend puts into a Location, or groups by, must be in the route's path."""
    try:
        known = {name for name, _ in parse(route.match.path).names}
    except PatternError:
        return
    used = [("location", name) for name in _VARIABLE.findall(new.aws.location) if name != "id"]
    if (found := _GROUP(new.aws.group_by)) is not None and found[1] == "path":
        used.append(("group_by", found[2]))
    for field, name in used:
        if name.removeprefix("path.") not in known:
            message = f"{field} of {new.id} names {{{name[:80]}}}, which this path does not have"
            hint = f"put it into the path {route.match.path}, or into another backend's {field}"
            findings.error("variable_unknown", f"{path}.new", message, hint)
