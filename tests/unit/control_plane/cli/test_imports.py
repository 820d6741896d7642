"""What a command imports is most of the time that it takes."""

from __future__ import annotations

import subprocess
import sys

SLOW = ("asyncpg", "fastapi", "httpx", "pydantic", "sqlalchemy", "uvicorn")


def test_a_command_imports_no_server_and_no_client_library() -> None:
    """use 16: of 0.8 s of CPU a call, half went into importing what no command needs."""
    words = f"import control_plane.cli.main, sys; print([n for n in {SLOW!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
