"""The kill switch over HTTP. The one on a proxy's own host works without any of this."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, StrictBool

from control_plane.auth.access import Viewer
from control_plane.http.problems import COMMON, documented
from control_plane.publishing.changed import Changed
from control_plane.publishing.edit import Edit, Editing
from control_plane.publishing.state import Snapshot
from control_plane.routes.schemas import ReasonField
from control_plane.services import Svc
from figway.model.change import Change, Kind

router = APIRouter(tags=["kill switch"], responses=documented(*COMMON, 409, 413))


class KillIn(BaseModel, extra="forbid", use_attribute_docstrings=True):
    """Pull or release the switch."""

    on: StrictBool
    """True sends everything to legacy."""
    reason: ReasonField


class KillOut(BaseModel):
    """Where the switch stands."""

    on: bool
    revision: int


@router.get("/kill")
async def get_kill(_: Viewer, services: Svc) -> KillOut:
    """Where the switch stands in the newest table. Kill files of single hosts show in the fleet."""
    now = services.state.current
    return KillOut(on=now.table.kill_switch, revision=now.revision)


@router.post("/kill")
async def set_kill(body: KillIn, edit: Editing) -> Changed:
    """Turn the kill switch on (everything to legacy) or off."""
    return await press(edit, body)


async def press(edit: Edit, body: KillIn) -> Changed:
    """Turn the switch on or off."""

    def make(_: Snapshot) -> list[Change]:
        return [Change(Kind.SETTING, "kill_switch", body.on)]

    verb = "kill.on" if body.on else "kill.off"
    return await edit.because(body.reason).publish(verb, "kill switch", make)
