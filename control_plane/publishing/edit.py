"""An edit as a value: who changes the table, why, on which condition, and whom to wait for.

Every endpoint that changes the table takes one (`Editing`), the console builds one, and both hand
it to the same services. `publish` is the only door to the publisher for people.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends, Query, Response
from starlette.datastructures import MutableHeaders

from control_plane.audit.entry import AuditEntry
from control_plane.auth.access import Operator
from control_plane.auth.service import Actor
from control_plane.http.preconditions import IfMatch, quoted
from control_plane.publishing.changed import Changed, Reason, Timeout, Wait, changed
from control_plane.publishing.service import Confirm, Make
from control_plane.publishing.state import TableState
from control_plane.services import Services, Svc
from figway.model import change
from figway.model.change import Kind

Confirmation = Annotated[
    Confirm,
    Query(
        description="Said by who has seen the evidence: `exposure` lets new serve more without "
        "proof; `force`, with a reason, also against what the evidence or a proxy says."
    ),
]


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of the table by somebody. `if_match` is the header as it was sent."""

    services: Services
    actor: Actor
    if_match: str = ""
    reason: str = ""
    wait: str | None = None
    timeout: float = 10
    confirm: Confirm = Confirm.NOTHING
    headers: MutableHeaders | dict[str, str] = field(default_factory=dict)
    """Headers of the answer."""

    @property
    def state(self) -> TableState:
        """The current table."""
        return self.services.state

    def because(self, reason: str, default: str = "") -> Edit:
        """The same, for a reason that stood in the body; for `default` where nobody gave one. What
        is forced takes a reason of somebody's own."""
        given = reason or self.reason
        forced = self.confirm is Confirm.FORCE
        return replace(self, reason=given or ("" if forced else default))

    def entry(self, verb: str, subject: str) -> AuditEntry:
        """What the audit log will say."""
        return self.actor.entry(verb, subject, self.reason)

    async def publish(
        self,
        verb: str,
        subject: str,
        make: Make,
        *,
        item: tuple[Kind, str] | None = None,
        back: bool = False,
        undoes: int | None = None,
    ) -> Changed:
        """Make the change, wait for the proxies if that was asked for, and say what came of it.

        `item` is what the answer's ETag is of; the table without it. Raises `ApiProblem`.
        """
        published = await self.services.publisher.change(
            make,
            self.entry(verb, subject),
            source=self.actor.source,
            back=back,
            confirm=self.confirm,
            undoes=undoes,
        )
        etag = self._etag(item) if item else published.after.etag
        if etag:
            self.headers["ETag"] = quoted(etag)
        return await changed(self.services.fleet, published, self.wait, self.timeout, etag)

    async def publish_item(self, verb: str, kind: Kind, item_id: str, make: Make) -> Changed:
        """The same for a change of one item, which is its subject."""
        subject = f"{kind.value} {item_id}"
        return await self.publish(verb, subject, make, item=(kind, item_id))

    def _etag(self, item: tuple[Kind, str]) -> str:
        stored = change.get(self.state.current.table, *item)
        return "" if stored is None else self.state.etag(item[0], stored)


async def edit(
    actor: Operator,
    services: Svc,
    response: Response,
    if_match: IfMatch = "",
    reason: Reason = "",
    wait: Wait = None,
    timeout: Timeout = 10,
    confirm: Confirmation = Confirm.NOTHING,
) -> Edit:
    """The edit that a call asks for. Raises `ApiProblem` 401, 403."""
    return Edit(services, actor, if_match, reason, wait, timeout, confirm, response.headers)


Editing = Annotated[Edit, Depends(edit)]
"""What an endpoint that changes the table asks for."""
