"""The facade's own answers, as problem details (RFC 9457)."""

from __future__ import annotations

import json
from dataclasses import dataclass

CONTENT_TYPE = b"application/problem+json"
_BASE = "urn:figway:problem:"


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer that the facade gives itself. `code` is stable; `detail` is for people."""

    status: int
    code: str
    title: str
    detail: str = ""
    retry_after: int | None = None
    """Seconds for the Retry-After header, when waiting helps."""
    fields: tuple[tuple[bytes, bytes], ...] = ()
    """Further header fields."""
    content: tuple[bytes, bytes] | None = None
    """Another content type and body than the problem document."""

    def body(self, instance: str = "") -> bytes:
        """The body. `instance` is the request's trace id, so that logs can be found."""
        if self.content is not None:
            return self.content[1]
        members: dict[str, object] = {
            "type": _BASE + self.code,
            "title": self.title,
            "status": self.status,
        }
        if self.detail:
            members["detail"] = self.detail
        if instance:
            members["instance"] = f"urn:trace:{instance}"
        return json.dumps(members, separators=(",", ":")).encode()

    def headers(self, body: bytes) -> list[tuple[bytes, bytes]]:
        """The header section that goes with `body`."""
        pairs = [
            (b"content-type", CONTENT_TYPE if self.content is None else self.content[0]),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        if self.retry_after is not None:
            pairs.append((b"retry-after", b"%d" % self.retry_after))
        pairs.extend(self.fields)
        return pairs
