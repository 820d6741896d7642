"""The tasks of the state machine `workflows/booking.asl.json`.

Each gets `{"saga": the execution's name, "request": the HTTP API event}`. The Idempotency-Key of
the request names the saga, else the execution's name: an express workflow that runs again for the
same key finds what was done.
"""

from __future__ import annotations

from typing import Any

from new_services.functions.saga import answers, steps
from new_services.functions.saga.store import Saga
from new_services.functions.vendor.http import ApiError, Request

Event = dict[str, Any]


def hold(event: Event, context: Any) -> Event:
    """Hold a room; a request that is none, or a dry run, is answered at once."""
    request = Request.from_event(event["request"])
    if answers.DRY_RUN in request.headers:
        return {"outcome": "answered", "answer": answers.dry(request).to_event(request)}
    try:
        wish = request.json()
    except ApiError as error:
        answer = answers.told(request, steps.problem(error))
        return {"outcome": "answered", "answer": answer.to_event(request)}
    return _told(request, steps.hold(_saga(event), wish))


def charge(event: Event, context: Any) -> Event:
    """Charge the deposit."""
    return {"outcome": steps.charge(_saga(event)).state}


def confirm(event: Event, context: Any) -> Event:
    """Confirm, and answer."""
    return _told(Request.from_event(event["request"]), steps.confirm(_saga(event)))


def refund(event: Event, context: Any) -> Event:
    """Give the deposit back."""
    steps.refund(_saga(event))
    return {"outcome": "refunded"}


def release(event: Event, context: Any) -> Event:
    """Give the room back, and answer."""
    return _told(Request.from_event(event["request"]), steps.release(_saga(event)))


def _saga(event: Event) -> str:
    headers = event["request"].get("headers") or {}
    return str(headers.get("idempotency-key") or event["saga"])


def _told(request: Request, saga: Saga) -> Event:
    if saga.answer is None:
        return {"outcome": saga.state}
    return {"outcome": saga.state, "answer": answers.of(request, saga).to_event(request)}
