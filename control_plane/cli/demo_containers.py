"""What docker-compose.yml adds to an installation, to be the demo: secrets, routes and visitors.

    python -m control_plane.cli.demo_containers secrets /secrets
    python -m control_plane.cli.demo_containers visitors --admin http://control:8070 \
        --facade http://proxy:8080 --legacy http://legacy:8001 --functions http://functions:9001 \
        --key-file /secrets/admin.key
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import time
from pathlib import Path

from control_plane.auth.keys import generate
from control_plane.cli.client import Api
from control_plane.cli.demo import define
from control_plane.cli.demo_traffic import visitors
from control_plane.cli.errors import CliError

PATIENCE_S = 120.0


def make_secrets(folder: Path) -> None:
    """Write what is missing, and change nothing that is there. Whoever mounts the volume may read:
    its files belong to root, and the parts run as users of their own."""
    password = secrets.token_urlsafe(24)
    url = f"postgresql://figway:{password}@database/figway"
    if not (folder / "database.url").exists():
        _write(folder / "database.password", password)
        _write(folder / "database.url", url)
    for role in ("admin", "proxy"):
        if not (folder / f"{role}.key").exists():
            _write(folder / f"{role}.key", str(generate()))


def _write(path: Path, secret: str) -> None:
    path.write_text(f"{secret}\n", encoding="ascii")
    path.chmod(0o444)


def make_routes(api: Api, legacy: str, functions: str) -> bool:
    """Define the demo's routes once the control plane answers, unless there are any; whether it
    was done. Raises `CliError`."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            found = api.get("/table")["table"]
        except CliError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.5)
            continue
        if found["routes"]:
            return False
        define(api, legacy, functions)
        return True


def main() -> int:
    """Run one part; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    made = parts.add_parser("secrets", help="write keys and a database password into a folder")
    made.add_argument("folder", type=Path)
    coming = parts.add_parser("visitors", help="define the routes, and browse the shop")
    for name in ("admin", "facade", "legacy", "functions"):
        coming.add_argument(f"--{name}", required=True)
    coming.add_argument("--key-file", type=Path, required=True)
    coming.add_argument("--rate", type=float, default=20.0, help="requests a second")
    given = parser.parse_args()
    if given.part == "secrets":
        make_secrets(given.folder)
        return 0
    try:
        api = Api(given.admin, given.key_file.read_text(encoding="ascii").strip())
        make_routes(api, given.legacy, given.functions)
    except CliError as error:
        sys.stderr.write(f"visitors: {error.message}\n")
        return 1
    asyncio.run(visitors(given.facade, given.rate))
    return 0


if __name__ == "__main__":
    sys.exit(main())
