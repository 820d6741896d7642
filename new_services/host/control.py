"""What the host offers beside AWS's API, for tests and the demo, under /host/.

GET    /host/functions      the layout: name, handler, limits, the legacy routes it replaces
GET    /host/stats          counters per function
POST   /host/faults         {"function": "users-get", "kind": "throttle", "times": 3}
DELETE /host/faults
GET    /host/differences    the seeded differences and whether each is on
PUT    /host/differences    {"search-price": false, "*": true}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from new_services import differences
from new_services.host.faults import KINDS, Fault, Faults
from new_services.host.layout import Layout
from new_services.host.pool import Pool
from new_services.host.wire import Request, Response


class BadRequest(ValueError):
    """What was sent cannot be used; the message says what can."""


class Control:
    """Answers the host's own endpoints."""

    def __init__(
        self, layout: Layout, pools: Mapping[str, Pool], faults: Faults, switches: Path
    ) -> None:
        self._layout = layout
        self._pools = pools
        self._faults = faults
        self._switches = switches

    async def handle(self, request: Request) -> Response:
        try:
            status, answer = self._route(request)
        except (BadRequest, differences.UnknownDifference, orjson.JSONDecodeError) as error:
            status, answer = 400, {"message": str(error)}
        body = b"" if status == 204 else orjson.dumps(answer)
        return Response(status, body, [("Content-Type", "application/json")])

    def _route(self, request: Request) -> tuple[int, Any]:
        match (request.method, request.path):
            case ("GET", "/host/functions"):
                return 200, [self._describe(pool) for pool in self._pools.values()]
            case ("GET", "/host/stats"):
                return 200, {name: self._stats(pool) for name, pool in self._pools.items()}
            case ("POST", "/host/faults"):
                self._faults.add(self._parse_fault(_object(request.body)))
                return 204, None
            case ("DELETE", "/host/faults"):
                self._faults.clear()
                return 204, None
            case ("GET", "/host/differences"):
                return 200, differences.states(self._switches)
            case ("PUT", "/host/differences"):
                differences.switch(self._switches, _object(request.body))
                return 200, differences.states(self._switches)
        return 404, {"message": f"no {request.method} {request.path}"}

    def _describe(self, pool: Pool) -> dict[str, Any]:
        described = asdict(pool.function)
        described.pop("environment")  # may hold credentials
        return {**described, "arn": self._layout.arn(pool.function.name)}

    def _stats(self, pool: Pool) -> dict[str, int]:
        return {**pool.counts, "in_flight": pool.in_flight, "processes": pool.processes}

    def _parse_fault(self, data: dict[str, Any]) -> Fault:
        fault = Fault(
            function=str(data.get("function", "*")),
            kind=str(data.get("kind", "")),
            value=float(data.get("value", 0)),
            times=int(data.get("times", -1)),
        )
        if fault.kind not in KINDS:
            raise BadRequest(f"kind must be one of {', '.join(KINDS)}")
        if fault.function != "*" and fault.function not in self._pools:
            raise BadRequest(f"no function {fault.function!r}")
        return fault


def _object(body: bytes) -> dict[str, Any]:
    data = orjson.loads(body)
    if not isinstance(data, dict):
        raise BadRequest("a JSON object is expected")
    return data
