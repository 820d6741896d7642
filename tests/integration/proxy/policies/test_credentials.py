"""Secrets by reference: sent to the backend, and to be found nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from figway.model.backend import CredentialHeader
from figway.model.codec import canonical
from figway.model.policies import NO_POLICIES
from figway.model.table import Route, RouteMatch, Stage, Table
from figway.model.words import Side
from figway.routing.compile import compile_table
from proxy.policies.credentials import Credentials, Secrets
from proxy.processes.worker import WorkerProcess
from proxy.shadow.settings import ShadowSettings
from proxy.shadow.table import ShadowTable
from tests.integration.proxy.policies.conftest import Stand
from tests.support.wire import table_of

SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0cw"


@pytest.fixture(autouse=True)
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FIGWAY_SECRETS_DIR", str(tmp_path / "secrets"))
    monkeypatch.setenv("FIGWAY_SECRET_LEGACY", SECRET)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "legacy").write_text(SECRET + "\n")
    return tmp_path / "secrets"


def table(stand: Stand, *credentials: CredentialHeader) -> Table:
    plain = table_of(stand.legacy.port)
    backend = replace(plain.backends["legacy"], credentials=credentials)
    return replace(plain, backends={"legacy": backend})


def bearer(reference: str) -> CredentialHeader:
    return CredentialHeader(header="Authorization", value=reference, prefix="Bearer ")


def test_a_backend_gets_its_credentials(stand: Stand, secrets: Path) -> None:
    facade = stand.facade(NO_POLICIES)
    for reference in ("env:FIGWAY_SECRET_LEGACY", f"file:{secrets}/legacy"):
        served = table(stand, bearer(reference))
        assert SECRET.encode() not in canonical(served)
        facade.swap(served)
        with facade.connect() as client:
            answer = client.get(b"/", b"authorization: Bearer of-the-client")
        assert stand.legacy.last.all(b"authorization") == [b"Bearer " + SECRET.encode()]
        assert SECRET.encode() not in answer.head + answer.body
        record = facade.records[-1]
        assert SECRET not in repr([getattr(record, name) for name in dir(record)])


def test_a_rotated_file_is_read_again(stand: Stand, secrets: Path) -> None:
    served = table(stand, bearer(f"file:{secrets}/legacy"))
    backend = served.backends["legacy"]
    faults: list[BaseException] = []
    credentials = Credentials(backend, lambda where, error: faults.append(error))
    (secrets / "legacy").write_text("fresh")
    credentials.expired(0)
    assert credentials.apply([(b"AUTHORIZATION", b"x")]) == [(b"Authorization", b"Bearer fresh")]
    (secrets / "legacy").unlink()
    credentials.expired(30_000)
    assert credentials.apply([]) == [(b"Authorization", b"Bearer fresh")]
    assert len(faults) == 1
    assert SECRET not in repr(credentials)
    assert "fresh" not in str(faults)


def test_a_secret_that_is_gone_is_told_once(stand: Stand, secrets: Path) -> None:
    """L11: the folder was gone, and each worker called it an unexpected error every few seconds."""
    backend = table(stand, bearer(f"file:{secrets}/legacy")).backends["legacy"]
    faults: list[BaseException] = []
    credentials = Credentials(backend, lambda where, error: faults.append(error))
    for _ in range(2):
        (secrets / "legacy").unlink()
        for round_ in range(5):
            credentials.expired(round_)
        (secrets / "legacy").write_text(SECRET)
        credentials.expired(9)
    assert len(faults) == 2, "once for each time that it went away"
    told: list[tuple[Any, ...]] = []
    log = SimpleNamespace(error=lambda *what, **_: told.append(what))
    worker = SimpleNamespace(log=log, _number=0, _errors=0)
    WorkerProcess.report(cast(Any, worker), "credentials of legacy", faults[0])
    assert told[0][0] == "secret_not_read"
    assert "What was read last is used on." in told[0][1]
    assert worker._errors == 0
    WorkerProcess.report(cast(Any, worker), "somewhere", ValueError("x"))
    assert (told[1][0], worker._errors) == ("unexpected", 1)


@pytest.mark.parametrize(
    "reference",
    [
        "env:FIGWAY_SECRET_MISSING",
        "env:FIGWAY_CONTROL_KEY",
        "env:HOME",
        "file:/etc/hostname",
        "file:{secrets}/../outside",
        "file:{secrets}/link",
        "file:{secrets}/missing",
        "aws-secret:shop",
        "literal",
    ],
)
def test_what_is_not_there_for_a_table_cannot_be_had(secrets: Path, reference: str) -> None:
    """A table is not a way to read the proxy's host."""
    (secrets.parent / "outside").write_text("outside")
    (secrets / "link").symlink_to(secrets.parent / "outside")
    environ = {
        "FIGWAY_SECRETS_DIR": str(secrets),
        "FIGWAY_CONTROL_KEY": "k",
        "HOME": "/root",
    }
    with pytest.raises((ValueError, OSError)):
        Secrets(environ=environ).resolve(reference.replace("{secrets}", str(secrets)))


def test_a_missing_secret_leaves_its_backend_as_it_was(stand: Stand) -> None:
    """B1, trap 53: the table is served; a legacy that was open goes on as it was."""
    facade = stand.facade(NO_POLICIES)
    facade.swap(table(stand, bearer("env:FIGWAY_SECRET_GONE")))
    with facade.connect() as client:
        assert client.get().status == 200
    (row,) = facade.runtime.quarantine.rows()
    assert (row["id"], row["code"]) == ("legacy", "secret")
    assert "FIGWAY_SECRET_GONE" in row["text"]


def test_a_copy_carries_what_was_rotated(secrets: Path) -> None:
    """Else a rotation would show as differences that are none."""
    plain = table_of(
        9, 9, Route(id="r", match=RouteMatch(path="/r"), stage=Stage.SHADOW, new="new")
    )
    backends = {
        key: replace(backend, credentials=(bearer(f"file:{secrets}/legacy"),))
        for key, backend in plain.backends.items()
    }
    faults: list[str] = []
    shadow = ShadowTable(
        ShadowSettings(key=b"k" * 32, concurrency=4, timeout_ms=1_000, legacy_percent=50),
        cast(Any, lambda backend: None),
        cast(Any, None),
        cast(Any, None),
        cast(Any, None),
        lambda where, _: faults.append(where),
    )
    shadow.swap(compile_table(replace(plain, backends=backends), 1, "one"))
    compared = shadow.route("r")
    assert compared is not None
    sent = shadow.queue(compared, Side.NEW).target.credentials
    assert sent is not None
    (secrets / "legacy").write_text("fresh")
    shadow.secrets_changed()
    assert sent.apply([]) == [(b"Authorization", b"Bearer fresh")]
    (secrets / "legacy").unlink()
    shadow.secrets_changed()
    assert sent.apply([]) == [(b"Authorization", b"Bearer fresh")]
    assert faults == ["credentials of new"]
