"""The scheduled function that asks suppliers for their prices, and only for what has changed.

An unchanged list costs a 304 (ETag, RFC 9110 section 13). A supplier that fails is left alone for a
while: as long as Retry-After says, else twice as long each time, up to five minutes.
"""

from __future__ import annotations

import http.client
import json
import os
import time
from typing import Any
from urllib.parse import urlsplit

from new_services.functions.vendor import storage

_PATH = "/supplier/prices"
_FIRST, _LONGEST = 2.0, 300.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS supplier_prices (hotel_id INTEGER PRIMARY KEY, document TEXT);
CREATE TABLE IF NOT EXISTS supplier (
    id INTEGER PRIMARY KEY CHECK (id = 1), etag TEXT, failures INTEGER, not_before REAL
);
"""


def poll(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Ask once, unless the supplier is to be left alone; what came of it."""
    storage.ensure(_SCHEMA)
    row = storage.connect().execute("SELECT etag, failures, not_before FROM supplier").fetchone()
    etag, failures, not_before = row or ("", 0, 0.0)
    if time.time() < not_before:
        return {"result": "waiting", "failures": failures}
    try:
        status, headers, body = _ask(os.environ["SUPPLIER_URL"], etag)
    except (OSError, http.client.HTTPException):
        status, headers, body = 0, {}, b""
    if status == 304:
        _remember(etag)
        return {"result": "unchanged", "failures": 0}
    if status != 200:
        pause = _pause(headers.get("retry-after", ""), failures)
        _remember(etag, failures + 1, time.time() + pause)
        return {"result": "failed", "status": status, "failures": failures + 1, "pause": pause}
    prices = json.loads(body)["prices"]
    with storage.writing() as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO supplier_prices VALUES (?, ?)",
            [(one["hotel_id"], json.dumps(one)) for one in prices],
        )
        _remember(headers.get("etag", ""))
    return {"result": "changed", "prices": len(prices), "failures": 0}


def _pause(retry_after: str, failures: int) -> float:
    if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 6:
        return min(_LONGEST, float(retry_after))
    return float(min(_LONGEST, _FIRST * 2**failures))


def _remember(etag: str, failures: int = 0, not_before: float = 0.0) -> None:
    storage.connect().execute(
        "INSERT OR REPLACE INTO supplier VALUES (1, ?, ?, ?)", (etag, failures, not_before)
    )


def _ask(url: str, etag: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=3)
    try:
        connection.request("GET", _PATH, headers={"If-None-Match": etag} if etag else {})
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return response.status, names, response.read()
    finally:
        connection.close()
