"""The installation over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from control_plane.audit import store as audit
from control_plane.auth.access import Admin, Viewer
from control_plane.clock import now_ms
from control_plane.http.described import Described
from control_plane.http.limits import ReasonField
from control_plane.http.problems import COMMON, documented
from control_plane.publishing import store
from control_plane.services import Services, Svc

router = APIRouter(tags=["installation"], responses=documented(*COMMON))
InstallationId = Annotated[str, Field(max_length=32, pattern=r"^[0-9a-f]{32}$")]


class InstallationOut(Described, BaseModel):
    """Which installation this is."""

    id: str
    """Made with the database. Proxies that hold a table of another one do not follow this one until
    they are told to."""
    adopts: list[str]
    """Installations whose proxies may follow this one."""


class AdoptIn(Described, BaseModel, extra="forbid"):
    """Let the proxies of another installation follow this one."""

    installation: InstallationId
    reason: ReasonField


@router.get("/installation")
async def get_installation(_: Viewer, services: Svc) -> InstallationOut:
    """Which installation this is."""
    return _out(services)


@router.post("/installation/adopt", responses=documented(413))
async def adopt_installation(body: AdoptIn, actor: Admin, services: Svc) -> InstallationOut:
    """Let the proxies of another installation follow this one: its database is lost, or this one
    takes its place. They then serve this table."""
    entry = actor.entry("installation.adopt", f"installation {body.installation}", body.reason)
    async with services.database.write() as connection:
        ids = await store.adopt(connection, body.installation)
        await audit.record(connection, entry, now=now_ms())
    services.adopts[:] = ids
    return _out(services)


def _out(services: Services) -> InstallationOut:
    return InstallationOut(id=services.state.installation, adopts=list(services.adopts))
