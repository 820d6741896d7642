"""What must hold of a backend's further URLs, its health checks and its credentials."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from figway.model.backend import HANDED_ON, Backend, BackendKind, is_stream
from figway.validate.faults import check_statuses
from figway.validate.findings import Findings
from figway.validate.policies import RESERVED, header_problem
from figway.validate.ranges import check_ranges
from figway.validate.references import HOW, is_reference

_TARGET = re.compile(r"/[\x21-\x22\x24-\x7e]*").fullmatch


def check(backend: Backend, path: str, findings: Findings) -> None:
    """Check one backend, `url` and the URLs' own form apart."""
    _urls(backend, f"{path}.urls", findings)
    check_ranges(backend.outlier, f"{path}.outlier", findings)
    check_statuses(backend.outlier.healthy_statuses, f"{path}.outlier.healthy_statuses", findings)
    check_ranges(backend.health, f"{path}.health", findings)
    check_ranges(backend.retry, f"{path}.retry", findings)
    if backend.health.path and _TARGET(backend.health.path) is None:
        message, hint = f"{backend.health.path[:80]!r} is no target", "write a path: /health"
        findings.error("health_invalid", f"{path}.health.path", message, hint)
    for index, credential in enumerate(backend.credentials):
        place = f"{path}.credentials[{index}]"
        why = header_problem(credential.header, credential.prefix.rstrip())
        if not why and credential.header.lower().encode() in RESERVED:
            why = f"{credential.header} is the facade's own business"
        if why:
            hint = "name a header such as Authorization"
            findings.error("credential_invalid", f"{place}.header", why, hint)
        if not is_reference(credential.value):
            # What stands there may be the secret itself: it is not repeated.
            message = "not a reference to a secret"
            findings.error("credential_invalid", f"{place}.value", message, HOW)
        if backend.kind in HANDED_ON:
            message = f"a backend of kind {backend.kind.value} would store the secret"
            hint = "remove it: calls of AWS are signed with the proxy's own role"
            if is_stream(backend):
                hint = "remove it: the password of Redis stands in stream.password"
            findings.error("credential_invalid", place, message, hint)


def _urls(backend: Backend, path: str, findings: Findings) -> None:
    if not backend.urls:
        return
    if backend.kind is not BackendKind.HTTP:
        message = f"kind {backend.kind.value} uses no URLs"
        hint = "remove urls, or set kind to http"
        findings.warning("url_unused", path, message, hint)
        return
    for index, url in enumerate(backend.urls):
        place = f"{path}[{index}]"
        if url == backend.url or url in backend.urls[:index]:
            message, hint = f"{url[:80]!r} stands here twice", "remove one of them"
            findings.error("urls_invalid", place, message, hint)
        elif _path(url) != _path(backend.url):
            message, hint = "another path than that of url", "give all URLs the same path"
            findings.error("urls_invalid", place, message, hint)


def _path(url: str) -> str:
    try:
        return urlsplit(url).path.rstrip("/")
    except ValueError:
        return ""
