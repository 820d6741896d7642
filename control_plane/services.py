"""What the endpoints work with: made by `bootstrap`, found through the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from control_plane.approvals.service import ApprovalService
from control_plane.auth.service import AuthService
from control_plane.auth.sessions import Sessions
from control_plane.comparisons.service import ComparisonService
from control_plane.db.engine import Database
from control_plane.decisions.service import Decisions
from control_plane.fleet.service import FleetService
from control_plane.kill.service import KillService
from control_plane.publishing.compiled import LiveCompiled
from control_plane.publishing.history import History
from control_plane.publishing.hub import Hub
from control_plane.publishing.service import Publisher
from control_plane.publishing.state import TableState
from control_plane.rollouts.service import RolloutService
from control_plane.rollouts.ticker import RolloutTicker
from control_plane.settings import Settings
from control_plane.traffic.service import TrafficService
from control_plane.webhooks.delivery import Sender
from control_plane.webhooks.service import WebhookService


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one control plane."""

    settings: Settings
    database: Database
    auth: AuthService
    sessions: Sessions
    state: TableState
    publisher: Publisher
    history: History
    kill: KillService
    compiled: LiveCompiled
    fleet: FleetService
    traffic: TrafficService
    comparisons: ComparisonService
    decisions: Decisions
    rollouts: RolloutService
    ticker: RolloutTicker
    approvals: ApprovalService
    webhooks: WebhookService
    sender: Sender
    tables: Hub
    """Feeds `GET /table/stream`."""
    live: Hub
    """Feeds `GET /live`."""
    adopts: list[str]
    """Installations whose proxies may follow this one."""

    @property
    def to_proxies(self) -> dict[str, str]:
        """Headers of every answer that a proxy asks for, whatever its status."""
        found = {**self.kill.headers, "Figway-Installation": self.state.installation}
        if self.adopts:
            found["Figway-Adopts"] = ", ".join(self.adopts)
        return found


def services(request: Request) -> Services:
    """The services of the application that got this request."""
    return cast(Services, request.app.state.services)


Svc = Annotated[Services, Depends(services)]
