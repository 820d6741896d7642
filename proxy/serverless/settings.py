"""The settings of the proxy function, from the environment, without a settings library.

Names that the container has too mean the same here. pydantic alone would cost more to import than
everything that this function needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from math import nan
from typing import Any, TypeVar

from proxy.request.runtime import FacadeSettings

PREFIX = "FIGWAY_"
T = TypeVar("T")


class SettingsError(ValueError):
    """Settings that cannot be used: one line a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaSettings:
    """What the function is told when it is deployed."""

    facade: FacadeSettings
    control_url: str = ""
    """FIGWAY_CONTROL_URL: the control plane, asked for the table; of several, with commas between
    them, one is asked, and the next when it does not answer."""
    control_key: str = ""
    """FIGWAY_CONTROL_KEY: its API key of role `proxy`."""
    control_key_secret: str = ""
    """FIGWAY_CONTROL_KEY_SECRET: name or ARN in Secrets Manager that holds the key instead."""
    table_url: str = ""
    """FIGWAY_TABLE_URL: an object that holds the table instead of the control plane:
    `s3://bucket/key`, or any http(s) URL, such as AppConfig's local endpoint."""
    table_file: str = ""
    """FIGWAY_TABLE_FILE: the last good table, bundled at deploy."""
    legacy_url: str = ""
    """FIGWAY_LEGACY_URL: everything goes there while there is no table."""
    table_max_age_s: float = 5.0
    """FIGWAY_TABLE_MAX_AGE_S: how old a table may be before it is asked for beside a request."""
    init_wait_ms: int = -1
    """FIGWAY_INIT_WAIT_MS: how long a cold start waits for a fresh table; by default not at all
    with a last good table, and 3 s without."""
    settle_ms: int = 100
    """FIGWAY_SETTLE_MS: how long an answer may wait for its capture to be queued."""
    queue_url: str = ""
    """FIGWAY_SHADOW_QUEUE_URL: the SQS queue that captures and counters go to."""
    worker_function: str = ""
    """FIGWAY_SHADOW_FUNCTION: the worker, invoked asynchronously where there is no queue."""
    bucket: str = ""
    """FIGWAY_SHADOW_BUCKET: S3 bucket for captures over what a message holds."""
    base_path: str = ""
    """FIGWAY_BASE_PATH: path of a custom domain's mapping, taken off the front."""
    installation: str = ""
    """FIGWAY_INSTALLATION: id of the installation to follow, where the bundled table is of another
    one or names none; see `figway installation show`."""
    kill: bool = False
    """FIGWAY_KILL: 1 sends everything to legacy, whatever the table says."""
    sandboxes: int = 10
    """FIGWAY_SANDBOXES: how many run at once, as far as known: they share the fallback budget."""
    report_s: float = 10.0
    """FIGWAY_REPORT_S: seconds between two messages with counters."""
    log: bool = True
    """FIGWAY_LOG: `json` or `off`."""
    log_sample: float = 1.0
    """FIGWAY_LOG_SAMPLE: share of requests logged."""
    log_query: bool = False
    """FIGWAY_LOG_QUERY: 1 logs the query too."""
    namespace: str = "Figway"
    """FIGWAY_METRICS_NAMESPACE: CloudWatch namespace of the embedded metrics; empty for none."""
    instance: str = ""
    """FIGWAY_INSTANCE: name in reports; function and log stream when empty."""

    @property
    def control_urls(self) -> list[str]:
        """Each of `control_url`."""
        return self.control_url.split(",") if self.control_url else []


def load(environ: Mapping[str, str] | None = None) -> LambdaSettings:
    """Read the settings. Raises `SettingsError`."""
    env = os.environ if environ is None else environ
    lines: list[str] = []

    def text(name: str) -> str:
        return env.get(PREFIX + name, "")

    def read(name: str, kind: Callable[[str], T], default: T) -> T:
        value = text(name)
        if not value:
            return default
        try:
            return kind(value)
        except ValueError as error:
            lines.append(f"{PREFIX}{name}: {error}, found {value!r}.")
            return default

    def secret(name: str) -> str:
        value = text(name).strip()
        if not value.isascii() or not all("!" <= letter <= "~" for letter in value):
            lines.append(f"{PREFIX}{name}: holds a character that no key has.")
        return value

    facade = FacadeSettings(
        trusted_proxies=read("TRUSTED_PROXIES", _networks, ()),
        force_secret=text("FORCE_SECRET").encode(),
        max_fields=read("MAX_HEADERS", _whole(8, 10_000), 200),
        max_line=read("MAX_LINE_BYTES", _whole(256, 1_048_576), 16_384),
        max_body=read("MAX_BODY_BYTES", _whole(0, 2**40), 0),
        secure=read("SECURE", _flag, False),
    )
    values: dict[str, Any] = {
        "control_url": read("CONTROL_URL", _urls, ""),
        "control_key": secret("CONTROL_KEY"),
        "control_key_secret": text("CONTROL_KEY_SECRET"),
        "table_url": read("TABLE_URL", _object_url, ""),
        "table_file": text("TABLE_FILE"),
        "legacy_url": read("LEGACY_URL", _url, ""),
        "table_max_age_s": read("TABLE_MAX_AGE_S", _between(0, 3_600), 5.0),
        "init_wait_ms": read("INIT_WAIT_MS", _whole(0, 60_000), -1),
        "settle_ms": read("SETTLE_MS", _whole(0, 60_000), 100),
        "queue_url": read("SHADOW_QUEUE_URL", _url, ""),
        "worker_function": text("SHADOW_FUNCTION"),
        "bucket": text("SHADOW_BUCKET"),
        "base_path": text("BASE_PATH"),
        "installation": text("INSTALLATION"),
        "kill": read("KILL", _flag, False),
        "sandboxes": read("SANDBOXES", _whole(1, 100_000), 10),
        "report_s": read("REPORT_S", _between(0, 3_600), 10.0),
        "log": read("LOG", _logs, True),
        "log_sample": read("LOG_SAMPLE", _between(0, 1), 1.0),
        "log_query": read("LOG_QUERY", _flag, False),
        "namespace": env.get(PREFIX + "METRICS_NAMESPACE", "Figway"),
        "instance": text("INSTANCE") or _instance(env),
    }
    if not values["control_url"] and not values["table_url"]:
        if not values["table_file"] and not values["legacy_url"]:
            lines.append(
                "FIGWAY_LEGACY_URL: missing. Set it to the application to put the facade before, "
                "or set FIGWAY_CONTROL_URL, FIGWAY_TABLE_URL or FIGWAY_TABLE_FILE."
            )
    elif values["control_url"] and not (values["control_key"] or values["control_key_secret"]):
        lines.append("FIGWAY_CONTROL_KEY or FIGWAY_CONTROL_KEY_SECRET: missing.")
    if lines:
        raise SettingsError("\n".join(lines))
    return LambdaSettings(facade=facade, **values)


def _url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must be an http or https URL")
    return value.rstrip("/")


def _urls(value: str) -> str:
    found = [_url(part.strip()) for part in value.split(",") if part.strip()]
    if len(set(found)) < len(found):
        raise ValueError("names one control plane twice")
    return ",".join(found)


def _object_url(value: str) -> str:
    if value.startswith("s3://"):
        if "/" not in value[5:].strip("/"):
            raise ValueError("must name a bucket and a key: s3://bucket/key")
        return value
    return _url(value)


def _between(low: float, high: float) -> Callable[[str], float]:
    """A number within bounds; infinity and what is no number are none."""

    def read(value: str) -> float:
        try:
            found = float(value)
        except ValueError:
            found = nan
        if not low <= found <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return found

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number within bounds."""
    within = _between(low, high)

    def read(value: str) -> int:
        found = within(value)
        if not found.is_integer():
            raise ValueError("must be a whole number")
        return int(found)

    return read


def _logs(value: str) -> bool:
    if value not in ("json", "off"):
        raise ValueError("must be json or off")
    return value == "json"


def _flag(value: str) -> bool:
    if value.lower() not in ("0", "1", "true", "false"):
        raise ValueError("must be 0 or 1")
    return value.lower() in ("1", "true")


def _networks(value: str) -> tuple[Any, ...]:
    parts = [part.strip() for part in value.split(",") if part.strip()]
    return tuple(ip_network(part, strict=False) for part in parts)


def _instance(env: Mapping[str, str]) -> str:
    name = env.get("AWS_LAMBDA_FUNCTION_NAME", "lambda")
    return f"{name}:{env.get('AWS_LAMBDA_LOG_STREAM_NAME', '')[-32:] or 'local'}"
