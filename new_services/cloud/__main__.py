"""`python -m new_services.cloud --legacy URL`: functions, queues, bus, workflow, and bucket.

Moto's server stands for SQS, EventBridge, Step Functions and S3. It runs state machines by a real
interpreter of the States Language, whose tasks call the functions host; functions and tests know
one endpoint for all of it, the host's. Needs moto: `make venv`, or pip install
'moto[events,s3,server,sqs,stepfunctions]'.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from new_services.cloud import brochures, resources
from new_services.cloud.provision import Provision
from new_services.host import layout
from new_services.host.log import announce, say
from new_services.host.wire import bind

_LAYOUT = Path(__file__).resolve().parents[1] / "functions.toml"
_PATIENCE = 60.0


def main() -> int:
    """Start, wait for a signal, stop; exit code 2 for what the user can mend."""
    options = _options()
    if importlib.util.find_spec("moto") is None:
        say(
            "new_services.cloud needs moto: make venv, in a clone; "
            "or pip install 'moto[events,s3,server,sqs,stepfunctions]'"
        )
        return 2
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        port, moto = options.port or _free(), _free()
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="new_services_")))
            stack.enter_context(_moto(moto, port, folder))
            _provision(moto, options.legacy)
            host = stack.enter_context(_host(options, port, moto, options.data or folder))
            announce(f"serverless side ready on http://127.0.0.1:{port}")
            return host.wait()
    except (RuntimeError, OSError) as error:
        say(f"new_services.cloud: {error}")
        return 2


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m new_services.cloud", description=__doc__)
    parser.add_argument("--port", type=int, default=9001, help="of the host; 0: any free one")
    parser.add_argument("--legacy", required=True, help="legacy's URL")
    parser.add_argument("--data", type=Path, help="folder of the read models (default: temporary)")
    parser.add_argument("--differences", default="none", help="as new_services.host has it")
    return parser.parse_args()


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _free() -> int:
    with bind("127.0.0.1", 0) as bound:
        return int(bound.getsockname()[1])


@contextlib.contextmanager
def _started(
    command: list[str], environ: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, env={**os.environ, **environ}, stdout=out, stderr=out, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _moto(port: int, front: int, folder: Path) -> Iterator[None]:
    """Moto's server, whose workflows call Lambda at the host."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    environ = {"MOTO_PORT": str(front), "NO_PROXY": "localhost,127.0.0.1", **keys}
    log = folder / "moto.log"
    with _started(command, environ, log) as process:
        url = f"http://127.0.0.1:{port}/moto-api"
        _wait(f"{url}/data.json", process, log)
        body = b'{"stepfunctions": {"execute_state_machine": true}}'
        request = urllib.request.Request(f"{url}/config", body, method="POST")  # noqa: S310
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()
        yield


@contextlib.contextmanager
def _host(
    options: argparse.Namespace, port: int, moto: int, data: Path
) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        *(sys.executable, "-m", "new_services.host", "--port", str(port), "--seed"),
        *("--legacy", options.legacy, "--cloud", f"http://127.0.0.1:{moto}"),
        *("--data", str(data), "--differences", options.differences),
    ]
    data.mkdir(parents=True, exist_ok=True)
    log = data / "functions.log"
    with _started(command, {"PYTHONUNBUFFERED": "1"}, log) as process:
        _wait(f"http://127.0.0.1:{port}/host/functions", process, log, b"functions ready on")
        yield process


def _wait(url: str, process: subprocess.Popen[bytes], log: Path, words: bytes = b"") -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            opener.open(url, timeout=2).close()
            if words in log.read_bytes():
                return
        time.sleep(0.1)
    lines = log.read_text(errors="replace").strip().splitlines()
    why = lines[-1] if lines else f"it ended with code {process.poll()}"
    raise RuntimeError(f"a part did not start: {why}")


def _provision(port: int, legacy: str) -> None:
    variables = dict.fromkeys(
        ("LEGACY_URL", "DATA_DIR", "DIFFERENCES_FILE", "AWS_URL", "EVENT_BUS"), ""
    ) | dict.fromkeys(("WEBHOOK_SECRET", "AWS_KEY_ID", "AWS_KEY"), "")
    deployed = layout.load(_LAYOUT, variables)
    os.environ |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_REGION": deployed.region}
    made = Provision(resources.load(), deployed.region, deployed.account)
    made.all()
    brochures.publish(legacy, made)


if __name__ == "__main__":
    sys.exit(main())
