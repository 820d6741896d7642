"""The seeded differences: what they are, and which of them are on.

`differences.toml` says what they are. A JSON file beside the read models (DIFFERENCES_FILE) says
which are on when that is not the default; it is read anew when it changes, so that a function can
be "fixed" while it runs. Functions ask `enabled(name)`.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).with_name("differences.toml")


class UnknownDifference(ValueError):
    """A name that differences.toml does not have."""


@dataclass(frozen=True)
class Difference:
    """One seeded disagreement of the new functions with legacy."""

    name: str
    kind: str
    function: str
    route: str
    """"METHOD /path/{template}" as legacy knows it."""
    paths: list[str]
    """Templates as a comparison names them: `$.items[*].price`, `status`, `header:location`."""
    change: str
    """changed, type, missing, added or order."""
    legacy: str
    new: str
    when: str
    """Which requests show it."""
    default: bool


@cache
def table() -> dict[str, Difference]:
    """All seeded differences by name."""
    data = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return {entry["name"]: Difference(**entry) for entry in data["difference"]}


def states(switches: Path) -> dict[str, bool]:
    """Whether each difference is on, by the file `switches` over the defaults."""
    known = {name: difference.default for name, difference in table().items()}
    return {**known, **_read(switches)}


def switch(switches: Path, wanted: Mapping[str, Any]) -> None:
    """Set differences on or off; "*" means all. Raises UnknownDifference; then nothing changes."""
    current = states(switches)
    for name, on in wanted.items():
        if not isinstance(on, bool):
            raise UnknownDifference(f"difference {name!r}: true or false is expected")
        if name == "*":
            current = dict.fromkeys(current, on)
        elif name in current:
            current[name] = on
        else:
            raise UnknownDifference(f"no difference {name!r}; known: {', '.join(current)}")
    _write(switches, current)


def choose(switches: Path, choice: str) -> None:
    """Set exactly these: "default", "all", "none" or names with commas between."""
    if choice == "default":
        _write(switches, {})
    elif choice in ("all", "none"):
        switch(switches, {"*": choice == "all"})
    else:
        names = {name.strip(): True for name in choice.split(",") if name.strip()}
        switch(switches, {"*": False, **names})


def _read(switches: Path) -> dict[str, bool]:
    try:
        data = json.loads(switches.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {name: on for name, on in data.items() if name in table()}


def _write(switches: Path, current: Mapping[str, bool]) -> None:
    # Replaced whole: a function must never read half a file.
    scratch = switches.with_suffix(".tmp")
    scratch.write_text(json.dumps(current, indent=2), encoding="utf-8")
    scratch.replace(switches)


class _Switches:
    """The switch file as this process last read it."""

    def __init__(self) -> None:
        self.path = Path(os.environ.get("DIFFERENCES_FILE", ""))
        self.stamp: tuple[int, int] | None = None
        self.states: dict[str, bool] = states(self.path)

    def current(self) -> dict[str, bool]:
        try:
            stat = os.stat(self.path)
            stamp = (stat.st_mtime_ns, stat.st_ino)
        except OSError:
            stamp = None
        if stamp != self.stamp:
            self.states, self.stamp = states(self.path), stamp
        return self.states


@cache
def _switches() -> _Switches:
    return _Switches()


def enabled(name: str) -> bool:
    """Whether a difference is on now. Raises KeyError for a name that does not exist."""
    return _switches().current()[name]
