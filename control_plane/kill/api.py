"""The kill switch over HTTP. The one on a proxy's own host works without any of this."""

from __future__ import annotations

from fastapi import APIRouter, Response

from control_plane.auth.access import Anyone, Operator, Viewer
from control_plane.fleet.schemas import Propagation
from control_plane.http.problems import COMMON, documented
from control_plane.kill.actions import press, stand
from control_plane.kill.schemas import KillChanged, KillIn, KillOut
from control_plane.kill.told import HearsProxies
from control_plane.publishing.changed import Timeout, Wait
from control_plane.services import Svc

router = APIRouter(tags=["kill switch"], responses=documented(*COMMON, 409, 413))


@router.get("/kill")
async def get_kill(_: Viewer, services: Svc) -> KillOut:
    """Where the switch stands. What the proxies do, and kill files of single hosts, show in the
    fleet."""
    return stand(services)


@router.get("/kill/notice", status_code=204, response_class=Response, dependencies=[HearsProxies])
async def get_notice(_: Anyone, services: Svc) -> Response:
    """What every answer to a proxy says, and nothing besides: `Figway-Kill` (`on`, `off`),
    `Figway-Kill-Number`, `Figway-Installation`. Proxies ask for it while no stream tells them, and
    say by the same headers what they heard last."""
    headers = {"Cache-Control": "no-store", **services.to_proxies}
    return Response(status_code=204, headers=headers)


@router.get("/kill/propagation")
async def get_kill_propagation(_: Viewer, services: Svc, timeout: Timeout = 0) -> Propagation:
    """How far the proxies are with the newest press; waits `timeout` seconds for them at most."""
    return await services.fleet.wait_for_kill(services.kill.current, timeout)


@router.post("/kill")
async def set_kill(
    body: KillIn, actor: Operator, services: Svc, wait: Wait = None, timeout: Timeout = 10
) -> KillChanged:
    """Turn the kill switch on (everything to legacy, whatever the routes say) or off.

    It is no part of the table and makes no revision: it holds whatever the table is like, and undo
    does not touch it. While the database is away it can be turned on, and not off.
    """
    return await press(services, actor, body, wait, timeout)
