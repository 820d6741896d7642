"""Every error of the admin API, as problem details (RFC 9457).

`type` is `urn:figway:problem:<code>`; codes are stable, titles and details are for people.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import DataError, DBAPIError
from starlette.exceptions import HTTPException

from control_plane.db.engine import UNAVAILABLE, DatabaseReplaced, OutcomeUnknown, refusal
from control_plane.http.described import Described
from control_plane.http.field_words import in_words
from control_plane.http.limits import PLAIN_TEXT

_log = logging.getLogger(__name__)
_BASE = "urn:figway:problem:"
# Python 3.13 took over the phrases of RFC 9110; a code does not depend on the interpreter.
_RENAMED = {413: "Content Too Large", 422: "Unprocessable Content"}


_MOST_SAID = 1_500
"""Characters of a place or a message."""


class FindingOut(Described, BaseModel):
    """One thing that is wrong, or looks wrong, and what to do about it."""

    code: str
    """Stable name of the finding."""
    severity: str
    """`error` refuses the change; `warning` does not."""
    path: str
    """Where: `route orders: match.path`, or the field of the request."""
    message: str
    resolution: str = ""
    """What to do about it."""


class ProblemOut(Described, BaseModel):
    """An error (RFC 9457)."""

    type: str
    """`urn:figway:problem:<code>`"""
    title: str
    status: int
    detail: str = ""
    findings: list[FindingOut] | None = None


class ApiProblem(Exception):
    """An error that the caller is told about."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        *,
        findings: Sequence[FindingOut] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.findings = findings
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The answer."""
        body: dict[str, Any] = {
            "type": _BASE + self.code,
            "title": self.title,
            "status": self.status,
        }
        if self.detail:
            body["detail"] = self.detail
        if self.findings:
            body["findings"] = [finding.model_dump() for finding in self.findings]
        return Response(
            orjson.dumps(body), self.status, self.headers, media_type="application/problem+json"
        )


def not_found(what: str, name: object) -> ApiProblem:
    """404: there is no such thing."""
    return ApiProblem(404, "not_found", "Not found", f"there is no {what} {str(name)!r}")


def conflict(detail: str, code: str = "conflict") -> ApiProblem:
    """409: it does not go with what is there."""
    return ApiProblem(409, code, "Conflict", detail)


def stale(what: str, etag: str | None) -> ApiProblem:
    """412: it was changed since the caller looked at it."""
    now = f"; its ETag is now {etag}" if etag else "; it is gone"
    return ApiProblem(
        412,
        "changed_meanwhile",
        "Changed meanwhile",
        f"{what} is not as If-Match says{now}. Read it again, then decide anew",
        headers={"ETag": f'"{etag}"'} if etag else None,
    )


def precondition_required(what: str) -> ApiProblem:
    """428: an edit of what exists says which state it was made for."""
    return ApiProblem(
        428,
        "precondition_required",
        "If-Match is required",
        f"send If-Match with the ETag of {what} as you read it, or If-Match: * to overwrite",
    )


def clipped(text: str) -> str:
    """Text of a bounded length, with its beginning and its end: a name of megabytes is not told
    back whole."""
    if len(text) <= _MOST_SAID:
        return text
    return f"{text[: _MOST_SAID - 300]} … {text[-250:]}"


def refused(findings: Sequence[FindingOut], title: str = "The table would be wrong") -> ApiProblem:
    """422: with what is wrong."""
    count = sum(finding.severity == "error" for finding in findings)
    first = next((f for f in findings if f.severity == "error"), findings[0])
    more = f" (and {count - 1} more)" if count > 1 else ""
    detail = f"{first.path}: {first.message}{more}. {first.resolution}".rstrip(" .")
    return ApiProblem(422, "invalid_table", title, detail, findings=findings)


def invalid(path: str, message: str, resolution: str = "") -> ApiProblem:
    """422: one field of the request is wrong."""
    path, message = clipped(path), clipped(message)
    finding = FindingOut(
        code="invalid_field", severity="error", path=path, message=message, resolution=resolution
    )
    return ApiProblem(
        422, "invalid_request", "The request is wrong", f"{path}: {message}", findings=[finding]
    )


def of_status(
    status: int, detail: str = "", headers: Mapping[str, str] | None = None
) -> ApiProblem:
    """An error that is named like its status."""
    title = _RENAMED.get(status) or HTTPStatus(status).phrase
    code = title.lower().replace(" ", "_").replace("-", "_")
    return ApiProblem(status, code, title, "" if detail == title else detail, headers=headers)


def outcome_unknown(change_id: str = "") -> ApiProblem:
    """503: the database did not say whether it stored something."""
    which = f" (change {change_id})" if change_id else ""
    return ApiProblem(
        503,
        "outcome_unknown",
        "It is not known whether this was stored",
        f"The database went away while it was storing it{which}. Look before you repeat it",
        headers={"Retry-After": "2"},
    )


def database_replaced(error: DatabaseReplaced) -> ApiProblem:
    """503: another database answers."""
    return ApiProblem(
        503,
        "database_replaced",
        "This is not the database that the control plane started with",
        f"{error}. Nothing was changed, and proxies go on serving what they have",
    )


_UNAVAILABLE = ApiProblem(
    503,
    "database_unavailable",
    "The database does not answer",
    "Nothing was changed. Proxies go on serving the table that they have; try again",
    headers={"Retry-After": "2"},
)


def _takes_no_writes(why: str) -> ApiProblem:
    return ApiProblem(
        503,
        "database_unavailable",
        "The database takes no writes",
        f"{why}. Nothing was changed; `figway kill on` works, and is stored later",
        headers={"Retry-After": "2"},
    )


def meant(error: Exception) -> ApiProblem:
    """What an error means to whoever asked, in the API and in the console alike."""
    if isinstance(error, ApiProblem):
        return error
    if isinstance(error, HTTPException):
        return of_status(error.status_code, str(error.detail), error.headers)
    if isinstance(error, RequestValidationError):
        return wrong_fields(error)
    if isinstance(error, DataError):
        return invalid("body", "a value cannot be stored (a NUL, or a number too large)")
    if isinstance(error, UnicodeEncodeError):
        return invalid("body", "a text holds half a character (a lone surrogate)")
    if isinstance(error, OutcomeUnknown):
        _log.error("%s", error)
        return outcome_unknown()
    if isinstance(error, DatabaseReplaced):
        return database_replaced(error)
    if isinstance(error, UNAVAILABLE):
        if isinstance(error, DBAPIError) and not error.connection_invalidated:
            _log.error("a statement failed: %s", error)
        return _takes_no_writes(why) if (why := refusal(error)) else _UNAVAILABLE
    # The server logs the traceback after this answer.
    return ApiProblem(500, "internal", "Internal error", f"{type(error).__name__}; see the log")


KNOWN: tuple[type[Exception], ...] = (
    ApiProblem,
    HTTPException,
    RequestValidationError,
    DataError,
    UnicodeEncodeError,
    OutcomeUnknown,
    DatabaseReplaced,
    *UNAVAILABLE,
)
"""Errors that `meant` knows: they are answered, and no fault of the program."""


def install(app: FastAPI) -> None:
    """Have every error of `app` answered as a problem."""

    async def answered(_request: Request, error: Exception) -> Response:
        return meant(error).response()

    for kind in (*KNOWN, Exception):
        app.add_exception_handler(kind, answered)


def wrong_fields(error: RequestValidationError | ValidationError) -> ApiProblem:
    """422: what was sent is not what is taken."""
    if isinstance(getattr(error, "body", None), bytes):
        return invalid(
            "body",
            "it was not read, as the request does not say that it is JSON",
            "send the header Content-Type: application/json",
        )
    findings = [_finding(entry) for entry in error.errors()[:50]]
    first = findings[0]
    detail = f"{first.path}: {first.message}"
    return ApiProblem(422, "invalid_request", "The request is wrong", detail, findings=findings)


def _finding(entry: Mapping[str, Any]) -> FindingOut:
    where = [str(part) for part in entry["loc"] if part != "body"]
    message, resolution = in_words(entry)
    if (entry.get("ctx") or {}).get("pattern") == PLAIN_TEXT:
        message = "it holds a character that acts instead of showing, such as a control character"
    return FindingOut(
        code="invalid_field",
        severity="error",
        path=".".join(where) or "body",
        message=message,
        resolution=resolution,
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint that may answer with these errors."""
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemOut"}}
            },
        }
        for status in statuses
    }


_MEANINGS = {
    400: "The request cannot be read.",
    401: "No key, or not a valid one.",
    403: "The key's role may not do this.",
    404: "There is no such thing.",
    409: "It does not go with what is there.",
    412: "Changed meanwhile: If-Match does not hold.",
    413: "The body is too large.",
    422: "The request, or the table that it would make, is wrong; `findings` say what and where.",
    428: "If-Match is missing.",
    429: "Too many failed attempts from this address, or too many streams.",
    503: "The database does not answer, or is not the one of the start: nothing was changed. Code "
    "`outcome_unknown`: it is not known whether it was.",
}
COMMON = (400, 401, 403, 422, 429, 503)
"""What every endpoint may answer."""
EDIT = (*COMMON, 404, 409, 412, 413, 428)
"""What an endpoint that edits an item may answer."""
