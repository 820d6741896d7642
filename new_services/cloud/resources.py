"""What resources.toml says: queues, which events fill them, workflows, a bucket."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Queue:
    """A queue. `dead` is where messages go after `attempts`; empty: dead letters of its own."""

    name: str
    visibility: int
    attempts: int
    events: tuple[str, ...] = ()
    dead: str = ""

    @property
    def dead_letters(self) -> str:
        """The queue that takes what failed too often."""
        return self.dead or f"{self.name}-dead"


@dataclass(frozen=True)
class Workflow:
    """A state machine of type EXPRESS; `functions` maps its placeholders to functions' names."""

    name: str
    definition: str
    functions: Mapping[str, str] = field(default_factory=dict)

    def text(self, names: Mapping[str, str] | None = None) -> str:
        """The definition with the functions' names (or other names for them) put in."""
        whole = (_FOLDER / self.definition).read_text(encoding="utf-8")
        known = names or self.functions
        # Not string.Template: `$$` is the context object here.
        return re.sub(r"\$\{(\w+)\}", lambda found: known[found[1]], whole)


@dataclass(frozen=True)
class Resources:
    """Everything that is deployed beside the functions."""

    bus: str
    bucket: str
    queues: tuple[Queue, ...]
    workflows: tuple[Workflow, ...]


def load(path: Path = _FOLDER / "resources.toml") -> Resources:
    """Read the file. Raises OSError, tomllib.TOMLDecodeError, KeyError, TypeError."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    queues = [_queue(name, {**data["defaults"], **own}) for name, own in data["queues"].items()]
    workflows = [Workflow(name, **own) for name, own in data["workflows"].items()]
    return Resources(data["bus"], data["bucket"], tuple(queues), tuple(workflows))


def _queue(name: str, own: dict[str, Any]) -> Queue:
    return Queue(**{**own, "name": name, "events": tuple(own.get("events", ()))})
