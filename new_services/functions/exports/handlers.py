"""`POST /api/exports`: 202 at once, a status to ask for, and a worker that takes its time."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from new_services.functions.catalogue import export, search
from new_services.functions.vendor import queues, storage
from new_services.functions.vendor.http import (
    Request,
    Response,
    as_json,
    handler,
    not_found,
    single,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS exports (
    id TEXT PRIMARY KEY, number INTEGER, status TEXT, runs INTEGER, at TEXT, bytes INTEGER
)
"""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


@handler("POST")
def start(request: Request) -> Response:
    """POST /api/exports: put a job into the queue"""
    job = request.headers.get("idempotency-key") or request.id
    if not _ID.fullmatch(job):
        job = request.id
    queues.send("exports", {"id": job})
    headers = {"Location": request.url(f"/api/exports/{job}"), "Retry-After": "1"}
    body = {"id": job, "status": "queued", "request_id": request.id}
    return as_json(202, body, headers)


@handler("GET", "HEAD")
def status(request: Request) -> Response:
    """GET /api/exports/{id}: queued (or never asked for: a queue cannot be searched), or done"""
    storage.ensure(_SCHEMA)
    job = request.segment(2)
    if not _ID.fullmatch(job):
        raise not_found("export")
    row = (
        storage.connect()
        .execute("SELECT status, at, bytes, number, runs FROM exports WHERE id = ?", (job,))
        .fetchone()
    )
    if row is None:
        return single(request, {"id": job, "status": "queued"})
    names = ("status", "finished_at", "bytes", "number", "runs")
    return single(request, {"id": job, **dict(zip(names, row, strict=True))})


def work(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do the jobs of a batch, one after another; one that was done before is not done again."""
    storage.ensure(_SCHEMA)
    return queues.each(event, _do)


def _do(job: dict[str, Any]) -> None:
    known = storage.count("SELECT count(*) FROM exports WHERE id = ?", job["id"])
    if known:
        storage.connect().execute("UPDATE exports SET runs = runs + 1 WHERE id = ?", (job["id"],))
        return
    document = export.catalogue(search.all_hotels())
    data = document if isinstance(document, bytes) else document.encode()
    folder = Path(os.environ["DATA_DIR"]) / "exports"
    folder.mkdir(exist_ok=True)
    (folder / f"{job['id']}.xml").write_bytes(data)
    time.sleep(int(os.environ.get("EXPORT_MS", "0")) / 1000)
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with storage.writing() as connection:
        number = storage.next_number("exports", 1)
        connection.execute(
            "INSERT OR IGNORE INTO exports VALUES (?, ?, 'done', 1, ?, ?)",
            (job["id"], number, at, len(data)),
        )
