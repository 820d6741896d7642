"""The zip files: small, alone, and able to run with nothing beside them but the runtime client."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.package_lambda import LIMIT, from_environment, glibc, needed
from tests.support.serverless.cloud import CREDENTIALS
from tests.support.serverless.events import make_event
from tests.support.serverless.platform import ROOT, Function
from tests.support.wire import RawBackend

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
BARE = """
import runpy, sys
assert not any("site-packages" in path for path in sys.path), sys.path
sys.path[:0] = [{client!r}, {task!r}]
sys.argv = {argv!r}
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def build(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/package_lambda.py", "--out", str(out), *options]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packages")
    done = build(out, "--from-environment")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runtime client as the platform has it, beside a function and not in it."""
    folder = tmp_path_factory.mktemp("client")
    from_environment(needed(("awslambdaric",)), folder)
    return folder


Start = Callable[..., Function]


@pytest.fixture
def start(client: Path, tmp_path: Path) -> Iterator[Start]:
    """Unpacks a package, and starts it in an interpreter that knows no other packages."""
    made: list[Function] = []

    def make(package: Path, argv: list[str], **environment: str) -> Function:
        task = tmp_path / package.stem
        zipfile.ZipFile(package).extractall(task)
        code = BARE.format(client=str(client), task=str(task), argv=argv)
        command = [sys.executable, "-I", "-S", "-c", code]
        made.append(Function({**CREDENTIALS, **environment}, command=command, folder=task))
        return made[-1]

    yield make
    for function in made:
        function.stop()


@pytest.fixture
def legacy() -> Iterator[RawBackend]:
    raw = RawBackend()
    yield raw
    raw.stop()


GET = make_event("http", "GET", b"/a", [(b"host", b"shop.example")])


def contents(package: Path) -> list[str]:
    return zipfile.ZipFile(package).namelist()


def test_the_proxys_package_is_small_and_alone(packages: Path) -> None:
    """trap 62: no control plane, no framework, no SDK; byte code inside; under 25 MB."""
    file = packages / "proxy.zip"
    assert file.stat().st_size < LIMIT == 25 * 1024 * 1024
    names = contents(file)
    tops = {name.split("/")[0] for name in names}
    foreign = {"control_plane", "fastapi", "sqlalchemy", "pydantic", "httpx", "boto3", "mangum"}
    assert not tops & foreign
    assert {"figway", "proxy", "orjson", "xxhash", "httptools"} <= tops
    assert any(name.endswith(".pyc") for name in names)
    for part in ("worker", "control"):
        assert (packages / f"{part}.zip").stat().st_size < 2 * LIMIT


def answers(function: Function, legacy: RawBackend) -> None:
    """Each kind of event, twice: the second on the connection of the first."""
    for kind in ("http", "rest", "alb", "alb-multi", "url") * 2:
        answer = function.invoke(make_event(kind, "GET", b"/a", [(b"host", b"shop.example")]))
        assert (answer["statusCode"], answer["body"]) == (200, "ok"), function.output
    assert len(legacy.requests) == 10


def test_the_proxy_runs_by_itself(packages: Path, start: Start, legacy: RawBackend) -> None:
    """Under the real runtime client; a queue is named, so that all of it is imported."""
    function = start(
        packages / "proxy.zip",
        ["awslambdaric", "proxy.serverless.handler.handler"],
        FIGWAY_LEGACY_URL=f"http://127.0.0.1:{legacy.port}",
        FIGWAY_SHADOW_QUEUE_URL="http://127.0.0.1:9/1/q",
        FIGWAY_SHADOW_BUCKET="captures",
    )
    answers(function, legacy)


def test_the_streaming_proxy_runs_by_itself(
    packages: Path, start: Start, legacy: RawBackend
) -> None:
    """By the module that the wrapper in the package starts."""
    package = packages / "proxy.zip"
    wrapper = zipfile.ZipFile(package).read("figway-streaming").decode()
    module = wrapper.split()[-1]
    url = f"http://127.0.0.1:{legacy.port}"
    function = start(package, [module], FIGWAY_LEGACY_URL=url)
    invocation = function.start(make_event("url", "GET", b"/a", [(b"host", b"shop.example")]))
    function.finish(invocation)
    assert invocation.streamed
    assert invocation.result.endswith(b"\0" * 8 + b"ok")
    mode = zipfile.ZipFile(package).getinfo("figway-streaming").external_attr >> 16
    assert mode & 0o111  # the platform executes it


def test_the_worker_runs_by_itself(packages: Path, start: Start) -> None:
    function = start(
        packages / "worker.zip",
        ["awslambdaric", "proxy.serverless.worker.handler"],
        FIGWAY_CONTROL_URL="http://127.0.0.1:9",
        FIGWAY_CONTROL_KEY="k",
    )
    result = function.invoke({"Records": [{"messageId": "1", "body": "{}"}]})
    assert result == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert function.invoke({"source": "aws.events"}) == {"batchItemFailures": []}


def test_the_control_plane_runs_by_itself(packages: Path, start: Start, tmp_path: Path) -> None:
    """With its migrations; a file stands for the database here."""
    key = "fgw_abcdefgh_" + "a" * 40
    function = start(
        packages / "control.zip",
        ["awslambdaric", "control_plane.serverless.handler"],
        FIGWAY_DATABASE_URL=f"sqlite:///{tmp_path}/figway.sqlite3",
        FIGWAY_BOOTSTRAP_ADMIN_KEY=key,
        FIGWAY_LEGACY_URL="http://legacy.example",
    )
    headers = [(b"host", b"admin.example"), (b"authorization", b"Bearer " + key.encode())]
    answer = function.invoke(make_event("url", "GET", b"/api/v1/table", headers))
    assert answer["statusCode"] == 200, function.output
    assert json.loads(answer["body"])["table"]["backends"][0]["id"] == "legacy"
    page = function.invoke(make_event("url", "GET", b"/console/login", headers))
    assert page["statusCode"] == 200, page


def test_the_locked_wheels_serve(tmp_path: Path, start: Start, legacy: RawBackend) -> None:
    """What `make package` builds, with wheels from the index that are those of Lambda's Linux."""
    arch = ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or arch is None:
        pytest.skip("not a machine like Lambda's")
    options = ("--part", "proxy", "--arch", arch, "--python", PYTHON)
    done = build(tmp_path / "out", *options)
    if "No matching distribution" in done.stderr or "connect" in done.stderr.lower():
        pytest.skip("no package index")
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["proxy"]["bytes"] < LIMIT
    assert (said["runtime"], said["architecture"]) == (f"python{PYTHON}", arch)
    package = tmp_path / "out" / "proxy.zip"
    built = [name for name in contents(package) if name.endswith(".so")]
    assert built
    assert all(f"-{platform.machine()}-linux-gnu.so" in name for name in built), built
    function = start(
        package,
        ["awslambdaric", "proxy.serverless.handler.handler"],
        FIGWAY_LEGACY_URL=f"http://127.0.0.1:{legacy.port}",
    )
    answers(function, legacy)


def test_wheels_are_no_newer_than_the_runtimes_c_library() -> None:
    """Amazon Linux 2 beneath Python 3.11 has glibc 2.26; 2023 beneath later ones has 2.34."""
    assert [glibc(python) for python in ("3.11", "3.12", "3.13")] == [26, 34, 34]
