"""Keys, roles, and what a stranger gets: nothing."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from pathlib import Path

import pytest

from control_plane.auth import offline
from control_plane.auth.keys import generate, parse
from control_plane.auth.limiter import FailureLimiter
from control_plane.auth.roles import Role
from control_plane.bootstrap import make_services, prepare
from control_plane.settings import Settings, SettingsError
from tests.integration.control_plane.auth.role_matrix import MATRIX
from tests.support.control import Control, control_plane
from tests.support.databases import OpenControl

_STREAMS = ("/table/stream", "/live", "/comparisons/live")


async def test_nothing_answers_without_a_key(open_control: OpenControl) -> None:
    """trap 55: every endpoint of the API authenticates."""
    async with open_control(auth_failures=1000) as control:
        stranger = control.client_with(None, "10.0.0.1")
        wrong = control.client_with(str(generate()), "10.0.0.2")
        for method, path in _endpoints(control):
            for client in (stranger, wrong):
                answer = await client.request(method, _filled(path))
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert answer.headers["content-type"] == "application/problem+json"


async def test_roles(control: Control) -> None:
    """trap 55: each endpoint against each role; the machine's role may do nothing else."""
    await control.seed()
    clients = {role: await control.client_of(role) for role in Role}
    for method, path in _endpoints(control):
        if path in _STREAMS:
            continue
        needed = MATRIX[method, path]
        for role, client in clients.items():
            answer = await client.request(method, _filled(path))
            refused = answer.status_code == 403
            allowed = needed is None or role.may(needed)
            assert refused != allowed, (method, path, role, answer.text)


async def test_every_endpoint_is_in_the_matrix(control: Control) -> None:
    """trap 55: a new endpoint is open to nobody by oversight."""
    assert set(_endpoints(control)) == MATRIX.keys()


async def test_key_life(control: Control) -> None:
    body = {"name": "ci", "role": "operator", "expires_in_days": 1}
    made = (await control.post("/keys", body)).json()
    assert parse(made["key"]) is not None
    client = control.client_with(made["key"])
    me = (await client.get("/me")).json()
    assert (me["name"], me["role"]) == ("ci", "operator")
    shown = await control.get("/keys")
    assert made["key"].rpartition("_")[2] not in str(shown)
    assert (await control.client.delete(f"/keys/{made['prefix']}")).status_code == 204
    assert (await client.get("/me")).status_code == 401
    assert (await control.client.delete(f"/keys/{made['prefix']}")).status_code == 404
    last = (await control.get("/me"))["prefix"]
    answer = await control.client.delete(f"/keys/{last}")
    assert answer.status_code == 409
    assert (await control.client.get("/me")).status_code == 200
    actions = [entry["action"] for entry in (await control.get("/audit"))["items"]]
    assert actions[:2] == ["key.revoke", "key.create"]


async def test_failures_are_limited_by_address(open_control: OpenControl) -> None:
    """trap 55: guessing is answered 429; a valid key still passes, so nobody can be locked out."""
    async with open_control(auth_failures=3) as control:
        guesser = control.client_with("fgw_nope", "10.1.1.1")
        codes = [(await guesser.get("/me")).status_code for _ in range(5)]
        assert codes == [401, 401, 401, 429, 429]
        answer = await guesser.get("/me")
        assert 0 < int(answer.headers["retry-after"]) <= 60
        neighbour = control.client_with(control.key, "10.1.1.1")
        assert (await neighbour.get("/me")).status_code == 200
        other = control.client_with("fgw_nope", "10.1.1.2")
        assert (await other.get("/me")).status_code == 401


def test_limiter_forgets_after_a_minute() -> None:
    limiter = FailureLimiter(2)
    assert [limiter.failed("a", now) for now in (0, 1_000, 2_000)] == [0, 0, 58]
    assert limiter.failed("a", 60_000) == 0


def test_first_start_makes_one_key_and_stores_only_its_hash(tmp_path: Path) -> None:
    """trap 55: no default password; the key is shown once, and a second start shows none."""

    async def start() -> str | None:
        services = make_services(Settings(database_url=f"sqlite:///{tmp_path}/f.sqlite3"))
        try:
            first = await prepare(services)
        finally:
            await services.database.close()
        return None if first is None else str(first)

    key = asyncio.run(start())
    assert key is not None
    assert asyncio.run(start()) is None
    with sqlite3.connect(tmp_path / "f.sqlite3") as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert key.split("_")[1] in dump
    assert key.split("_")[2] not in dump


def test_given_keys(tmp_path: Path, database_url: str) -> None:
    file = tmp_path / "key"
    key = generate()
    file.write_text(f"{key}\n")

    async def start(text: str) -> str | None:
        services = make_services(
            Settings(
                database_url=database_url,
                bootstrap_admin_key_file=file,
                bootstrap_proxy_key=text,
            )
        )
        try:
            first = await prepare(services)
            actor = await services.auth.authenticate(str(key), "", "api")
            assert actor.role is Role.ADMIN
        finally:
            await services.database.close()
        return None if first is None else str(first)

    assert asyncio.run(start(str(generate()))) is None
    with pytest.raises(SettingsError, match="FIGWAY_BOOTSTRAP_PROXY_KEY is not an API key"):
        asyncio.run(start("secret"))


def test_keys_are_random() -> None:
    keys = {str(generate()) for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"fgw_[a-z0-9]{8}_[0-9a-f]{48}", key) for key in keys)


def _endpoints(control: Control) -> list[tuple[str, str]]:
    paths = control.app.openapi()["paths"]
    found = [
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/api/v1")
    ]
    assert len(found) > 40
    return found


def _filled(path: str) -> str:
    return re.sub(r"\{[a-z_]+\}", "1", path)


async def test_keys_by_the_command_line(database_url: str) -> None:
    settings = Settings(database_url=database_url)
    key = await offline.create(settings, name="ops", role=Role.ADMIN, days=1)
    async with control_plane(database_url) as control:
        client = control.client_with(key)
        assert (await client.get("/me")).json()["role"] == "admin"
        prefixes = [entry["prefix"] for entry in await offline.keys(settings)]
        assert key.split("_")[1] in prefixes
        await offline.revoke(settings, key.split("_")[1], reason="lost")
        control.services.auth.forget(key.split("_")[1])
        assert (await client.get("/me")).status_code == 401
        entry = (await control.get("/audit"))["items"][0]
        assert (entry["actor"], entry["reason"]) == ("command line", "lost")
