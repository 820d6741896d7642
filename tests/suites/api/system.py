"""A control plane as a process, with one of everything in it, and a key of each role."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from control_plane.auth.keys import generate
from control_plane.auth.roles import Role
from tests.support import comparing

ROUTE: dict[str, Any] = {
    "id": "orders",
    "match": {"path": "/orders/{id}", "methods": ["GET", "POST"]},
    "new": "fn",
    "stage": "canary",
    "weight": 2_500,
    "capability": "shop",
    "comparison": {"rules": [{"id": "price", "kind": "ignore", "target": "$.price"}]},
    "policies": {
        "rate_limits": [{"requests": 10, "name": "burst"}],
        "body": {"max_bytes": 1_000, "content_types": ["application/json"]},
    },
}
_SEEDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/backends", {"id": "fn", "side": "new", "url": "http://127.0.0.1:9"}),
    ("/capabilities", {"id": "shop"}),
    ("/routes", ROUTE),
)


@dataclass(frozen=True, slots=True)
class System:
    """Where it listens, and what it was given."""

    url: str
    keys: dict[Role, str]
    example: str
    replay: str
    spare: str
    """Prefix of a key that nobody uses."""

    def client(self, role: Role = Role.ADMIN) -> httpx.Client:
        """A client with the key of a role."""
        headers = {"authorization": f"Bearer {self.keys[role]}"}
        return httpx.Client(
            base_url=self.url, headers=headers, trust_env=False, timeout=30,
            params={"confirm": "exposure"},
        )  # fmt: skip


@contextmanager
def system(state: Path, **more: str) -> Iterator[System]:
    """Start one, with `more` settings; killed at the end. Its log is `state`/log."""
    admin = str(generate())
    env = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        "FIGWAY_STATE_DIR": str(state),
        "FIGWAY_ADMIN_LISTEN": "127.0.0.1:0",
        "FIGWAY_LOG_LEVEL": "warning",
        "FIGWAY_BOOTSTRAP_ADMIN_KEY": admin,
        "FIGWAY_LEGACY_URL": "http://127.0.0.1:9",
        "FIGWAY_AUTH_FAILURES": "1000000",
        "FIGWAY_CONSOLE_LINK": "false",
        **more,
    }
    with (state / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "control_plane"], env=env, stdout=subprocess.PIPE, stderr=log
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert line.startswith("Admin API on "), (state / "log").read_text()
        yield _seeded(line.split()[-1], admin)
        assert process.poll() is None, "the control plane has died"
    finally:
        process.kill()
        process.communicate()


def _seeded(url: str, admin: str) -> System:
    headers = {"authorization": f"Bearer {admin}"}
    with httpx.Client(
        base_url=url, headers=headers, trust_env=False, params={"confirm": "exposure"}
    ) as client:

        def post(path: str, body: Any) -> dict[str, Any]:
            answer = client.post(path, json=body)
            assert answer.status_code < 300, (path, answer.text)
            return dict(answer.json()) if answer.content else {}

        for path, body in _SEEDS:
            post(path, body)
        made = [post("/keys", {"name": role.value, "role": role.value}) for role in Role]
        spare = post("/keys", {"name": "spare", "role": "viewer"})
        serving = {"boot": "b1", "revision": 1, "stopping": True}
        post("/fleet/acks", {"instance": "p1", **serving})
        series = {"route": "orders", "side": "new", "backend": "fn", "requests": 3,
                  "statuses": {"2xx": 3}, "latency": {"40": 3}}  # fmt: skip
        moments = {"from_ms": 1, "to_ms": 2}
        event = {"at_ms": 1, "route": "orders", "backend": "fn", "from": "closed", "to": "open"}
        post("/reports", {"instance": "p1", "boot": "b1", "sequence": 1, **moments,
                          "series": [series], "events": [event]})  # fmt: skip
        pair = comparing.example({"a": 1}, {"a": 2})
        compared = comparing.route(3, 1, examples=[pair], fields=[comparing.field("$.a", 1)])
        post("/comparisons/batches", comparing.batch(1, compared))
        replay = post("/comparisons/replays", {"route": "orders"})
    keys = {role: answer["key"] for role, answer in zip(Role, made, strict=True)}
    return System(url, keys, pair["id"], replay["id"], spare["prefix"])
