"""What a match, a build and a flip cost, by the number of routes; one JSON object a line.

    python -m bench.match [--routes 10,1000,100000] [--rounds 5]

Paths carry ids that differ on every request; a quarter of the routes lists methods, and an
eighth of the requests matches nothing. The median of the rounds is printed, beside the fastest.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from figway.model.backend import Backend
from figway.model.table import Route, RouteMatch, Stage, Table
from figway.model.words import Side
from figway.routing.compile import CompiledTable, compile_table
from figway.validate.table import validate, validate_change

SHAPES = ("/{id}", "/{id}/items", "/{id}/items/{item}", "/{rest=**}")
TAILS = ("", "/items", "/items/77", "/a/b/c")


class Head:
    """The cheapest head that a door could offer, so that the match alone is measured."""

    __slots__ = ("client", "host", "method", "path", "query")

    def __init__(self, path: bytes) -> None:
        self.method = "GET"
        self.path = path
        self.query = b""
        self.host = b"shop.example"
        self.client = "203.0.113.7"

    def get(self, name: bytes) -> bytes | None:
        """No header is sent."""
        return None


def make_table(count: int) -> Table:
    """A table of `count` routes over as many resources."""
    backends = {
        "monolith": Backend(id="monolith", side=Side.LEGACY, url="http://127.0.0.1:8000"),
        "functions": Backend(id="functions", side=Side.NEW, url="http://127.0.0.1:9000"),
    }
    routes = {}
    for number in range(count):
        path = f"/api/v1/resource-{number}{SHAPES[number % 4]}"
        methods = ("GET", "POST") if number % 4 == 1 else ()
        match = RouteMatch(path=path, methods=methods)
        routes[f"r{number}"] = Route(
            id=f"r{number}", match=match, new="functions", stage=Stage.CANARY, weight=2_500
        )
    return Table(
        default_backend="monolith",
        backends=MappingProxyType(backends),
        routes=MappingProxyType(routes),
    )


def make_heads(count: int, sample: int = 4_000) -> list[Head]:
    """Heads spread evenly over the routes of `make_table`, one in eight matching none."""
    heads = []
    for index in range(sample):
        number = index * 7_919 % count
        word = "resource" if index % 8 else "nothing"
        path = f"/api/v1/{word}-{number}/{index * 104_729}{TAILS[number % 4]}"
        heads.append(Head(path.encode()))
    return heads


def milliseconds(work: Callable[[], object]) -> float:
    """How long `work` takes, with the garbage of before out of the way."""
    gc.collect()
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def match_ns(compiled: CompiledTable, heads: list[Head]) -> float:
    """Nanoseconds of one match, the loop around it taken off."""
    match = compiled.match
    start = time.perf_counter_ns()
    for head in heads:
        match(head)
    middle = time.perf_counter_ns()
    for _ in heads:
        pass
    return (2 * middle - start - time.perf_counter_ns()) / len(heads)


def flipped(table: Table) -> Table:
    """The table with one route at another weight."""
    route = table.routes["r5"]
    routes = {**table.routes, "r5": replace(route, weight=route.weight + 1)}
    return replace(table, routes=MappingProxyType(routes))


def measure(count: int, rounds: int) -> dict[str, float | int]:
    """All figures for one number of routes."""
    table, heads = make_table(count), make_heads(count)
    following = flipped(table)
    build = milliseconds(lambda: compile_table(table))
    compiled = compile_table(table)
    gc.freeze()
    expected = sum(1 for index in range(len(heads)) if index % 8)
    found = sum(1 for head in heads if compiled.match(head).route is not None)
    assert found == expected, (found, expected)
    times = [match_ns(compiled, heads) for _ in range(rounds * 5)]
    flips = [milliseconds(lambda: compiled.with_table(following, 1, "")) for _ in range(rounds)]
    checks = [milliseconds(lambda: validate_change(table, following)) for _ in range(rounds)]
    whole = milliseconds(lambda: validate(table))
    gc.unfreeze()
    return {
        "routes": count,
        "match_ns": round(statistics.median(times)),
        "match_ns_best": round(min(times)),
        "build_ms": round(build, 2),
        "flip_ms": round(statistics.median(flips), 3),
        "validate_ms": round(whole, 2),
        "validate_flip_ms": round(statistics.median(checks), 3),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routes", default="10,1000,10000,100000")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for count in arguments.routes.split(","):
        print(json.dumps(measure(int(count), arguments.rounds)), flush=True)


if __name__ == "__main__":
    main()
