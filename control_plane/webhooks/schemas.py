"""What the endpoints of webhooks take and give."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StrictBool

from control_plane.http.described import Described
from control_plane.webhooks.forms import OutgoingEvent
from control_plane.webhooks.store import WebhookDelivery, WebhookEndpoint

Url = Annotated[str, Field(min_length=1, max_length=2_000)]
Types = Annotated[list[Annotated[str, Field(max_length=60)]], Field(max_length=100)]


class EndpointIn(Described, BaseModel, extra="forbid"):
    """An endpoint to be told of events."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    url: Url
    """http or https; no link-local or metadata address, nor a name that resolves to one."""
    form: Literal["standard", "cloudevents", "slack"] = "standard"
    types: Types = ["figway.*"]
    """Types of events, each exact or ending in `*`; an empty list for none: such an endpoint is
    only asked by gates and guards."""


class EndpointChange(Described, BaseModel, extra="forbid"):
    """What to change; what is left out stays."""

    types: Types | None = None
    enabled: StrictBool | None = None
    rotate_secret: StrictBool = False
    """Make a new secret; the answer shows it once. For a day messages are signed with both, so that
    the receiver can change over."""
    drop_old_secret: StrictBool = False
    """Sign with the present secret alone from now on, as when the one before has leaked."""


class EndpointOut(Described, BaseModel):
    """An endpoint, without its secret."""

    id: str
    url: str
    form: str
    types: list[str]
    enabled: bool
    disabled_why: str
    old_secret_until_ms: int | None = None
    """Until when the secret before the last rotation signs as well."""
    created_ms: int
    created_by: str


class EndpointSecret(EndpointOut):
    """An endpoint with its secret, which is shown this once."""

    secret: str
    """`whsec_...`, for the header `webhook-signature` (Standard Webhooks)."""


def endpoint_out(found: WebhookEndpoint) -> EndpointOut:
    """An endpoint as the API shows it. Slack keeps its secret in the URL's path."""
    url = found.url
    if found.form == "slack":
        url = url.split("/", 3)[0] + "//" + url.split("/", 3)[2] + "/..."
    return EndpointOut(
        id=found.id, url=url, form=found.form, types=list(found.types),
        enabled=found.disabled_ms is None, disabled_why=found.disabled_why,
        old_secret_until_ms=found.old_until_ms,
        created_ms=found.created_ms, created_by=found.created_by,
    )  # fmt: skip


def endpoint_secret(found: WebhookEndpoint) -> EndpointSecret:
    """An endpoint with its secret."""
    return EndpointSecret(**endpoint_out(found).model_dump(), secret=found.secret)


class DeliveryOut(Described, BaseModel):
    """One event on its way to one endpoint."""

    number: int
    event: str
    type: str
    endpoint: str
    status: str
    """`waiting`, `delivered`, `failed`"""
    attempts: int
    next_ms: int
    at_ms: int
    last_status: int | None
    last_error: str


def delivery_out(found: WebhookDelivery) -> DeliveryOut:
    """A delivery as the API shows it."""
    return DeliveryOut(
        number=found.number, event=found.event, type=found.type, endpoint=found.endpoint,
        status=found.status, attempts=found.attempts, next_ms=found.next_ms, at_ms=found.at_ms,
        last_status=found.last_status, last_error=found.last_error,
    )  # fmt: skip


class OutEventOut(Described, BaseModel):
    """Something that happened, as others are told of it."""

    id: str
    type: str
    subject: str
    at_ms: int
    data: dict[str, Any]


def event_out(found: OutgoingEvent) -> OutEventOut:
    """An event as the API shows it."""
    return OutEventOut(
        id=found.id, type=found.type, subject=found.subject, at_ms=found.at_ms,
        data=dict(found.data),
    )  # fmt: skip
