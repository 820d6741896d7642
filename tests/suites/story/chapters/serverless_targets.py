"""What routes hand on to: a workflow, a queue, a bus of events, functions that gather, a bucket.

The new side of the shop is real: functions in processes of their own, moto for SQS, EventBridge,
Step Functions (with an interpreter of the States Language) and S3, behind one endpoint.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from control_plane import outbound
from control_plane.cli.processes import Group, answers, python_module, said
from control_plane.cli.up import start_figway
from tests.suites.story.system import WORKERS, System
from tests.suites.story.tell import Tell
from tests.support.until import until

_REGION, _ACCOUNT = "eu-central-1", "123456789012"
_STAY = {"from": "2027-05-03", "to": "2027-05-06", "guests": 1}
_SERVED = {
    "trip": ("GET", "/api/me/trips/{id}"),
    "trips-list": ("GET", "/api/me/trips"),
    "exports-status": ("GET", "/api/exports/{id}"),
}


async def run(tell: Tell, folder: Path) -> None:
    """Tell the chapter."""
    # The proxy signs what it hands on, and takes these as it would take its role's on AWS.
    os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    async with Group(folder / "logs") as group:
        system = System(group, folder)
        await _start(system)
        async with outbound.AsyncClient(
            base_url=system.facade, trust_env=False, timeout=60
        ) as client:
            await _told(tell, system, client)


async def _start(system: System) -> None:
    port = system.legacy.rpartition(":")[2]
    await system.group.start(
        "legacy",
        python_module("legacy_stub", "--port", port),
        ready=answers(f"{system.legacy}/api/catalogue?size=1"),
    )
    side = system.functions.rpartition(":")[2]
    data = str(system.state / "functions")
    await system.group.start(
        "new side",
        python_module(
            "new_services.cloud", "--legacy", system.legacy, "--port", side, "--data", data
        ),
        ready=said("serverless side ready on"),
        timeout=120,
    )
    system.key = await start_figway(system.group, system.place, system.legacy, WORKERS)
    body = json.dumps(_table(system)).encode()
    await asyncio.to_thread(
        system.api.send_document, "/table/apply", body, "application/json",
        reason="the story's routes", wait="applied", confirm="exposure",
    )  # fmt: skip


def _table(system: System) -> dict[str, Any]:
    """Legacy, and a backend of every kind."""
    own = {"side": "new", "region": _REGION, "endpoint_url": system.functions}
    machine = f"arn:aws:states:{_REGION}:{_ACCOUNT}:stateMachine:booking"
    queue = f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:exports"
    backends: list[dict[str, Any]] = [
        {"id": "legacy", "side": "legacy", "url": system.legacy},
        {
            "id": "saga",
            "kind": "workflow",
            "aws": {"resource": machine},
            "timeouts": {"head_ms": 30_000},
            **own,
        },
        {"id": "choreography", "kind": "lambda", "function": "bookings-request", **own},
        {
            "id": "exports",
            "kind": "queue",
            "aws": {"resource": queue, "location": "/api/exports/{id}", "retry_after_s": 1},
            **own,
        },
        {
            "id": "brochures",
            "side": "new",
            "url": f"{system.functions}/wayfarer-brochures",
            "host_policy": "backend",
            "sign": {"service": "s3", "region": _REGION},
        },
    ]
    routes = [
        _route("book", "POST", "/api/bookings", "saga", "legacy"),
        _route("export", "POST", "/api/exports", "exports", "new"),
        _route("brochure", "GET", "/brochures/{name}", "brochures", "new"),
    ]
    for function, (method, path) in _SERVED.items():
        backends.append({"id": function, "kind": "lambda", "function": function, **own})
        routes.append(_route(function, method, path, function, "new"))
    return {"default_backend": "legacy", "backends": backends, "routes": routes}


def _route(name: str, method: str, path: str, new: str, stage: str) -> dict[str, Any]:
    match = {"path": path, "methods": [method]}
    return {"id": name, "match": match, "new": new, "stage": stage}


async def _wish(client: outbound.AsyncClient, user: int = 17) -> dict[str, Any]:
    hotel = (await client.get("/api/catalogue/22")).json()
    room = max(hotel["rooms"], key=lambda one: int(one["units"]))
    return {"user_id": user, "hotel_id": 22, "room": room["code"], **_STAY}


async def _told(tell: Tell, system: System, client: outbound.AsyncClient) -> None:
    wish = await _wish(client)
    async with tell.step("a booking is made by the monolith") as figures:
        made = await client.post("/api/bookings", json=wish)
        figures |= {"status": made.status_code, "id": made.json()["id"]}
        assert figures["id"].startswith("WF-1")
    async with tell.step("the same route hands on to a workflow, which answers") as figures:
        await system.flip("book", stage="new", weight=10_000)
        key = {"Idempotency-Key": uuid.uuid4().hex}
        first = await client.post("/api/bookings", json=wish, headers=key)
        figures |= {"status": first.status_code, "id": first.json().get("id")}
        assert (first.status_code, figures["id"][:4]) == (201, "WF-9"), first.text
    async with tell.step("asked for again, it has run once") as figures:
        again = await client.post("/api/bookings", json=wish, headers=key)
        figures |= {"status": again.status_code, "id": again.json()["id"]}
        assert figures["id"] == first.json()["id"]
    await _undone(tell, system, client)
    async with tell.step("back to legacy, at once") as figures:
        await system.flip("book", stage="legacy")
        there = await client.post("/api/bookings", json={**wish, "hotel_id": 22, "user_id": 18})
        figures |= {"status": there.status_code, "id": there.json().get("id")}
        assert there.status_code == 201
        assert figures["id"].startswith("WF-1")
    await _queued(tell, client)
    await _gathered(tell, client, first.json()["id"])
    async with tell.step("a brochure comes from the bucket, signed for S3") as figures:
        brochure = await client.get("/brochures/hotel-3.txt")
        figures |= {"status": brochure.status_code, "bytes": len(brochure.content)}
        async with outbound.AsyncClient(base_url=system.legacy, trust_env=False) as legacy:
            assert brochure.content == (await legacy.get("/brochures/hotel-3.txt")).content


async def _undone(tell: Tell, system: System, client: outbound.AsyncClient) -> None:
    async with tell.step("a step that fails three times is undone, and the client told") as figures:
        fault = {"function": "saga-confirm", "kind": "crash", "times": 3}
        async with outbound.AsyncClient(base_url=system.functions, trust_env=False) as host:
            (await host.post("/host/faults", json=fault)).raise_for_status()
        wish = await _wish(client, 21)
        key = {"Idempotency-Key": uuid.uuid4().hex}
        answer = await client.post("/api/bookings", json=wish, headers=key)
        figures |= {"status": answer.status_code, "code": answer.json()["error"]["code"]}
        assert (answer.status_code, figures["code"]) == (503, "undone"), answer.text


async def _queued(tell: Tell, client: outbound.AsyncClient) -> None:
    async with tell.step("60 exports at once are accepted, and worked off") as figures:
        began = time.perf_counter()
        accepted = await asyncio.gather(*(client.post("/api/exports") for _ in range(60)))
        figures["accepted_ms"] = round((time.perf_counter() - began) * 1_000)
        assert {one.status_code for one in accepted} == {202}
        where = [one.headers["location"] for one in accepted]
        assert len(set(where)) == 60

        async def done() -> bool:
            told = await asyncio.gather(*(client.get(path) for path in where))
            return all(one.json()["status"] == "done" for one in told)

        await until(done, limit_s=90)
        runs = [(await client.get(path)).json()["runs"] for path in where]
        figures |= {"done": len(runs), "done_ms": round((time.perf_counter() - began) * 1_000)}
        assert set(runs) == {1}


async def _gathered(tell: Tell, client: outbound.AsyncClient, booking: str) -> None:
    user = {"X-User": "17"}
    async with tell.step("the view of trips has heard of it") as figures:

        async def seen() -> bool:
            figures["view"] = (await client.get("/api/me/trips", headers=user)).json()
            return any(one["id"] == booking for one in figures["view"]["items"])

        await until(seen, limit_s=30)
        view = figures.pop("view")
        figures |= {"trips": len(view["items"]), "mails": len(view["mails"]), **view["view"]}
    async with tell.step("one answer from four services, whole or in part") as figures:

        async def whole() -> bool:
            trip = (await client.get(f"/api/me/trips/{booking}", headers=user)).json()
            figures["missing_at_first"] = figures.get("missing_at_first", trip["missing"])
            return trip["missing"] == []

        await until(whole, limit_s=30)
