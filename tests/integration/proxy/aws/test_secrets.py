"""Backend credentials in AWS Secrets Manager, in a sandbox and in a container."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from figway.model.backend import CredentialHeader
from figway.model.codec import canonical
from figway.model.table import Table
from proxy.aws.secrets import READ_AGAIN_S, AwsSecrets
from proxy.loop.deadlines import DeadlineTimer
from proxy.serverless.bootstrap import open_sandbox
from proxy.serverless.settings import load
from tests.support.fleet import world
from tests.support.serverless.cloud import CREDENTIALS, Cloud, cloud
from tests.support.serverless.facade import TableServer
from tests.support.serverless.life import GET, Life, bundle
from tests.support.until import until
from tests.support.wire import RawBackend, table_of

SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0cw"
ROTATED = "cm90YXRlZC1tZWFud2hpbGU"


@pytest.fixture(scope="module")
def aws() -> Iterator[Cloud]:
    with cloud() as found:
        yield found


@pytest.fixture(autouse=True)
def environment(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": aws.endpoint}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def secret(aws: Cloud, request: pytest.FixtureRequest) -> str:
    """A secret of its own for each test: name."""
    name = f"figway/backend/{request.node.name}"
    aws.secrets.create_secret(Name=name, SecretString=SECRET)
    return name


def sending(port: int, name: str) -> Table:
    """A table whose backend is sent a secret."""
    header = CredentialHeader(header="Authorization", value=f"aws-secret:{name}", prefix="Bearer ")
    return table_of(port, credentials=(header,))


def sent(raw: RawBackend) -> list[bytes]:
    return raw.last.all(b"authorization")


def ahead(life: Life, seconds: float) -> None:
    life.sandbox.secrets._clock = lambda: time.time() + seconds


def settled(life: Life, raw: RawBackend, expected: str) -> None:
    """Requests go on until one carries what is expected; none of them fails."""
    for _ in range(200):
        assert life.invoke(GET)["statusCode"] == 200
        if sent(raw) == [b"Bearer " + expected.encode()]:
            return
        time.sleep(0.01)
    raise AssertionError("the secret did not come")


def test_a_sandbox_reads_it_again_and_keeps_it(
    live: Callable[..., Life],
    backend: RawBackend,
    aws: Cloud,
    secret: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Also with a bundled table; nothing is pending between two invocations (trap 57)."""
    table = sending(backend.port, secret)
    assert SECRET.encode() not in canonical(table)
    life = live(FIGWAY_TABLE_FILE=bundle(tmp_path / "table.json", table))
    assert life.invoke(GET)["statusCode"] == 200
    assert sent(backend) == [b"Bearer " + SECRET.encode()]

    aws.secrets.put_secret_value(SecretId=secret, SecretString=ROTATED)
    life.invoke(GET)
    assert sent(backend) == [b"Bearer " + SECRET.encode()]
    ahead(life, READ_AGAIN_S + 1)
    settled(life, backend, ROTATED)

    aws.secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    ahead(life, 2 * READ_AGAIN_S + 2)
    told = ""
    for _ in range(200):
        assert life.invoke(GET)["statusCode"] == 200
        told += capfd.readouterr().err
        if "ResourceNotFoundException" in told:
            break
        time.sleep(0.01)
    assert f"aws-secret:{secret}: ValueError: Secrets Manager answers 4" in told
    assert sent(backend) == [b"Bearer " + ROTATED.encode()]
    assert SECRET not in told
    assert ROTATED not in told
    assert ROTATED not in repr(life.sandbox.secrets)


def test_a_sandbox_leaves_out_a_backend_whose_secret_is_not_there(
    live: Callable[..., Life],
    backend: RawBackend,
    tables: TableServer,
    aws: Cloud,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """B1, trap 53: its definition in hand goes on; when the secret has come, so does the other."""
    name = "figway/backend/late"
    tables.publish(table_of(backend.port))
    life = live(FIGWAY_TABLE_URL=tables.url, FIGWAY_TABLE_MAX_AGE_S="0")
    tables.publish(sending(backend.port, name))
    assert life.invoke({"figway": "refresh"})["revision"] == 2
    assert life.sandbox.runtime is not None
    left_out = str(life.sandbox.runtime.quarantine.rows())
    assert f"aws-secret:{name}: Secrets Manager answers 404 ResourceNotFound" in left_out
    assert life.invoke(GET)["statusCode"] == 200
    assert sent(backend) == []
    aws.secrets.create_secret(Name=name, SecretString=json.dumps({"key": SECRET}))
    ahead(life, READ_AGAIN_S + 1)
    settled(life, backend, SECRET)
    assert SECRET not in capfd.readouterr().err


def test_a_bundled_table_that_cannot_serve_waits_for_another(
    live: Callable[..., Life],
    backend: RawBackend,
    tables: TableServer,
    tmp_path: Path,
) -> None:
    tables.publish(table_of(backend.port))
    bundled = bundle(tmp_path / "table.json", sending(backend.port, "figway/backend/gone"))
    life = live(FIGWAY_TABLE_FILE=bundled, FIGWAY_TABLE_URL=tables.url)
    assert life.invoke(GET)["statusCode"] == 200
    assert sent(backend) == []


def test_without_another_the_cold_start_says_why(tmp_path: Path) -> None:
    bundled = bundle(tmp_path / "table.json", sending(9, "shop"))
    with pytest.raises(ValueError, match="aws-secret:shop: not below FIGWAY_AWS_SECRETS_PREFIX"):
        asyncio.run(open_sandbox(load({"FIGWAY_TABLE_FILE": bundled})))


async def test_a_container_waits_for_it_and_serves(
    aws: Cloud,
    backend: RawBackend,
    tmp_path: Path,
) -> None:
    """B1: the table is served without the backend, which comes back by itself."""
    name = "figway/backend/container"
    async with world(tmp_path) as w:
        proxy = await w.proxy(workers="1", shadow="0")
        w.control.publish(sending(backend.port, name))
        await until(lambda: w.control.ack.get("quarantine"), "left out")
        (row,) = w.control.ack["quarantine"]
        assert (row["kind"], row["id"], row["code"]) == ("backend", "legacy", "secret")
        assert f"aws-secret:{name}: Secrets Manager answers 4" in row["text"]
        assert w.control.ack["refused"] is None
        assert (await proxy.get("/")).text == "legacy", "as it was before the change"
        aws.secrets.create_secret(Name=name, SecretString=SECRET)
        await until(lambda: not w.control.ack["quarantine"], "back by itself")
        await until(lambda: proxy.get("/"), "answers")
        assert sent(backend) == [b"Bearer " + SECRET.encode()]
        assert SECRET not in str([proxy.events, proxy.lines, w.control.acks])
        assert await proxy.stop() == 0


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("figway/control-key", "not below FIGWAY_AWS_SECRETS_PREFIX"),
        ("arn:aws:secretsmanager:us-east-1:1:secret:figway/control-key-a", "not below"),
        ("arn:aws:secretsmanager:a@evil.example/:1:secret:figway/backend/x", "no region"),
    ],
)
async def test_a_table_can_name_no_other_secret(name: str, why: str) -> None:
    """Neither the proxy's own ones, nor a host that they would be asked of."""
    secrets = AwsSecrets(DeadlineTimer(), lambda: None, lambda where, error: None)
    table = sending(9, name)
    assert secrets.begin(table, lambda: None) is None
    assert not secrets.waits(table)
    with pytest.raises(ValueError, match=why):
        secrets.get(name)


async def test_what_no_table_names_is_forgotten(aws: Cloud, secret: str) -> None:
    arn = aws.secrets.describe_secret(SecretId=secret)["ARN"]
    timer = DeadlineTimer()
    timer.start()
    told: list[Any] = []
    secrets = AwsSecrets(timer, lambda: None, lambda where, error: told.append(error))
    table = sending(9, arn)
    await secrets.ready(table)
    secrets.serves(table)
    assert secrets.get(arn) == SECRET
    assert timer.entries > 0
    secrets.serves(replace(table, backends={}))
    with pytest.raises(ValueError, match="has not been read"):
        secrets.get(arn)
    await secrets.close()
    await asyncio.sleep(0.01)
    assert not told
    assert not timer.entries
    timer.stop()
