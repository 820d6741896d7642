"""`make fuzz`: hostile requests and answers by the hundred thousand, over both doors.

    python -m tests.suites.hostile.fuzz [--requests 100000] [--seed 1]

A tenth of them go through the ASGI door, a tenth are answers, and a tenth have trailers. Prints one
JSON object a part; the exit code says whether nothing was wrong. Memory is that of this process,
which holds the facade, the backend and the clients.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable
from functools import partial

import psutil

from tests.suites.hostile import test_answers, test_requests
from tests.suites.hostile.mutate import with_trailers
from tests.suites.hostile.ring import Findings

FIGHTS: dict[str, Callable[[str, int, int], Findings]] = {
    "requests": test_requests.fight,
    "trailers": partial(test_requests.fight, made=with_trailers),
    "answers": test_answers.fight,
}


def main() -> int:
    """Run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)  # uvicorn's own line for each bad request
    count = given.requests
    parts = [("requests", "native", count), ("requests", "asgi", count // 10)]
    parts += [("trailers", "native", count // 20), ("trailers", "asgi", count // 20)]
    parts += [("answers", "native", count // 10), ("answers", "asgi", count // 50)]
    good = True
    for what, door, number in parts:
        fight = FIGHTS[what]
        fight(door, 500, given.seed + 1)  # what is allocated once is allocated before
        before, begun = psutil.Process().memory_info().rss, time.perf_counter()
        found = fight(door, number, given.seed)
        tell(what, door, found, time.perf_counter() - begun, before)
        good = good and not found.wrong
    return int(not good)


def tell(what: str, door: str, found: Findings, seconds: float, before: int) -> None:
    """Print one part."""
    grown = psutil.Process().memory_info().rss - before
    line = {
        "what": what,
        "door": door,
        "cases": found.cases,
        "forwarded": found.forwarded,
        "refused": found.refused,
        "without_an_answer": found.unanswered,
        "not_waited_for": found.late,
        "wrong": found.wrong[:20],
        "seconds": round(seconds, 1),
        "memory_grown_mb": round(grown / 1e6, 1),
        "left_open": 0,  # `fight` raises where connections, requests or descriptors are left
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
