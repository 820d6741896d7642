"""Run the function host: `python -m new_services.host --port 9001 --legacy http://127.0.0.1:8001`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from new_services import differences
from new_services.host.layout import Layout, LayoutError, load
from new_services.host.log import announce, say
from new_services.host.service import Service, Settings
from new_services.host.wire import bind

_LAYOUT = Path(__file__).resolve().parents[1] / "functions.toml"


def main() -> int:
    """Parse, run until SIGTERM or SIGINT; exit code 2 for what the user can mend."""
    options = _parser().parse_args()
    with contextlib.ExitStack() as stack:
        data = options.data or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="new_services_"))
        )
        try:
            bound = stack.enter_context(bind(options.host, options.port))
            layout, settings = _prepare(options, data.resolve(), bound)
            _run(_serve(layout, settings, options.host))
        except (LayoutError, differences.UnknownDifference, ValueError) as error:
            say(f"new_services.host: {error}")
            return 2
        except OSError as error:
            say(
                f"new_services.host: cannot listen on {options.host}:{options.port}: "
                f"{error.strerror}; choose another with --port (0 takes any free one)"
            )
            return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m new_services.host", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9001, help="0 takes any free port")
    parser.add_argument("--legacy", default="", help="legacy's URL, from which read models are fed")
    parser.add_argument(
        "--seed", action="store_true", help="be ready only when the read models have caught up"
    )
    parser.add_argument("--data", type=Path, help="folder of the read models (default: temporary)")
    parser.add_argument("--layout", type=Path, default=_LAYOUT, help="which functions are deployed")
    parser.add_argument(
        "--differences",
        default="",
        help="seeded differences to start with: default, all, none, or names with commas",
    )
    parser.add_argument(
        "--cloud",
        default="",
        help="URL of the other services of AWS (such as moto's server): queues are polled, and what"
        " is not Lambda's is passed on to it",
    )
    parser.add_argument(
        "--require-signature",
        action="store_true",
        help="verify SigV4 against AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )
    return parser


def _prepare(
    options: argparse.Namespace, data: Path, bound: socket.socket
) -> tuple[Layout, Settings]:
    data.mkdir(parents=True, exist_ok=True)
    switches = data / "differences.json"
    if options.differences:
        differences.choose(switches, options.differences)
    credentials = _credentials() if options.require_signature else None
    key_id, secret = next(iter((credentials or {"local": "local"}).items()))
    variables = {
        "LEGACY_URL": options.legacy.rstrip("/"),
        "DATA_DIR": str(data),
        "DIFFERENCES_FILE": str(switches),
        "AWS_URL": f"http://{options.host}:{bound.getsockname()[1]}",
        "EVENT_BUS": "shop" if options.cloud else "",
        "WEBHOOK_SECRET": os.environ.get("WEBHOOK_SECRET", ""),
        "AWS_KEY_ID": key_id,
        "AWS_KEY": secret,
    }
    settings = Settings(
        bound=bound,
        cloud=options.cloud.rstrip("/"),
        switches=switches,
        credentials=credentials,
        scheduled=bool(options.legacy),
        seed=options.seed,
    )
    return load(options.layout, variables), settings


def _credentials() -> dict[str, str]:
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        raise ValueError("--require-signature needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return {key: secret}


async def _serve(layout: Layout, settings: Settings, host: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = Service(layout, settings)
    try:
        await service.start()
        if not await _before(stop, service.seeded()):
            return
        announce(
            f"functions ready on http://{host}:{service.port} ({len(layout.functions)} functions)"
        )
        await stop.wait()
    finally:
        await service.stop()


async def _before(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Await work; False when `stop` came first."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(work)
        stopping = group.create_task(stop.wait())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        done = working.done()
        working.cancel()
        stopping.cancel()
    return done


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


if __name__ == "__main__":
    sys.exit(main())
