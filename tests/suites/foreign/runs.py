"""The suites: how each is fetched, served, run and read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.installation import clean_environment

REQUESTS = "2.32.5"
WSGIDAV = ["wsgidav==4.3.3", "cheroot==10.0.1"]
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Suite:
    """A server, and a suite of tests that speaks to it."""

    name: str
    server: Callable[[Path, int], list[str]]
    """The command that serves on a port of loopback."""
    run: Callable[[Path, str], dict[str, str]]
    """Outcome by test against a URL."""
    listed: dict[str, str] = field(default_factory=dict)
    """Tests that may differ, and the sentence of the manual that says why."""


def prepare(folder: Path) -> None:
    """Fetch what the suites need. Raises SystemExit with the next step where something lacks."""
    if shutil.which("litmus") is None:
        raise SystemExit("litmus is not installed (Debian: apt install litmus)")
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "venv" / "bin" / "python"
    done = folder / ".prepared"
    wanted = " ".join([REQUESTS, *WSGIDAV])
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return
    call(sys.executable, "-m", "venv", "--clear", str(folder / "venv"))
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    call(*pip, "install", "pytest", "pytest-mock", "trustme", f"requests[socks]=={REQUESTS}",
         *WSGIDAV, "lxml")  # fmt: skip
    call(*pip, "download", "--no-deps", "--no-binary", ":all:", "-d", str(folder),
         f"requests=={REQUESTS}")  # fmt: skip
    with tarfile.open(folder / f"requests-{REQUESTS}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    done.write_text(wanted, encoding="utf-8")


def call(*command: str) -> None:
    """Run a command to its end; its errors are ours."""
    subprocess.run(command, check=True, env=clean_environment())


# -- requests against httpbin --------------------------------------------------------------------

PLUGIN = """
import os, pytest

class Server:
    url = os.environ["FOREIGN_URL"]

@pytest.fixture
def httpbin():
    return Server

@pytest.fixture
def httpbin_secure():
    pytest.skip("plain HTTP only")
"""


def httpbin_server(folder: Path, port: int) -> list[str]:
    """PyPI's httpbin."""
    return [sys.executable, "-m", "tests.support.httpbin_server", str(port)]


def run_requests(folder: Path, url: str) -> dict[str, str]:
    """The tests of `requests` that speak to httpbin."""
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "facade_httpbin.py").write_text(PLUGIN, encoding="utf-8")
    report = folder / "requests.xml"
    report.unlink(missing_ok=True)
    subprocess.run(
        [str(folder / "venv" / "bin" / "python"), "-m", "pytest", "-q", "-p", "facade_httpbin",
         f"--junitxml={report}", "tests/test_requests.py"],
        cwd=folder / f"requests-{REQUESTS}", check=False, stdout=subprocess.DEVNULL,
        env=clean_environment(FOREIGN_URL=url, PYTHONPATH=str(plugins)),
    )  # fmt: skip
    return outcomes(report)


def outcomes(report: Path) -> dict[str, str]:
    """Outcome by test of a JUnit file."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        name = re.sub(r"127\.0\.0\.1:\d+", "HOST", f"{case.get('name')}")
        found[name] = kinds.pop() if kinds else "passed"
    return found


# -- litmus against WsgiDAV ----------------------------------------------------------------------

_LINE = re.compile(r"^\s*\d+\. (\w+)\.+ (pass|FAIL|SKIPPED|WARNING)", re.MULTILINE)
_PART = re.compile(r"^-> running `(\w+)'", re.MULTILINE)


def dav_server(folder: Path, port: int) -> list[str]:
    """WsgiDAV on a folder of its own."""
    files = folder / "dav"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir()
    return [str(folder / "venv" / "bin" / "wsgidav"), "--host", "127.0.0.1", "--port", str(port),
            "--root", str(files), "--auth", "anonymous", "--server", "cheroot",
            "--no-config"]  # fmt: skip


def run_litmus(folder: Path, url: str) -> dict[str, str]:
    """The WebDAV suite of litmus."""
    done = subprocess.run(
        ["litmus", "-k", f"{url}/"], cwd=folder, capture_output=True, check=False,
        env=clean_environment(),
    )  # fmt: skip
    text = done.stdout.decode("utf-8", "replace").replace("\r", "\n")
    found: dict[str, str] = {}
    pieces = _PART.split(text)
    for part, tests in zip(pieces[1::2], pieces[2::2], strict=True):
        for name, outcome in _LINE.findall(tests):
            found[f"{part}.{name}"] = "passed" if outcome == "pass" else outcome.lower()
    return found


SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "requests",
            httpbin_server,
            run_requests,
            {"test_proxy_authorization_preserved_on_request": "Proxy-* is taken: hop by hop"},
        ),
        Suite("litmus", dav_server, run_litmus),
    )
}
