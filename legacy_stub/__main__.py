"""`python -m legacy_stub`: open the shop."""

from __future__ import annotations

import argparse
import signal
import sqlite3
import sys
import tempfile
from pathlib import Path
from types import FrameType

from legacy_stub.server import listen, serve
from legacy_stub.shop import Settings, open_shop


def main() -> int:
    """Start from the command line; 0 after a signal, 1 with one line of complaint otherwise."""
    options = _options()
    # uvicorn raises the signal again when it is done; the default would kill before cleaning up.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        bound = listen(options.host, options.port)
    except OSError as error:
        return _complain(f"Cannot listen on {options.host}:{options.port}: {error.strerror}.")
    settings = Settings(options.seed, options.internal_host, options.access_log)
    with bound, tempfile.TemporaryDirectory(prefix="wayfarer-") as folder:
        path = options.data or str(Path(folder) / "wayfarer.sqlite")
        try:
            shop = open_shop(settings, path, durable=options.data is not None)
        except sqlite3.Error as error:
            return _complain(f"Cannot use {path}: {error}.")
        try:
            serve(shop, bound, options.host)
        finally:
            shop.db.close()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="legacy_stub", description="The old travel shop.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001, help="0 picks a free one")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--data", help="SQLite file, kept (default: a temporary one)")
    parser.add_argument("--internal-host", help="host that absolute URLs name")
    parser.add_argument("--access-log", action="store_true", help="a line a request")
    return parser.parse_args()


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _complain(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
