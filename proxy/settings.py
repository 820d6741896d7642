"""The start-up settings of a proxy: read once from the environment, by the supervisor alone.

Workers get what they need over their channel, so that pydantic is not loaded N times. Every
setting is a variable `FIGWAY_<NAME>`; a secret may also come from a file named by
`FIGWAY_<NAME>_FILE`. Rules that may change while the proxy runs live in the table instead.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "FIGWAY_"
_ALL_BUT = 0.9
"""How alike a name is to the one that was meant."""
SECRETS = ("control_key", "force_secret", "redact_key")


class SettingsError(ValueError):
    """Settings that cannot be used. `lines` has one line a mistake, each with a way out."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Door(StrEnum):
    """How requests come in."""

    NATIVE = "native"
    ASGI = "asgi"


class LogMode(StrEnum):
    """What is written for each request."""

    JSON = "json"
    OFF = "off"


def _http_url(value: str) -> str:
    if not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as http://127.0.0.1:8000")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must not carry a user, a password, a query or a fragment")
    _ = parts.port  # raises ValueError on a port that is none
    return value.rstrip("/")


def _http_urls(value: str) -> str:
    parts = [part.strip() for part in value.split(",")] if value else []
    found = [_http_url(part) for part in parts]
    if not all(found):
        raise ValueError("must hold a URL before and after each comma")
    if len(set(found)) < len(found):
        raise ValueError("must name each URL once")
    return ",".join(found)


def _key(value: SecretStr) -> SecretStr:
    found = value.get_secret_value().strip()
    if not found.isascii() or not all("!" <= letter <= "~" for letter in found):
        raise ValueError("holds a character that no key has: a blank, a line's end, or another")
    return SecretStr(found)


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine, by its name or address alone."""
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def split_address(value: str) -> tuple[str, int]:
    """`host:port`, `[v6]:port` or `:port` (every interface) as host and port.

    Raises `ValueError`.
    """
    host, separator, port = value.rpartition(":")
    if not separator or not port.isdecimal() or int(port) > 65_535:
        raise ValueError("must be an address and a port, such as 127.0.0.1:8080")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address needs brackets, such as [::1]:8080")
    return host or "0.0.0.0", int(port)  # noqa: S104  an address without a host asks for it


def _address(value: str) -> str:
    split_address(value)
    return value


def _networks(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = [part.strip() for part in value.split(",") if part.strip()]
    for part in found:
        try:
            ipaddress.ip_network(part, strict=False)
        except ValueError:
            raise ValueError(f"{part!r} is not an address or network such as 10.0.0.0/8") from None
    return tuple(found)


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._:\[\]-]{0,200}", value):
        raise ValueError("may hold letters, digits and . _ : - [ ], at most 200")
    return value


def _absolute(value: Path) -> Path:
    if not value.is_absolute() or value == Path("/"):
        raise ValueError("must be the whole path of a directory, such as /run/secrets/figway")
    return value


def _state_dir() -> Path:
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "state") / "figway"


def _workers() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # missing on macOS
    count = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return max(1, min(8, count))


def _plugins(value: str) -> str:
    from figway.compare.plugin_names import plugin_names

    return ",".join(plugin_names(value))


Address = Annotated[str, AfterValidator(_address)]
Key = Annotated[SecretStr, AfterValidator(_key)]
Url = Annotated[str, AfterValidator(_http_url)]
Urls = Annotated[str, AfterValidator(_http_urls)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_networks)]
Name = Annotated[str, AfterValidator(_name)]
Plugins = Annotated[str, AfterValidator(_plugins)]
Directory = Annotated[Path, AfterValidator(_absolute)]


class Settings(BaseSettings):
    """What a proxy needs to know before it starts. The docstrings are the reference."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    # -- where from ------------------------------------------------------------------------------
    control_url: Urls = ""
    """Base URL of the control plane, such as `http://127.0.0.1:8070`; of several, with commas
    between them. One is followed, the next when it does not answer, and the kill switch of each
    counts."""
    control_ca_file: str = ""
    """PEM bundle to verify the control plane's certificate with, instead of the system's."""
    control_insecure: bool = False
    """Permit plain `http` to a control plane on another machine: key and table go in the clear."""
    control_key: Key = SecretStr("")
    """API key of role `proxy` for the control plane."""
    legacy_url: Url = ""
    """Base URL of legacy. Used when there is no control plane: everything goes there."""

    # -- who listens where -----------------------------------------------------------------------
    listen: Address = "127.0.0.1:8080"
    """Address and port of the facade; port 0 lets the system choose."""
    private_listen: Address = "127.0.0.1:8081"
    """Address and port of `/live`, `/ready`, `/metrics` and `/table`. Not for end users."""
    facade_url: Url = ""
    """URL of the facade as end users see it, shown in the fleet; made from `listen` when empty."""
    door: Door = Door.NATIVE
    """How requests come in: `native` (own HTTP/1.1 server) or `asgi` (uvicorn)."""
    workers: int = Field(default_factory=_workers, ge=1, le=256)
    """Worker processes. Default: one a processor, at most 8."""
    backlog: int = Field(2048, ge=1, le=65_535)
    """Connections that may wait to be accepted, per worker."""
    trusted_proxies: Networks = ()
    """Addresses or networks, separated by commas, whose X-Forwarded-* and Forwarded are kept."""
    force_secret: SecretStr = SecretStr("")
    """Key of the signature by which testers force a side; without it nobody can."""

    # -- this instance ---------------------------------------------------------------------------
    instance: Name = ""
    """Stable name in the fleet; host name and port when empty."""
    installation: Name = ""
    """Id of the installation to follow, where it is another one than before; see
    `figway fleet`."""
    state_dir: Path = Field(default_factory=_state_dir)
    """Directory of the last good table (`table.json`) and the kill file (`kill`); one a proxy."""

    secrets_dir: Directory = Path("/run/secrets/figway")
    """Directory below which `file:` credentials of backends lie; a table can name no other file. It
    is apart from other secrets of this host, which are no backend's business."""
    ca_dir: Directory = Path("/etc/ssl")
    """Directory below which `ca_file` of backends lies, unless it lies below the secrets'."""
    aws_secrets_prefix: str = Field("figway/backend/", min_length=1, max_length=256)
    """How names of `aws-secret:` credentials (AWS Secrets Manager) begin; a table can name no
    others."""

    # -- limits of the facade --------------------------------------------------------------------
    max_line_bytes: int = Field(16_384, ge=256, le=1_048_576)
    """Longest request line in bytes (414)."""
    max_header_bytes: int = Field(65_536, ge=1_024, le=1_048_576)
    """Size of a request's whole header section in bytes (431)."""
    max_headers: int = Field(200, ge=8, le=10_000)
    """Number of header lines of a request (431)."""
    max_body_bytes: int = Field(0, ge=0)
    """Longest request body in bytes (413); 0 is no limit, as legacy has its own."""
    max_connections: int = Field(10_000, ge=1, le=1_000_000)
    """Client connections at once, per worker."""
    max_connections_per_client: int = Field(0, ge=0, le=1_000_000)
    """Of them, those from one address, trusted proxies excepted; 0 is no limit of its own."""
    head_timeout_s: float = Field(15.0, gt=0, le=3_600)
    """Seconds for a client to send a request head (408)."""
    body_timeout_s: float = Field(60.0, gt=0, le=3_600)
    """Seconds between two pieces of a request body (408)."""
    idle_timeout_s: float = Field(75.0, gt=0, le=3_600)
    """Seconds that an idle client connection is kept."""
    write_timeout_s: float = Field(75.0, gt=0, le=3_600)
    """Seconds that a client may take no byte of an answer that waits for it."""
    half_closed_timeout_s: float = Field(3.0, ge=0, le=86_400)
    """Seconds that a client which has closed its half of the connection waits for the next piece of
    its answer; then it counts as gone. 0 takes it for gone at once, as a client that went away
    looks the same."""
    unrouted_timeout_s: float = Field(0.0, ge=0, le=86_400)
    """Seconds for legacy to begin an answer that no route names, and between two pieces of it; 0
    waits for ever, as without a facade. Legacy's own `head_ms` and `idle_ms`, where they are not
    the defaults, go before it."""
    secure: bool = False
    """End users speak HTTPS, although nothing here says so: issued cookies are Secure."""
    lame_duck_s: float = Field(0.0, ge=0, le=3_600)
    """Seconds after SIGTERM that it still accepts while `/ready` says 503, so that a balancer takes
    it out first: its interval times its threshold. A second signal ends the wait."""
    take_over: bool = False
    """Take the listening sockets over from the proxy that runs with the same state folder, which
    then drains: an upgrade without a closed port."""
    drain_timeout_s: float = Field(30.0, ge=0, le=3_600)
    """Seconds that requests in flight have to finish after SIGTERM."""

    # -- shadow ----------------------------------------------------------------------------------
    shadow: bool = True
    """Copy what is served to the other side where a route asks for it; needs a control plane."""
    shadow_memory_bytes: int = Field(67_108_864, ge=1_048_576, le=1 << 36)
    """Body bytes that captures may hold, per worker; beyond it they are skipped and counted."""
    shadow_queue: int = Field(2_048, ge=1, le=1_000_000)
    """Captures that may wait for the shadow worker, per worker; beyond it they are dropped."""
    shadow_concurrency: int = Field(32, ge=1, le=1_024)
    """Copies at once to one backend, at most; fewer while it suffers."""
    shadow_timeout_s: float = Field(10.0, gt=0, le=300)
    """Seconds for the whole answer to a copy."""
    shadow_legacy_percent: int = Field(50, ge=0, le=300)
    """Extra reads of legacy (retries and noise samples) in per cent of the pairs compared."""
    compare_plugins: Plugins = ""
    """Comparison plugins that the shadow worker may run, `module:function`, separated by commas.
    Other code that a table names is never loaded, and nothing but the shadow worker loads any."""
    redact_key: SecretStr = SecretStr("")
    """Keys the hashes of redacted values; made from the control key when empty."""

    # -- telemetry -------------------------------------------------------------------------------
    log: LogMode = LogMode.JSON
    """A JSON line for each request on standard output, or `off`."""
    log_sample: float = Field(1.0, ge=0, le=1)
    """Share of requests logged; those with a problem, a fallback or a 5xx always are."""
    log_query: bool = False
    """Log the query of the target too. Queries hold secrets more often than paths do."""
    otel_endpoint: Url = ""
    """OTLP/HTTP endpoint for traces, such as `http://127.0.0.1:4318`; needs `figway[otel]`."""

    # -- the control plane -----------------------------------------------------------------------
    poll_s: float = Field(10.0, ge=0.1, le=3_600)
    """Seconds between two polls of the table beneath the stream; while none lives, at most one."""
    heartbeat_s: float = Field(5.0, ge=0.1, le=3_600)
    """Seconds between two acknowledgements when nothing changes."""
    report_s: float = Field(2.0, ge=0.1, le=3_600)
    """Seconds between two reports of counters."""
    start_wait_s: float = Field(2.0, ge=0, le=60)
    """Seconds that a start waits for the control plane before it takes the last good table."""

    @model_validator(mode="after")
    def _complete(self) -> Settings:
        if not self.control_url and not self.legacy_url:
            raise ValueError(
                "FIGWAY_LEGACY_URL: missing. Set it to the application to put the facade before, "
                "such as http://127.0.0.1:8000, or set FIGWAY_CONTROL_URL to follow a control plane"
            )
        plain = [part for part in map(urlsplit, self.control_urls) if part.scheme == "http"]
        if not self.control_insecure and not all(is_loopback(part.hostname) for part in plain):
            raise ValueError(
                "FIGWAY_CONTROL_URL: plain http to another machine would send the key in the "
                "clear. Use https (FIGWAY_CONTROL_CA_FILE names its own authority), or set "
                "FIGWAY_CONTROL_INSECURE=true on a network that nobody else can read"
            )
        if self.control_url and not self.control_key.get_secret_value():
            raise ValueError(
                "FIGWAY_CONTROL_KEY: missing, but FIGWAY_CONTROL_URL is set. Make one with "
                "`figway keys create --role proxy`, and pass it or name its file in "
                "FIGWAY_CONTROL_KEY_FILE"
            )
        return self

    @property
    def control_urls(self) -> list[str]:
        """Each of `control_url`."""
        return self.control_url.split(",") if self.control_url else []

    @property
    def instance_name(self) -> str:
        """The name in the fleet."""
        return self.instance or f"{socket.gethostname()}:{split_address(self.listen)[1]}"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment. Raises `SettingsError`."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {
        name: environ[PREFIX + name.upper()]
        for name in Settings.model_fields
        if environ.get(PREFIX + name.upper(), "") != ""
    }
    lines: list[str] = []
    for name in SECRETS:
        values.update(_secret_file(name, environ, lines))
    if lines:
        raise SettingsError(lines)
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError([_line(entry, environ) for entry in error.errors()]) from None


def misspelt(environ: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Variables that are no setting of a proxy, each with the one that it all but spells."""
    environ = os.environ if environ is None else environ
    known = [variable for variable, _, _ in reference()]
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    close = ((name, get_close_matches(name, known, 1, _ALL_BUT)) for name in unknown)
    return [(name, found[0]) for name, found in close if found]


def reference() -> list[tuple[str, str, str]]:
    """Variable, default and description of every setting; the manual is held to it."""
    rows = []
    for name, field in Settings.model_fields.items():
        variable, description = PREFIX + name.upper(), " ".join((field.description or "").split())
        rows.append((variable, _default(field.default), description))
        if name in SECRETS:
            rows.append((variable + "_FILE", "", f"File that holds {variable}."))
    return rows


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, (str, int, float, Path)):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return ""  # computed; the description says how


def _secret_file(name: str, environ: Mapping[str, str], lines: list[str]) -> dict[str, str]:
    variable = PREFIX + name.upper()
    path = environ.get(variable + "_FILE", "")
    if not path:
        return {}
    if environ.get(variable):
        lines.append(f"{variable} and {variable}_FILE are both set. Keep one of them.")
        return {}
    try:
        value = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        lines.append(f"{variable}_FILE: cannot read {path}: {_reason(error)}")
        return {}
    if not value:
        lines.append(f"{variable}_FILE: {path} is empty.")
        return {}
    return {name: value}


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "not UTF-8 text"


def _line(entry: Any, environ: Mapping[str, str]) -> str:
    """One mistake as one line: which variable, what is wrong, and an example."""
    message = str(entry["msg"]).removeprefix("Value error, ").rstrip(".")
    if not entry["loc"]:
        return message + "."
    name = str(entry["loc"][0])
    variable = PREFIX + name.upper()
    value = re.sub("//[^/@]*@", "//...@", environ.get(variable, ""))  # a URL may hold a password
    shown = "" if name in SECRETS else f", found {value!r}"
    example = _default(Settings.model_fields[name].default)
    hint = f" Example: {variable}={example}" if example else ""
    return f"{variable}: {message[:1].lower()}{message[1:]}{shown}.{hint}"
