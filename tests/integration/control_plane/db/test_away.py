"""What cannot be reached is told as the database's, and only that."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from control_plane.db.engine import UNAVAILABLE, Database, DatabaseAway

Opened = Callable[[Database], AbstractAsyncContextManager[Any]]


@pytest.mark.parametrize("opened", [Database.read, Database.write])
async def test_a_port_where_nobody_listens(opened: Opened) -> None:
    """The driver lets the refused connect through as the operating system tells it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        database = Database(make_url(f"postgresql+asyncpg://figway@127.0.0.1:{port}/figway"))
        with pytest.raises(DatabaseAway, match="onnect") as caught:
            async with opened(database):
                pytest.fail("it was reached")
    assert isinstance(caught.value, UNAVAILABLE)
    await database.close()


async def test_a_file_that_cannot_be_looked_at(tmp_path: Path) -> None:
    """Where it stands is a file now, and no folder: nobody knows whether it was replaced."""
    folder = tmp_path / "state"
    folder.mkdir()
    database = Database(make_url(f"sqlite+aiosqlite:///{folder}/figway.sqlite3"))
    async with database.read() as connection:
        await connection.exec_driver_sql("SELECT 1")
    database.note_file()
    await database.close()
    folder.rename(tmp_path / "moved")
    folder.write_text("")
    with pytest.raises(DatabaseAway):
        database.check_file()
