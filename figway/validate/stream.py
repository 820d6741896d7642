"""What must hold of a queue that is a stream in Redis."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from figway.model.backend import NO_STREAM, Backend, is_stream
from figway.validate.findings import Findings
from figway.validate.ranges import VISIBLE, check_ranges
from figway.validate.references import HOW, is_reference
from figway.validate.url import check_url

_SCHEMES = ("redis", "rediss")
_DATABASE = re.compile(r"/?|/[0-9]{1,5}").fullmatch
_MOST_NAME, _MOST_USER = 512, 128


def is_redis(url: str) -> bool:
    """Does a URL lead to Redis, whatever else is wrong with it?"""
    return url.partition(":")[0].lower() in _SCHEMES


def check(backend: Backend, path: str, findings: Findings) -> None:
    """Check the stream of a backend of kind queue."""
    stream, place = backend.stream, f"{path}.stream"
    if not stream.name:
        message, hint = "a stream needs a name", "set stream.name: the key of the stream in Redis"
        findings.error("stream_invalid", f"{place}.name", message, hint)
    _address(backend, path, findings)
    for field, most in (("name", _MOST_NAME), ("user", _MOST_USER)):
        value = getattr(stream, field)
        if value and (len(value) > most or VISIBLE(value) is None):
            message, hint = "not a name", f"write at most {most} visible ASCII characters"
            findings.error("stream_invalid", f"{place}.{field}", message, hint)
    if stream.password and not is_reference(stream.password):
        # What stands there may be the secret itself: it is not repeated.
        message = "not a reference to a secret"
        findings.error("credential_invalid", f"{place}.password", message, HOW)
    if stream.user and not stream.password:
        message, hint = "a user without a password cannot log in", "set stream.password"
        findings.error("stream_invalid", f"{place}.user", message, hint)
    if backend.aws.resource:
        message = "one backend is either a queue of SQS or a stream in Redis"
        findings.error("stream_invalid", place, message, "remove stream or aws.resource")
    for field in ("endpoint_url", "region"):
        if getattr(backend, field):
            message, hint = f"{field} means nothing to a stream in Redis", f"remove {field}"
            findings.warning("aws_unused", f"{path}.{field}", message, hint)
    check_ranges(stream, place, findings)


def check_unused(backend: Backend, path: str, findings: Findings) -> None:
    """Warn of a stream that the kind of a backend does not use."""
    if backend.stream != NO_STREAM and not is_stream(backend):
        message, hint = f"kind {backend.kind.value} uses no stream", "remove stream"
        findings.warning("stream_unused", f"{path}.stream", message, hint)


def _address(backend: Backend, path: str, findings: Findings) -> None:
    if not backend.url:
        message, hint = "a stream needs the URL of a Redis", "set url: redis://host:6379/0"
        findings.error("url_missing", f"{path}.url", message, hint)
        return
    check_url(backend.url, f"{path}.url", backend.allow_link_local, findings, _SCHEMES)
    try:
        database = urlsplit(backend.url).path
    except ValueError:
        return
    if _DATABASE(database) is None:
        message, hint = "the path is no number of a database", "write redis://host:6379/0"
        findings.error("url_invalid", f"{path}.url", message, hint)
