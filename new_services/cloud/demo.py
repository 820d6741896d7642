"""`make demo-serverless`: the old shop, its new side, and what each pattern does, step by step.

Starts legacy and `new_services.cloud` as processes, shows each pattern once with what was seen, and
stays until Ctrl-C (`--once`: ends).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from new_services.functions.vendor import aws
from new_services.host.log import announce

_MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:booking"
_USER = "17"


def main() -> int:
    """Start, tell, stay."""
    parser = argparse.ArgumentParser(prog="make demo-serverless", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when all is told")
    once = parser.parse_args().once
    with contextlib.ExitStack() as stack:
        legacy = stack.enter_context(_ready("legacy_stub", "--port", "0"))
        url = stack.enter_context(_ready("new_services.cloud", "--legacy", legacy, "--port", "0"))
        announce(f"Legacy            {legacy}")
        announce(f"All of AWS here   {url}   (Lambda, SQS, EventBridge, Step Functions, S3)")
        _tell(url)
        announce("Each pattern has a page: docs/patterns/.")
        if not once:
            announce("Ctrl-C stops everything.")
            with contextlib.suppress(KeyboardInterrupt):
                while True:
                    time.sleep(3600)
    return 0


@contextlib.contextmanager
def _ready(module: str, *arguments: str) -> Iterator[str]:
    """A process of ours, once it has said its URL."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)  # noqa: S603
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if "http://" not in line:
            raise RuntimeError(f"{module} did not start: {line!r}")
        yield line.split()[-1]
    finally:
        process.terminate()
        process.wait(30)


def _tell(url: str) -> None:
    os.environ |= {"AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-central-1"}
    wish = _wish()
    steps: list[tuple[str, Callable[[], object]]] = [
        ("a booking by a state machine", lambda: _workflow("demo-1", wish)),
        ("the same booking, asked for again", lambda: _workflow("demo-1", wish)),
        (
            "a booking by events",
            lambda: _by_events(wish),
        ),
        ("a trip: four services in one answer", lambda: _trip("web")),
        ("the same for a phone", lambda: _trip("mobile")),
        ("a query over three services", _query),
        ("an export: 202, then a status", _export),
        ("mails, points and trips out of events", _view),
        ("a brochure out of the bucket", _brochure),
    ]
    for name, step in steps:
        began = time.perf_counter()
        seen = step()
        spent = (time.perf_counter() - began) * 1000
        announce(f"{name}  ({spent:.0f} ms)\n    {json.dumps(seen, ensure_ascii=False)[:240]}")


def _wish() -> dict[str, Any]:
    hotel = _body(_ask("catalogue-hotel", "GET", "/api/catalogue/20"))
    stay = {"from": "2027-05-03", "to": "2027-05-06", "guests": 1}
    return {"user_id": int(_USER), "hotel_id": 20, "room": hotel["rooms"][0]["code"], **stay}


def _event(method: str, path: str, body: Any, headers: dict[str, str]) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "shop.example", "x-user": _USER, **headers},
        "requestContext": {"http": {"method": method, "path": path}},
        "body": "" if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def _ask(function: str, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
    answer: dict[str, Any] = aws.invoke(function, _event(method, path, body, headers), timeout=30)
    return answer


def _body(answer: dict[str, Any]) -> Any:
    return json.loads(answer["body"])


def _workflow(name: str, wish: dict[str, Any]) -> Any:
    text = json.dumps(_event("POST", "/api/bookings", wish, {"idempotency-key": name}))
    order = {"stateMachineArn": _MACHINE, "name": name, "input": text}
    done = aws.call("states", "StartSyncExecution", order, timeout=60)
    answer = json.loads(done["output"])
    return {"status": answer["statusCode"], "id": _body(answer).get("id")}


def _by_events(wish: dict[str, Any]) -> Any:
    answer = _ask("bookings-request", "POST", "/api/bookings", wish)
    return {"status": answer["statusCode"], "id": _body(answer).get("id")}


def _trip(client: str) -> Any:
    booking = _body(_ask("bookings-list", "GET", "/api/bookings"))["items"][0]
    path, own = f"/api/me/trips/{booking['id']}", {"x-user": str(booking["user_id"])}
    _ask("trip", "GET", path, **own)  # cold functions miss the deadline
    return _body(_ask("trip", "GET", path, **own, **{"x-client": client}))


def _query() -> Any:
    query = "{ bookings(first: 3) { id hotel { name } user { name } } }"
    return _body(_ask("graphql", "POST", "/graphql", {"query": query}))["data"]


def _export() -> Any:
    started = _ask("exports-start", "POST", "/api/exports", {})
    path = started["headers"]["Location"].partition("shop.example")[2]
    while (told := _body(_ask("exports-status", "GET", path)))["status"] != "done":
        time.sleep(0.1)
    return {"accepted": started["statusCode"], **told}


def _view() -> Any:
    while not (told := _body(_ask("trips-list", "GET", "/api/me/trips")))["items"]:
        time.sleep(0.1)
    return {name: told[name] for name in ("mails", "points", "view")}


def _brochure() -> Any:
    found = aws.request("s3", "GET", "/wayfarer-brochures/brochures/hotel-3.txt")
    return {"status": found.status, "begins": found.body.decode()[:40]}


if __name__ == "__main__":
    sys.exit(main())
