"""The process of one execution environment: started, its output read, killed whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from new_services.host.layout import Function, Layout

TASK_ROOT = Path(__file__).resolve().parents[2]
"""The directory that holds the functions' code, as /var/task does on AWS."""

_LOG_KEPT = 65_536  # bytes of output kept per invocation; AWS returns the last 4 KB of it


class Sandbox:
    """A child process in its own session that runs the runtime client for one function."""

    def __init__(self, function: Function, layout: Layout, echo: Callable[[bytes], None]) -> None:
        self._function = function
        self._layout = layout
        self._echo = echo
        self._process: asyncio.subprocess.Process | None = None
        self._read_end = -1
        self._log = bytearray()

    async def start(self, runtime_api: str, stream: str) -> None:
        """Start the real runtime client against a Runtime API at `host:port`."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "awslambdaric",
                self._function.handler,
                cwd=TASK_ROOT,
                env=self._environ(runtime_api, stream),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                start_new_session=True,
            )
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        self._read_end = read_end
        asyncio.get_running_loop().add_reader(read_end, self._read)

    def _environ(self, runtime_api: str, stream: str) -> dict[str, str]:
        function, layout = self._function, self._layout
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": str(TASK_ROOT),
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{version}",
            "AWS_REGION": layout.region,
            "AWS_DEFAULT_REGION": layout.region,
            "LAMBDA_TASK_ROOT": str(TASK_ROOT),
            "_HANDLER": function.handler,
            **function.environment,
        }

    async def wait(self) -> int:
        """Wait for the process to end; its return code."""
        if self._process is None:
            return -1
        code = await self._process.wait()
        if self._read_end >= 0:
            self._read()
            asyncio.get_running_loop().remove_reader(self._read_end)
            os.close(self._read_end)
            self._read_end = -1
        return code

    def kill(self) -> None:
        """End the process and everything that it started."""
        self._signal(signal.SIGKILL)

    def suspend(self) -> None:
        """Stop the process where it is, so that what it has in hand runs into its timeout."""
        self._signal(signal.SIGSTOP)

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def memory(self) -> int:
        """MiB that the process holds (0 where the system does not say)."""
        if self._process is None:
            return 0
        try:
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * resource.getpagesize() // 2**20

    def take_log(self) -> bytes:
        """The output since the last call, including what is still in the pipe."""
        if self._read_end >= 0:
            self._read()
        log = bytes(self._log)
        self._log.clear()
        return log

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._read_end, 65_536)
            except BlockingIOError:
                return
            if not data:
                asyncio.get_running_loop().remove_reader(self._read_end)
                return
            self._echo(data)
            self._log += data
            del self._log[:-_LOG_KEPT]
