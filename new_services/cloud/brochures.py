"""Brochures out of the monolith into the bucket, from where browsers get them without any code."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from new_services.cloud.provision import Provision

_FIRST = 20


def publish(legacy: str, into: Provision, first: int = _FIRST) -> int:
    """Copy legacy's brochures of hotels 1 to `first`; how many there were."""
    parts = urlsplit(legacy)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=5)
    found = 0
    try:
        for hotel in range(1, first + 1):
            key = f"brochures/hotel-{hotel}.txt"
            connection.request("GET", f"/{key}")
            response = connection.getresponse()
            content = response.read()
            if response.status == 200:
                into.put(key, content)
                found += 1
    finally:
        connection.close()
    return found
