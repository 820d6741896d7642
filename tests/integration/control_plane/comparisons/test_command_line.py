"""What the command line says of a new that fails, against the API on a real socket."""

from __future__ import annotations

import asyncio

import pytest

from control_plane.cli.errors import CliError, Exit
from tests.support.command_line import command_line
from tests.support.comparing import evidenced, send
from tests.support.control import Control

PAIRS = 2_000


@pytest.mark.parametrize(
    ("failed", "agreement", "standing"), [(20, "99.00%", "needs"), (800, "60.00%", "refuted")]
)
async def test_a_new_that_fails_is_said_on_thecommand_line(
    control: Control, failed: int, agreement: str, standing: str
) -> None:
    """On 1 % and on 40 % of its requests, with all others matching: never proven."""
    await control.seed()
    await send(control, 1, evidenced(PAIRS - failed, failed={"new": {"503": failed}}))
    async with command_line(control) as cli:
        overview = await asyncio.to_thread(cli.text, "compare", "top")
        detail = await asyncio.to_thread(cli.text, "compare", "top", "orders")
        refused = await asyncio.to_thread(cli.fails, "flip", "orders", "new")
    assert "NEW FAILED" in overview
    row = next(line for line in overview.splitlines() if "orders" in line).split()
    assert {str(failed), agreement} <= set(row), overview
    assert "proven" not in row, overview
    assert f"{agreement} agreement over {PAIRS} rated pairs of {PAIRS} captured" in detail
    assert f"new failed {failed}" in detail
    assert f"99.00%: {standing}" in detail
    assert ": proven" not in detail
    _check_refusal(refused, failed)


def _check_refusal(refused: CliError, failed: int) -> None:
    assert refused.code is Exit.NOT_CONFIRMED
    [finding] = refused.findings
    expected = f"{PAIRS - failed} of {PAIRS} pairs match, new failed on {failed}, at "
    assert expected in finding["message"], finding
