"""The scenarios: what is configured, and what load it meets."""

from __future__ import annotations

from dataclasses import dataclass

ALL = (
    "native",
    "interpreted",
    "asgi",
    "nginx",
    "haproxy",
    "envoy",
    "traefik",
    "caddy",
    "http-proxy",
    "undici",
    "fastapi",
    "bare-relay",
    "bare-asgi",
)
"""Every server, in the order of the report."""
_PROXIES = ALL[: ALL.index("bare-relay")]
_FAST = ALL[: ALL.index("fastapi")]
_OWN = ("native", "interpreted", "asgi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row of the report. `kind` is a kind of `load.lua`, or `open` or `idle`."""

    key: str
    title: str
    kind: str
    routes: int = 0
    split: bool = False
    mirror: bool = False
    operation: bool = False
    """Whether one GraphQL operation of `/graphql`, named in the body, goes to new."""
    flips: float = 0.0
    rate: float = 0.0
    """Of the open loop, in requests a second; 0 is half of the server's own rate in (a)."""
    workers: int = 1
    connections: int = 64
    seconds: float = 5.0
    servers: tuple[str, ...] = _FAST
    sizes: tuple[int, ...] = ()
    """For `idle`: how many connections."""


_REAL = {"kind": "browser", "routes": 200, "split": True}

SCENARIOS = {
    item.key: item
    for item in (
        Scenario(
            key="a",
            title="GET as browsers send it, 200 routes, 25 % sticky split",
            servers=ALL,
            **_REAL,  # type: ignore[arg-type]
        ),
        Scenario(key="b", title="plain GET, no routes", kind="plain", servers=_PROXIES),
        Scenario(
            key="c",
            title="as (a), all of it copied to a second backend instead of split",
            kind="browser",
            routes=200,
            mirror=True,
        ),
        Scenario(
            key="c2",
            title="as (c), open loop at 4 000 requests a second, so that all can be copied",
            kind="open",
            routes=200,
            mirror=True,
            rate=4_000.0,
        ),
        Scenario(key="d", title="POST of 4 KB, no routes", kind="post"),
        Scenario(key="e1", title="1 MB answer", kind="1m", connections=16),
        Scenario(key="e2", title="100 MB answer", kind="100m", connections=4),
        Scenario(
            key="f",
            title="backend that takes 50 ms, 500 connections",
            kind="slow",
            connections=500,
            servers=("direct", *_FAST),
        ),
        Scenario(
            key="g",
            title="as (a), open loop at half of the server's own rate in (a)",
            kind="open",
            routes=200,
            split=True,
        ),
        Scenario(
            key="h",
            title="idle connections",
            kind="idle",
            routes=200,
            split=True,
            sizes=(1_000, 10_000),
            servers=("native", "asgi", "nginx", "envoy", "traefik", "caddy"),
        ),
        *(
            Scenario(
                key=f"i{number}",
                title=f"as (a) with {number} routes",
                kind="browser",
                routes=number,
                split=True,
                servers=_OWN if number > 1_000 else ("native", "nginx", "envoy"),
            )
            for number in (10, 1_000, 100_000)
        ),
        Scenario(
            key="j",
            title="as (a) with ten flips a second",
            flips=10.0,
            servers=_OWN,
            **_REAL,  # type: ignore[arg-type]
        ),
        Scenario(
            key="k",
            title="as (a), two workers, both on the cores of the load",
            workers=2,
            servers=("native", "nginx"),
            **_REAL,  # type: ignore[arg-type]
        ),
        Scenario(
            key="l",
            title="GraphQL by POST, one operation of two to new, by what the body names",
            kind="graphql",
            operation=True,
            servers=(*_OWN, "envoy"),
        ),
    )
}


def chosen(names: str) -> list[Scenario]:
    """Scenarios by name or by letter (`e` is e1 and e2); all for an empty string."""
    if not names:
        return list(SCENARIOS.values())
    found = []
    for name in names.split(","):
        hits = [item for key, item in SCENARIOS.items() if key == name or key[0] == name]
        if not hits:
            raise SystemExit(f"No scenario {name!r}. There are: {', '.join(SCENARIOS)}.")
        found += hits
    return found
