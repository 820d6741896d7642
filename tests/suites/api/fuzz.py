"""Holds every answer of the admin API to its OpenAPI description: schemathesis, on a real process.

No answer may be a 5xx, have a status, a content type or a shape that the description does not know,
accept what the description forbids, or list other methods in Allow than there are.

    python -m tests.suites.api.fuzz --examples 200 [--role viewer]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from control_plane.auth.roles import Role
from tests.suites.api.system import System, system

HERE = Path(__file__).parent
_LEFT_OUT = r"(/table/stream|/live)$"
"""Streams, which have no end, and a probe of that name."""
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
_CONFIG = """
[cache]
enabled = false

[dictionaries.ids]
values = ["orders", "fn", "legacy", "shop"]

[dictionaries.prefixes]
values = ["{spare}"]

[dictionaries.examples]
values = ["{example}"]

[dictionaries.replays]
values = ["{replay}"]

[dictionaries.rules]
values = ["price"]

[dictionaries.revisions]
values = [1, 2, 3]

[parameters]
"path.route_id" = {{ dictionary = "ids", probability = 0.6 }}
"path.backend_id" = {{ dictionary = "ids", probability = 0.6 }}
"path.capability_id" = {{ dictionary = "ids", probability = 0.6 }}
"path.rule_id" = {{ dictionary = "rules", probability = 0.6 }}
"path.number" = {{ dictionary = "revisions", probability = 0.6 }}
"path.prefix" = {{ dictionary = "prefixes", probability = 0.6 }}
"path.example_id" = {{ dictionary = "examples", probability = 0.6 }}
"path.replay_id" = {{ dictionary = "replays", probability = 0.6 }}
"""


def run(
    served: System, role: Role | None, examples: int, work: Path, *more: str
) -> tuple[int, str]:
    """One run with the key of a role, or none: its exit code, and what it says."""
    config = work / "schemathesis.toml"
    config.write_text(
        _CONFIG.format(spare=served.spare, example=served.example, replay=served.replay)
    )
    key = served.keys[role or Role.VIEWER]
    header = ["--header", f"Authorization: Bearer {key}"] if role else []
    schema = work / "openapi.json"
    with served.client() as client:
        schema.write_bytes(client.get("/openapi.json").content)
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "--config-file", config,
            "run", schema, "--url", served.url.removesuffix("/api/v1"), *header,
            "--checks", ",".join(_CHECKS), "--exclude-path-regex", _LEFT_OUT,
            "--max-examples", str(examples), "--max-failures", "100",
            "--request-timeout", "20", "--suppress-health-check", "all",
            "--output-truncate", "false", "--warnings", "off", "--no-color", *more,
        ],
        capture_output=True, text=True, cwd=work, check=False,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.suites.api.hooks", "FIGWAY_FUZZ_KEY": key,
             "PYTHONPATH": str(HERE.parents[2])},
    )  # fmt: skip
    with served.client(role or Role.VIEWER) as client:
        assert client.get("/me").status_code == 200, "the run has lost its key"
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    """Run with each role, or the one that is asked for; 1 if any found something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--role", choices=[role.value for role in Role])
    parser.add_argument("more", nargs="*", help="further options of schemathesis, after --")
    given = parser.parse_args()
    failed = False
    roles = [Role(given.role)] if given.role else [Role.VIEWER, Role.PROXY, Role.ADMIN]
    with tempfile.TemporaryDirectory(prefix="figway-api-") as state, system(Path(state)) as served:
        for role in roles:
            code, said = run(served, role, given.examples, Path(state), *given.more)
            print(f"role {role.value}:\n{said}", flush=True)
            failed |= code != 0
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
