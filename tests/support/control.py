"""A control plane in this process, and what tests say to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from control_plane.audit.entry import AuditEntry
from control_plane.auth.keys import generate
from control_plane.auth.roles import Role
from control_plane.auth.service import create_key
from control_plane.bootstrap import create_app, make_services, prepare
from control_plane.services import Services
from control_plane.settings import Settings

ROUTE: dict[str, Any] = {"id": "orders", "match": {"path": "/orders/{id}"}, "new": "fn"}


class Control:
    """A running control plane and a client with an admin key."""

    def __init__(self, services: Services, app: FastAPI, key: str) -> None:
        self.services = services
        self.app = app
        self.key = key
        self.client = self.client_with(key)

    def client_with(
        self, key: str | None, address: str = "127.0.0.1", *, confirm: str = "exposure"
    ) -> httpx.AsyncClient:
        """A client with another key, or none. It has seen the evidence, unless told otherwise."""

        async def confirmed(request: httpx.Request) -> None:
            # Merged: a client's own parameters would take the place of a URL's query.
            if confirm and "confirm" not in request.url.params:
                request.url = request.url.copy_merge_params({"confirm": confirm})

        transport = httpx.ASGITransport(self.app, client=(address, 1234))
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx.AsyncClient(
            transport=transport,
            base_url="http://control/api/v1",
            headers=headers,
            event_hooks={"request": [confirmed]},
        )

    async def client_of(self, role: Role, name: str = "") -> httpx.AsyncClient:
        """A client with a new key of a role; of the person `name`."""
        entry = AuditEntry("test", "", "key.create", "key")
        key = await create_key(
            self.services.database, name=name or role.value, role=role, entry=entry
        )
        return self.client_with(str(key))

    async def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET that succeeds."""
        answer = await self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """A POST; `if_match` and the like become headers."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, json=body, headers=named)

    async def seed(self) -> None:
        """Two backends and a route."""
        for path, body in (
            ("/backends", {"id": "legacy", "side": "legacy", "url": "http://127.0.0.1:9000"}),
            ("/backends", {"id": "fn", "side": "new", "url": "http://127.0.0.1:9001"}),
            ("/routes", ROUTE),
        ):
            answer = await self.post(path, body)
            assert answer.status_code == 201, answer.text

    async def flip(self, weight: int, if_match: str = "*", **query: Any) -> httpx.Response:
        """Flip the seeded route to a weight."""
        return await self.client.post(
            "/routes/orders/flip",
            json={"weight": weight, "reason": "test"},
            headers={"if-match": if_match} if if_match else {},
            params=query,
        )

    async def ack(self, instance: str, revision: int, etag: str, **more: Any) -> None:
        """Acknowledge as a proxy would."""
        body = {"instance": instance, "boot": "b1", "revision": revision, "etag": etag, **more}
        answer = await self.post("/fleet/acks", body)
        assert answer.status_code == 204, answer.text


@asynccontextmanager
async def control_plane(database_url: str, **settings: Any) -> AsyncIterator[Control]:
    """A control plane over a database, with its background tasks."""
    key = settings.pop("key", None) or str(generate())
    services = make_services(
        Settings(database_url=database_url, bootstrap_admin_key=key, **settings)
    )
    try:
        await prepare(services)
        app = create_app(services)
        async with app.router.lifespan_context(app):
            control = Control(services, app, key)
            async with control.client:
                yield control
    finally:
        await services.database.close()
