"""One operation of a SOAP endpoint, of a GraphQL schema and of a JSON-RPC service moves to new."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from control_plane import outbound
from tests.suites.story.system import System, running
from tests.suites.story.tell import Tell
from tests.system.legacy_stub.running import running as another_shop

SOAP = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<{name} xmlns="urn:wayfarer:booking"><Id>{id}</Id></{name}></s:Body></s:Envelope>'
)
MATCHES: dict[str, dict[str, Any]] = {
    "soap": {
        "path": "/ws/booking.asmx",
        "methods": ["POST"],
        "operation": {"kind": "soap", "names": ["{urn:wayfarer:booking}GetBooking"]},
    },
    "graphql": {
        "path": "/graphql",
        "methods": ["POST"],
        "operation": {"kind": "graphql", "names": ["OneHotel"], "types": ["query"]},
    },
    "jsonrpc": {
        "path": "/rpc",
        "methods": ["POST"],
        "operation": {"kind": "jsonrpc", "names": ["booking.get"]},
    },
}


NAMES = {
    "{urn:wayfarer:booking}GetBooking",
    "OneHotel",
    "{ hotels }",
    "booking.get",
    "booking.list",
}


async def run(tell: Tell, folder: Path) -> None:
    """Tell the chapter."""
    async with running(folder) as system:
        with another_shop() as shop:
            await _told(tell, system, shop.url)


async def _told(tell: Tell, system: System, new: str) -> None:
    async with tell.step("routes of whole paths have what is asked for counted") as figures:
        for name, match in MATCHES.items():
            kind = {"operation": {"kind": match["operation"]["kind"]}}
            await system.call("POST", "/routes", {"id": f"all-{name}", "match": match | kind})
        figures |= await _until(system, NAMES, lambda: _all_asked(system))
    async with tell.step("routes name one operation each, and declare that it reads") as figures:
        await system.call("POST", "/backends", {"id": "shop", "side": "new", "url": new})
        for name, match in MATCHES.items():
            await system.call("POST", "/routes", _route(name, match))
        figures |= {"routes": len(MATCHES)}
    async with tell.step("before a flip everything is legacy's") as figures:
        await _all_asked(system)
        figures |= await _executed(system.legacy)
        assert await _executed(new) == {}
    async with tell.step("after it only the named operations are new's") as figures:
        for name in MATCHES:
            await system.flip(name, stage="new")
        before = await _executed(system.legacy)
        await _all_asked(system)
        figures |= await _executed(new)
        assert set(figures) == {"soap GetBooking", "graphql query.hotel", "jsonrpc booking.get"}
        grown = _grown(before, await _executed(system.legacy))
        assert set(grown) == {"graphql query.hotels", "jsonrpc booking.get", "jsonrpc booking.list"}
    async with tell.step("an unknown booking is a fault, and opens no breaker") as figures:
        for _ in range(40):
            answer = await _soap(system, "GetBooking", "WF-1")
            assert answer.status_code == 500
        fleet = await system.call("GET", "/fleet")
        figures["open"] = [b for p in fleet["items"] for b in p["breakers"]]
        assert figures["open"] == []
    async with tell.step(
        "its faults are counted beside the operation, and are no failures"
    ) as figures:
        [line] = await _lines(system, "{urn:wayfarer:booking}GetBooking", 40)
        figures |= {"faults": line["faults"], "failed": line["errors"], "by": line["named_by"]}
        assert (line["errors"], line["named_by"]) == (0, "soap")
    async with tell.step("explaining says what was read of a body") as figures:
        body = {
            "method": "POST",
            "url": "/graphql",
            "headers": [["Content-Type", "application/json"]],
            "body": json.dumps({"query": "query OneHotel { hotel(id: 41) { id } }"}),
        }
        found = (await system.call("POST", "/explain", body))["explanation"]
        figures |= {"operation": found["operation"], "route": found["route_id"]}
        assert figures == {"operation": "graphql query OneHotel", "route": "graphql"}


async def _until(
    system: System, names: set[str], ask: Callable[[], Awaitable[None]]
) -> dict[str, int]:
    """Ask until all of these were counted; how often each was."""
    for _ in range(60):
        await ask()
        found = (await system.call("GET", "/operations"))["items"]
        counted = {line["name"]: line["requests"] for line in found}
        if names <= counted.keys():
            return counted
        await asyncio.sleep(0.5)
    raise AssertionError(f"counted were {sorted(counted)}")


async def _lines(system: System, name: str, faults: int) -> list[dict[str, Any]]:
    """The line of an operation, once so many faults of it were counted."""
    for _ in range(60):
        found = (await system.call("GET", "/operations"))["items"]
        lines = [line for line in found if line["name"] == name and line["faults"] >= faults]
        if lines:
            return lines
        await asyncio.sleep(0.5)
    raise AssertionError(f"{name} was counted with fewer faults")


def _route(name: str, match: dict[str, Any]) -> dict[str, Any]:
    route = {"id": name, "match": match, "new": "shop", "reads": ["POST"]}
    return route | ({"breaker": {"healthy_statuses": [500]}} if name == "soap" else {})


async def _all_asked(system: System) -> None:
    """The named operations, others beside them, and batches that mix."""
    answer = await _soap(system, "GetBooking", "WF-100001")
    assert answer.status_code == 200
    for text in ("query OneHotel { hotel(id: 41) { id } }", "{ hotels(first: 1) { id } }"):
        assert "errors" not in (await _json(system, "/graphql", {"query": text}))
    get = {"jsonrpc": "2.0", "id": 1, "method": "booking.get", "params": {"id": "WF-100001"}}
    other = {"jsonrpc": "2.0", "id": 2, "method": "booking.list", "params": {}}
    await _json(system, "/rpc", get)
    assert len(await _json(system, "/rpc", [get, other])) == 2


async def _soap(system: System, name: str, number: str) -> Any:
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"anything"'}
    text = SOAP.format(name=name, id=number)
    async with outbound.AsyncClient(trust_env=False) as client:
        return await client.post(f"{system.facade}/ws/booking.asmx", content=text, headers=headers)


async def _json(system: System, path: str, body: Any) -> Any:
    async with outbound.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{system.facade}{path}", json=body)
        return answer.raise_for_status().json()


async def _executed(shop: str) -> dict[str, int]:
    async with outbound.AsyncClient(trust_env=False) as client:
        found: dict[str, Any] = (await client.get(f"{shop}/internal/stats")).json()
    counts: dict[str, int] = found["operations"]
    return counts


def _grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: n - before.get(name, 0) for name, n in after.items() if n > before.get(name, 0)}
