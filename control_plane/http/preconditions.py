"""ETags and conditional requests (RFC 9110, 8.8.3 and 13.1)."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header

from control_plane.http.problems import ApiProblem, precondition_required, stale

_ETAG = re.compile(r'(?:W/)?"([^"]*)"')

IfMatch = Annotated[
    str,
    Header(
        max_length=2_000,
        description="ETag of what is edited, as it was read; `*` for whatever is there. "
        "Without it an edit of what exists is refused with 428.",
    ),
]


def quoted(etag: str) -> str:
    """An ETag as it stands in a header."""
    return f'"{etag}"'


def etags(header: str) -> list[str]:
    """The ETags that a header lists."""
    return _ETAG.findall(header)


def check_match(header: str, what: str, etag: str | None, *, required: bool = True) -> None:
    """Hold If-Match against the `etag` of `what`, None for what is not there.

    Raises `ApiProblem`: 428 when it is missing for what exists, 412 when it does not hold, 400 when
    it cannot be read.
    """
    header = header.strip()
    if not header:
        if required and etag is not None:
            raise precondition_required(what)
        return
    if header == "*":
        if etag is None:
            raise stale(what, None)
        return
    listed = etags(header)
    if not listed:
        raise ApiProblem(
            400, "bad_if_match", "If-Match cannot be read", 'write it as "<etag>", or *'
        )
    if etag is None or etag not in listed:
        raise stale(what, etag)
