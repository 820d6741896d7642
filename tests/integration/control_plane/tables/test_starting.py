"""A first table file, as `figway init` writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from control_plane.cli.errors import CliError
from control_plane.cli.tables import init
from tests.support.control import Control


async def test_the_first_file_can_be_applied(
    control: Control, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """use 17: `figway init`: it applies as it is, moves nobody, is never written over."""
    file = tmp_path / "figway.yaml"
    init(file, "baskets", "/baskets/{id}/{rest=**}", "http://127.0.0.1:9000")
    assert f"figway apply --merge {file}" in capsys.readouterr().out.replace("\n", "")
    await control.seed()
    answer = await control.client.post(
        "/table/apply", content=file.read_bytes(), params={"merge": "true", "reason": "r"},
        headers={"content-type": "application/yaml"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    route = await control.get("/routes/baskets")
    assert (route["stage"], route["new"]) == ("legacy", "baskets-new")
    assert route["match"]["path"] == "/baskets/{id}/{rest=**}"
    assert (await control.get("/routes/orders"))["id"] == "orders"
    with pytest.raises(CliError, match="is there already"):
        init(file, "other", "/x", "http://h")
    with pytest.raises(CliError, match="cannot be written"):
        init(tmp_path / "no" / "f.yaml", "other", "/x", "http://h")
