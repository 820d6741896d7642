"""Idempotency-Key: the same request with the same key is done once and answered alike."""

from __future__ import annotations

import json
from collections.abc import Callable

from new_services.functions.vendor import storage
from new_services.functions.vendor.http import Request, Response, bad_request, invalid

_LONGEST = 255


def once(request: Request, work: Callable[[], Response]) -> Response:
    """Answer from what is remembered, or do the work and remember its 201."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return work()
    if not 1 <= len(key) <= _LONGEST:
        raise bad_request("Idempotency-Key must have 1 to 255 characters.")
    body = json.dumps(request.json(), sort_keys=True)
    # One key at a time: a second request with it waits for the first, then finds its answer.
    with storage.writing() as connection:
        row = connection.execute(
            "SELECT path, request, status, location, answer FROM replays WHERE key = ?", (key,)
        ).fetchone()
        if row is not None:
            return _again(request, body, row)
        response = work()
        if response.status == 201:
            connection.execute(
                "INSERT INTO replays VALUES (?, ?, ?, ?, ?, ?)",
                (
                    key,
                    request.path,
                    body,
                    response.status,
                    response.headers.get("Location", ""),
                    response.body,
                ),
            )
    return response


def _again(request: Request, body: str, row: tuple[str, str, int, str, str]) -> Response:
    path, before, status, location, answer = row
    if (path, before) != (request.path, body):
        raise invalid("Idempotency-Key", "This key was used for another request.")
    headers = {"Idempotent-Replayed": "true"}
    if location:
        headers["Location"] = location
    return Response(status, answer, "application/json", headers)
