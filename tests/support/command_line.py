"""The command line and the API of one control plane."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import httpx
import uvicorn
from typer.testing import CliRunner, Result

from control_plane.cli.errors import CliError
from control_plane.cli.main import app
from tests.support.control import Control

_LOOPBACK = "127.0.0.1"


class Cli:
    """The command line and the API of one control plane."""

    def __init__(self, url: str, key: str) -> None:
        self.env = {"FIGWAY_ADMIN_URL": url.removesuffix("/api/v1"), "FIGWAY_ADMIN_KEY": key,
                    "COLUMNS": "200", "NO_COLOR": "1"}  # fmt: skip
        self.api = httpx.Client(
            base_url=f"{url}/", headers={"authorization": f"Bearer {key}"}, trust_env=False,
            timeout=60,  # two cores may be shared with other tests
        )  # fmt: skip

    def run(self, *words: str) -> Result:
        """Run a command, in this process."""
        return CliRunner().invoke(app, list(words), env=self.env)

    def text(self, *words: str) -> str:
        """What a command that succeeds prints."""
        result = self.run(*words)
        assert result.exit_code == 0, (result.output, result.exception)
        return str(result.stdout)

    def data(self, *words: str) -> Any:
        """The same, read as JSON."""
        return json.loads(self.text("--output", "json", *words))

    def fails(self, *words: str) -> CliError:
        """The error of a command that does not."""
        error = self.run(*words).exception
        assert isinstance(error, CliError), error
        return error

    def post(self, path: str, body: Any) -> Any:
        """A POST that succeeds."""
        sent = self.api.post(path, json=body)
        assert sent.is_success, sent.text
        return sent.json()


@asynccontextmanager
async def command_line(control: Control) -> AsyncIterator[Cli]:
    """The command line of a control plane that runs in this process."""
    with socket.create_server((_LOOPBACK, 0)) as listener:
        config = uvicorn.Config(control.app, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve(sockets=[listener]))
        cli = Cli(f"http://{_LOOPBACK}:{listener.getsockname()[1]}/api/v1", control.key)
        try:
            with closing(cli.api):
                yield cli
        finally:
            server.should_exit = True
            await serving
