"""T7: the clock of one control plane is ten minutes off; nothing that it wrote is read against the
clock of the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.planes import Planes, following, planes, served
from tests.support.until import until

OFF = """
import os, time
_seconds, _ns = time.time, time.time_ns
_off = int(os.environ["CLOCK_OFF_S"])
time.time = lambda: _seconds() + _off
time.time_ns = lambda: _ns() + _off * 1_000_000_000
"""


@pytest.fixture(params=["600", "-600"])
def apart(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str) -> Iterator[Planes]:
    """Two control planes of one PostgreSQL; the second one's clock is off."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(OFF)
    with planes(tmp_path / "planes", postgres_url, 1) as made:
        made.add(PYTHONPATH=f"{site}:{os.getcwd()}", CLOCK_OFF_S=request.param)
        yield made


@pytest.mark.postgres
async def test_what_one_heard_of_a_proxy_the_other_knows(apart: Planes, tmp_path: Path) -> None:
    """T7: a proxy that follows the one is live for the other: `kill on`, `--wait` and the policy of
    exposure say of it what is so, whichever is asked."""
    for number in (0, 1):
        async with following(apart, tmp_path / f"proxy-{number}", apart.urls[number]) as proxy:
            other = 1 - number

            async def known(other: int = other) -> bool:
                return bool((await apart.ask(other, "GET", "/fleet"))["live"])

            await until(known, "the other knows of it")
            [told] = (await apart.ask(other, "GET", "/fleet"))["items"]
            assert (told["live"], told["silent"]) == (True, False)
            found = await apart.press(other, on=True)
            assert found["propagation"]["summary"].startswith("1 of 1 proxy sends everything")
            assert await served(proxy, "legacy")
            assert (await apart.press(other, on=False))["propagation"]["applied"] is True
            flip = {"stage": "legacy", "reason": "a test"}
            made = await apart.ask(
                other, "POST", "/routes/moved/flip?wait=applied",
                json=flip, headers={"if-match": "*"},
            )  # fmt: skip
            assert made["propagation"]["applied"] is True, made["propagation"]
            await proxy.stop()
