"""What the client of a saga is answered, and what it would be answered in a dry run."""

from __future__ import annotations

from typing import Any

from new_services.functions.bookings import service
from new_services.functions.saga.steps import problem
from new_services.functions.saga.store import Saga
from new_services.functions.vendor import storage
from new_services.functions.vendor.http import ApiError, Request, Response, as_json, single

DRY_RUN = "figway-dry-run"
"""The request is a copy: tell what would be answered, and write nothing."""


class _Rollback(Exception):
    def __init__(self, booking: dict[str, Any]) -> None:
        super().__init__()
        self.booking = booking


def of(request: Request, saga: Saga) -> Response:
    """The answer of a saga that has ended."""
    assert saga.answer is not None
    return told(request, saga.answer)


def told(request: Request, answer: dict[str, Any]) -> Response:
    """An answer as it is kept, for the client."""
    status, body = answer["status"], answer["body"]
    if status == 201:
        location = request.url(f"/api/bookings/{body['id']}")
        return single(request, body, 201, Location=location)
    headers = {"Retry-After": "1"} if status == 503 else {}
    return as_json(status, {**body, "request_id": request.id}, headers)


def dry(request: Request) -> Response:
    """What the saga would answer if nothing failed. Writes nothing."""
    try:
        with storage.writing():
            raise _Rollback(service.create(request.json()))
    except _Rollback as done:
        return told(request, {"status": 201, "body": done.booking})
    except ApiError as error:
        return told(request, problem(error))
