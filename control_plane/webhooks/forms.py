"""How an event looks on the wire: Standard Webhooks, CloudEvents, or a message for Slack.

Standard Webhooks (standardwebhooks.com, specification 1.0.0): the body is signed with HMAC-SHA256
over `id.timestamp.body`. CloudEvents 1.0 in structured mode is signed the same way. Slack's
incoming webhooks carry their secret in the URL, and are not signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from control_plane.webhooks.signing import SignedMessage, signed


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingEvent:
    """Something that happened. `id` never changes, so that a receiver can drop repeats."""

    id: str
    type: str
    subject: str
    at_ms: int
    data: Mapping[str, Any]

    @property
    def time(self) -> str:
        """When, as RFC 3339 writes it."""
        found = datetime.fromtimestamp(self.at_ms / 1_000, UTC)
        return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def message(form: str, event: OutgoingEvent, keys: Sequence[str], timestamp: int) -> SignedMessage:
    """An event in one of the forms, signed with each of `keys`; `timestamp` (seconds) is that of
    this attempt."""
    return _FORMS[form](event, keys, timestamp)


def _standard(event: OutgoingEvent, keys: Sequence[str], timestamp: int) -> SignedMessage:
    body = {"type": event.type, "timestamp": event.time, "data": dict(event.data)}
    return signed(keys, event.id, timestamp, orjson.dumps(body))


def _cloudevents(event: OutgoingEvent, keys: Sequence[str], timestamp: int) -> SignedMessage:
    body = {
        "specversion": "1.0",
        "id": event.id,
        "source": "/figway",
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "datacontenttype": "application/json",
        "data": dict(event.data),
    }
    kind = "application/cloudevents+json; charset=utf-8"
    return signed(keys, event.id, timestamp, orjson.dumps(body), kind)


def _slack(event: OutgoingEvent, keys: Sequence[str], timestamp: int) -> SignedMessage:
    body = orjson.dumps({"text": plain_text(event)})
    return SignedMessage({"content-type": "application/json", "user-agent": "figway"}, body)


_FORMS: Mapping[str, Callable[[OutgoingEvent, Sequence[str], int], SignedMessage]] = {
    "standard": _standard,
    "cloudevents": _cloudevents,
    "slack": _slack,
}
FORMS = tuple(_FORMS)


def plain_text(event: OutgoingEvent) -> str:
    """An event in a line or two, escaped as Slack wants it."""
    data = event.data
    what = event.type.removeprefix("figway.").replace(".", " ").replace("_", " ")
    lines = [f"*{what}*: {event.subject}"]
    lines += [str(reason["text"]) for reason in data.get("reasons", ())][:5]
    lines += [str(line) for line in data.get("summary", ())][:10]
    if data.get("text"):
        lines.append(str(data["text"]))
    by = [str(data[name]) for name in ("actor", "reason", "note") if data.get(name)]
    if by:
        lines.append(f"by {', '.join(by)}")
    text = "\n".join(lines)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")[:3_000]
