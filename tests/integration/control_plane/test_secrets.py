"""A secret is a reference in a table, and is itself to be found nowhere: not in the database, an
export, an answer or the log."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select

from control_plane.auth.keys import parse
from control_plane.db.engine import database_url as engine_url
from control_plane.db.models import Base
from control_plane.settings import Settings, SettingsError
from tests.support.control import Control

SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0cw"
REFERENCES = ("env:FIGWAY_SECRET_NEW", "file:/run/secrets/new", "aws-secret:shop/new")
_WHERE = (
    "/table", "/table/export", "/table/export?format=json", "/backends", "/backends/fn",
    "/revisions", "/revisions/1", "/revisions/3", "/revisions/diff?from=0", "/audit", "/keys",
    "/fleet", "/events",
)  # fmt: skip


async def stored(control: Control) -> str:
    """Everything in the database, as text."""
    parts = []
    async with control.services.database.read() as connection:
        for table in Base.metadata.sorted_tables:
            parts += [str(tuple(row)) for row in (await connection.execute(select(table))).all()]
    assert len(parts) > 3
    return "\n".join(parts)


async def shown(control: Control) -> str:
    """What the API gives out."""
    answers = [await control.client.get(path) for path in _WHERE]
    assert [
        (answer.url.path, answer.status_code) for answer in answers if answer.status_code != 200
    ] == []
    return "\n".join(answer.text for answer in answers)


def credentials(value: str) -> dict[str, Any]:
    """A backend that sends a credential."""
    header = {"header": "Authorization", "value": value, "prefix": "Bearer "}
    return {"id": "fn", "side": "new", "url": "http://127.0.0.1:9", "credentials": [header]}


async def test_a_secret_in_a_table_is_refused_and_not_repeated(
    control: Control, caplog: pytest.LogCaptureFixture
) -> None:
    """trap 35: whichever way it comes in."""
    caplog.set_level(logging.DEBUG)
    await control.seed()
    client, match = control.client, {"if-match": "*"}
    bodies = [
        credentials(SECRET),
        {**credentials(REFERENCES[0]), "url": f"http://me:{SECRET}@127.0.0.1"},
        {**credentials(REFERENCES[0]), "urls": [f"http://me:{SECRET}@127.0.0.1"]},
    ]
    for body in bodies:
        document = yaml.safe_dump({"default_backend": "fn", "backends": [body]})
        answers = [
            await client.post("/backends", json={**body, "id": "other"}),
            await client.put("/backends/fn", json=body, headers=match),
            await client.patch("/backends/fn", json=body, headers=match),
            await client.post("/table/apply", content=document),
            await client.post("/table/validate", content=document),
        ]
        assert [answer.status_code for answer in answers] == [422, 422, 422, 422, 200]
        # A comparison shows what was just sent to who sent it; a refusal repeats nothing.
        assert SECRET not in "".join(answer.text for answer in answers[:4])
    assert SECRET not in await stored(control)
    assert SECRET not in await shown(control)
    assert SECRET not in caplog.text


async def test_a_reference_is_all_that_is_kept(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """trap 35: the control plane never resolves it."""
    monkeypatch.setenv("FIGWAY_SECRET_NEW", SECRET)
    await control.seed()
    for reference in REFERENCES:
        answer = await control.client.put(
            "/backends/fn", json=credentials(reference), headers={"if-match": "*"}
        )
        assert answer.status_code == 200, answer.text
        assert reference in await shown(control)
    assert SECRET not in await stored(control)
    assert SECRET not in await shown(control)


async def test_of_a_key_only_a_hash_is_kept(
    control: Control, caplog: pytest.LogCaptureFixture
) -> None:
    """trap 35, trap 55"""
    caplog.set_level(logging.DEBUG)
    await control.seed()
    made = (await control.post("/keys", {"name": "ci", "role": "viewer"})).json()
    key = parse(made["key"])
    assert key is not None
    assert (await control.client_with(made["key"]).get("/me")).status_code == 200
    for text in (await stored(control), await shown(control), caplog.text):
        assert key.secret not in text
        assert control.key.rpartition("_")[2] not in text


def test_the_databases_url_comes_from_a_file(tmp_path: Path) -> None:
    """As it may hold a password."""
    file = tmp_path / "url"
    file.write_text("postgresql://figway:s3cret@db.example/figway\n")
    url = engine_url(Settings(database_url_file=file))
    assert (url.password, url.host) == ("s3cret", "db.example")
    assert "s3cret" not in str(url)
    file.write_text("mysql://figway:s3cret@db.example/figway")
    with pytest.raises(SettingsError) as refused:
        engine_url(Settings(database_url_file=file))
    assert "s3cret" not in str(refused.value)
    with pytest.raises(SettingsError, match=r"FIGWAY_DATABASE_URL_FILE=.*No such file"):
        engine_url(Settings(database_url_file=tmp_path / "missing"))
