"""The pages that teach, as written: every block of commands, in its order."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from control_plane.cli.addresses import free_port
from tests.support.installation import FIGWAY, Installation, clean_environment, installation
from tests.support.sides import side

DOCS = Path(__file__).resolve().parents[2] / "docs"
ASKED = 9
"""How a change ends that lets new serve more without proof, where nobody can be asked."""
_ENVELOPE = """<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>
<GetBooking xmlns="urn:wayfarer:booking"><Id>{}</Id></GetBooking></soap:Body></soap:Envelope>"""


def blocks(page: str) -> list[str]:
    """The blocks of commands of a page."""
    return re.findall(r"^```sh\n(.*?)^```", (DOCS / page).read_text("utf-8"), flags=re.M | re.S)


def run(block: str, folder: Path, admin: str, key: str, **replaced: str) -> list[tuple[int, str]]:
    """Run a block in a shell; the commands that did not end with 0, each with its code."""
    for before, after in replaced.items():
        block = block.replace(before, after)
    script = "trap 'echo \"$? $BASH_COMMAND\" >> failed' ERR\n" + block
    (folder / "failed").unlink(missing_ok=True)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=clean_environment(
            FIGWAY_ADMIN_URL=admin,
            FIGWAY_ADMIN_KEY=key,
            PATH=f"{FIGWAY.parent}:{os.environ['PATH']}",
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert "Traceback" not in done.stderr, done.stderr
    failed = folder / "failed"
    lines = failed.read_text("utf-8").splitlines() if failed.exists() else []
    found = [(int(code), words) for code, _, words in (line.partition(" ") for line in lines)]
    assert not [entry for entry in found if entry[0] != ASKED], (found, done.stdout, done.stderr)
    return found


@contextmanager
def process(*words: str, cwd: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process of the sources, ended as Ctrl-C would."""
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=cwd,
        env=clean_environment(PYTHONPATH=str(DOCS.parent), **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as started:
        try:
            yield started
        finally:
            started.send_signal(signal.SIGINT)
            started.communicate(timeout=60)


def answers(url: str, seconds: float = 60.0) -> None:
    """Wait until something answers there."""
    until = time.monotonic() + seconds
    while True:
        try:
            requests.get(url, timeout=5)
        except requests.ConnectionError:
            assert time.monotonic() < until, f"nothing at {url}"
            time.sleep(0.1)
        else:
            return


def in_words(figway: Installation, block: str, **replaced: str) -> list[tuple[int, str]]:
    """Run a block against an installation."""
    return run(block, figway.folder, f"http://{figway.admin}", figway.key, **replaced)


def test_in_front_of_your_application(tmp_path: Path) -> None:
    """docs/start/your-application.md: every command ends with 0."""
    _, *then = blocks("start/your-application.md")
    with side("legacy") as legacy, side("new") as new, installation(tmp_path, legacy) as figway:
        figway.start()
        for block in then:
            assert in_words(figway, block, **{"http://127.0.0.1:9000": new}) == []


def test_one_soap_endpoint(tmp_path: Path) -> None:
    """docs/tutorials/one-soap-endpoint.md: an operation is counted, compared, moved, taken back."""
    old, new = (free_port(0) for _ in range(2))
    with (
        process("-m", "legacy_stub", "--port", str(old), cwd=tmp_path),
        process("-m", "legacy_stub", "--port", str(new), cwd=tmp_path),
        installation(tmp_path, f"http://127.0.0.1:{old}") as figway,
    ):
        for port in (old, new):
            answers(f"http://127.0.0.1:{port}/")
        figway.start()
        asked = []
        for block in blocks("tutorials/one-soap-endpoint.md"):
            asked += in_words(figway, block, **{"http://127.0.0.1:9001": f"http://127.0.0.1:{new}"})
            for number in range(20):
                sent = requests.post(
                    f"{figway.facade}/ws/booking.asmx",
                    data=_ENVELOPE.format(number),
                    headers={"Content-Type": "text/xml"},
                    timeout=30,
                )
                assert "Envelope" in sent.text
        assert [words.split()[1] for _, words in asked] == ["weight", "flip"], "as the page says"
        assert "GetBooking" in figway.ok("operations", "/ws/booking.asmx")
        assert "GetBooking" in figway.ok("explain", "/ws/booking.asmx", "--data", "@request.xml")


def test_a_first_route(tmp_path: Path) -> None:
    """docs/tutorials/first-route.md, on the demo: what it says of the demo's evidence is so."""
    start, *then = blocks("tutorials/first-route.md")
    assert start == "make demo\n"
    with process("-m", "control_plane.cli.main", "demo", cwd=tmp_path) as demo:
        assert demo.stdout is not None
        told = ""
        for line in demo.stdout:
            told += line
            if "console-link" in line:
                break
        admin = re.search(r"FIGWAY_ADMIN_URL=(\S+)", told)
        key = re.search(r"FIGWAY_ADMIN_KEY=(\S+)", told)
        assert admin is not None, told
        assert key is not None, told
        call = {"headers": {"authorization": f"Bearer {key[1]}"}, "timeout": 30}
        example = _example(admin[1], call)
        for block in then:
            text = re.sub(r"^figway tail .*\n", "", block, flags=re.M).replace(
                "show ID", f"show {example}"
            )
            asked = run(text, tmp_path, admin[1], key[1])
            assert all(words.split()[1] in ("weight", "flip") for _, words in asked), asked


def _example(admin: str, call: dict[str, object]) -> str:
    """The newest stored pair of the tutorial's route, once the demo's visitors have made one."""
    until = time.monotonic() + 90
    while time.monotonic() < until:
        url = f"{admin}/api/v1/comparisons/examples?route=catalogue-search"
        items = requests.get(url, **call).json()["items"]  # type: ignore[arg-type]
        if items:
            return str(items[0]["id"])
        time.sleep(1)
    pytest.fail("the demo compared nothing")
