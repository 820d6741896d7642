"""The deployment layout: which functions there are and what each needs, read from one TOML file."""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KNOWN = {
    "handler",
    "timeout",
    "memory",
    "concurrency",
    "environments",
    "environment",
    "schedule",
    "description",
    "replaces",
    "writes",
    "operation",
    "serves",
    "needs",
    "queue",
    "batch",
}
_MAX_TIMEOUT = 900.0


class LayoutError(ValueError):
    """The layout cannot be used; the message names the function and the setting."""


@dataclass(frozen=True)
class Function:
    """One function as it is deployed."""

    name: str
    handler: str
    timeout: float = 3.0
    """Seconds one invocation may take."""
    memory: int = 128
    """MiB that its process may hold before it is killed."""
    concurrency: int = 100
    """Reserved concurrency: invocations in flight beyond it are throttled."""
    environments: int = 2
    """Processes at most. AWS would start as many as `concurrency`; here the rest wait in line."""
    environment: Mapping[str, str] = field(default_factory=dict)
    schedule: float | None = None
    """Seconds between invocations by the host itself, as an EventBridge schedule makes them."""
    queue: str = ""
    """The SQS queue that it is fed from, as an event source mapping feeds it."""
    batch: int = 10
    """Messages that one invocation gets at most."""
    description: str = ""
    replaces: tuple[str, ...] = ()
    """The legacy routes that it takes over: "METHOD /path/{template}"."""
    serves: tuple[str, ...] = ()
    """Routes that legacy has not, or not in this way: "METHOD /path/{template}"."""
    needs: tuple[str, ...] = ()
    """What it may use: `events`, `queue:NAME`, `function:NAME`."""
    operation: Mapping[str, Any] = field(default_factory=dict)
    """What of a route it takes over, when that is not all: an operation inside one path."""


@dataclass(frozen=True)
class Layout:
    """Everything that is deployed together."""

    region: str
    account: str
    version: str
    aliases: Mapping[str, str]
    functions: Mapping[str, Function]

    def arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{name}"


def load(path: Path, variables: Mapping[str, str]) -> Layout:
    """Read a layout; `${NAME}` in environment values is taken from `variables`.

    Raises LayoutError for a file that is missing, is no TOML, or says something unusable.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LayoutError(f"cannot read the layout {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise LayoutError(f"the layout {path} is not valid TOML: {error}") from error
    defaults = data.get("defaults", {})
    functions = {
        name: _function(name, _merge(defaults, own), variables)
        for name, own in data.get("functions", {}).items()
    }
    if not functions:
        raise LayoutError(f"the layout {path} declares no [functions.NAME]")
    deployment = data.get("deployment", {})
    version = str(deployment.get("version", "1"))
    return Layout(
        region=deployment.get("region", "us-east-1"),
        account=deployment.get("account", "123456789012"),
        version=version,
        aliases=dict.fromkeys(deployment.get("aliases", []), version),
        functions=functions,
    )


def _merge(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = {**defaults, **own}
    merged["environment"] = {**defaults.get("environment", {}), **own.get("environment", {})}
    return merged


def _function(name: str, data: dict[str, Any], variables: Mapping[str, str]) -> Function:
    if not _NAME.fullmatch(name):
        raise LayoutError(f"function {name!r}: a name is 1 to 64 letters, digits, - or _")
    if unknown := sorted(set(data) - _KNOWN):
        raise LayoutError(f"function {name}: unknown setting {', '.join(unknown)}")
    if "." not in str(data.get("handler", "")):
        raise LayoutError(f"function {name}: handler must be 'package.module.function'")
    function = Function(
        name=name,
        handler=data["handler"],
        timeout=float(data.get("timeout", 3.0)),
        memory=int(data.get("memory", 128)),
        concurrency=int(data.get("concurrency", 100)),
        environments=int(data.get("environments", 2)),
        environment=_substitute(name, data["environment"], variables),
        schedule=float(data["schedule"]) if "schedule" in data else None,
        description=data.get("description", ""),
        replaces=tuple(data.get("replaces", ())),
        queue=data.get("queue", ""),
        batch=int(data.get("batch", 10)),
        serves=tuple(data.get("serves", ())),
        needs=tuple(data.get("needs", ())),
        operation=data.get("operation", {}),
    )
    if not 0 < function.timeout <= _MAX_TIMEOUT:
        raise LayoutError(f"function {name}: timeout must be over 0 and at most 900 seconds")
    if not 1 <= function.batch <= 10:
        raise LayoutError(f"function {name}: batch must be from 1 to 10")
    if min(function.memory, function.concurrency + 1, function.environments) < 1:
        raise LayoutError(f"function {name}: memory, concurrency and environments are counts")
    return function


def _substitute(
    name: str, environment: Mapping[str, Any], variables: Mapping[str, str]
) -> dict[str, str]:
    try:
        return {
            key: string.Template(str(value)).substitute(variables)
            for key, value in environment.items()
        }
    except (KeyError, ValueError) as error:
        raise LayoutError(f"function {name}: environment: unknown variable {error}") from error
