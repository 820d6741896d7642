"""Fuzzing led by coverage, where atheris is installed (`pip install atheris`): part of `make fuzz`.

    python -m tests.suites.hostile.guided [--seconds 60]

Each target of `tests.suites.hostile.targets` runs in a process of its own, as libFuzzer ends
its process.
Prints one JSON object a target; an input that breaks one is kept under `.fuzz/`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

KEPT = Path(".fuzz")
NAMES = ("head", "chunks", "template", "table")
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")
_COVERED = re.compile(r"cov: (\d+)")


def main() -> int:
    """Run every target, or say why not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--target", choices=NAMES)
    given = parser.parse_args()
    if given.target:
        fuzz(given.target, sys.argv[0], given.seconds)
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: no fuzzing by coverage. `pip install atheris` adds it.")
        return 0
    good = True
    for name in NAMES:
        good = _told(name, given.seconds) and good
    return int(not good)


def _told(name: str, seconds: int) -> bool:
    """Run one target in its own process, and print how it went."""
    command = [sys.executable, "-m", "tests.suites.hostile.guided"]
    command += ["--target", name, "--seconds", str(seconds)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    done, covered = _DONE.search(ended.stderr), _COVERED.findall(ended.stderr)
    told = {
        "what": f"guided {name}",
        "runs": int(done[1]) if done else 0,
        "seconds": int(done[2]) if done else 0,
        "coverage": int(covered[-1]) if covered else 0,
        "wrong": "" if ended.returncode == 0 and done else ended.stderr[-2_000:],
    }
    print(json.dumps(told), flush=True)
    return not told["wrong"]


def fuzz(name: str, program: str, seconds: int) -> None:
    """Fuzz one target for so long. Does not return: libFuzzer ends the process."""
    import atheris  # type: ignore[import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["figway", "proxy.wire"]):
        from tests.suites.hostile.targets import SEEDS, TARGETS
    KEPT.mkdir(exist_ok=True)
    corpus = Path(tempfile.mkdtemp(prefix="figway-fuzz-"))
    for number, seed in enumerate(SEEDS[name]):
        (corpus / str(number)).write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10"]
    options += [f"-artifact_prefix={KEPT}/{name}-", str(corpus)]
    atheris.Setup([program, *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
