"""What a control plane is started with. Every field is an environment variable `FIGWAY_<NAME>`.

Rules that change while it runs live in the table; what was observed lives in the database.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from control_plane.state_dir import default_state_dir
from figway.compare.plugin_names import plugin_names


def _plugins(text: str) -> str:
    """Names of plugins. Raises ValueError."""
    plugin_names(text)
    return text


class SettingsError(ValueError):
    """Settings that the control plane refuses to start with; the message says what to do."""


class Settings(BaseSettings):
    """Start-up settings of the control plane."""

    model_config = SettingsConfigDict(
        env_prefix="FIGWAY_",
        env_ignore_empty=True,
        use_attribute_docstrings=True,
        extra="ignore",
        populate_by_name=True,
    )

    database_url: Annotated[
        str, Field(validation_alias=AliasChoices("FIGWAY_DATABASE_URL", "DATABASE_URL"))
    ] = ""
    """`postgresql://user:password@host/name` or `sqlite:///path`; a SQLite file in `state_dir`
    when empty. `DATABASE_URL` is read as well."""
    database_url_file: Path | None = None
    """File that holds `database_url`, as that may hold a password."""
    database_pool: Annotated[int, Field(ge=0, le=200)] = 10
    """Most connections to the database at once. 0 keeps none between transactions, and no prepared
    statement either: for functions, and for poolers that lend connections by the transaction."""
    state_dir: Path = Field(default_factory=default_state_dir)
    """Where the SQLite file lies when no database is named: `~/.local/state/figway` by default."""
    admin_listen: str = "127.0.0.1:8070"
    """`host:port` of the admin API and the console."""
    admin_tls_cert: Path | None = None
    """PEM certificate chain to serve the admin API with."""
    admin_tls_key: Path | None = None
    """PEM private key that belongs to `admin_tls_cert`."""
    admin_allow_plain: bool = False
    """Listen without TLS on an address that is not loopback. Only behind something that adds
    TLS."""
    legacy_url: str = ""
    """Base URL of legacy. An empty database starts with it as the default backend `legacy`."""
    bootstrap_admin_key: str = ""
    """Admin key to accept from the first start on (`fgw_...`), instead of printing a new one."""
    bootstrap_admin_key_file: Path | None = None
    """File that holds `bootstrap_admin_key`."""
    bootstrap_proxy_key: str = ""
    """Key of role proxy to accept from the first start on."""
    bootstrap_proxy_key_file: Path | None = None
    """File that holds `bootstrap_proxy_key`."""
    console_link: bool = True
    """Give a one-time log-in link for the console at each start: printed to a terminal, elsewhere
    in the file `console-link` of `state_dir`, which its owner alone reads."""
    compare_plugins: Annotated[str, AfterValidator(_plugins)] = ""
    """The comparison plugins that shadow workers were started with, as they are named there. A
    route that names another gets a finding. The control plane loads none."""
    auth_failures: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """Failed attempts a minute from one address before the answer is 429."""
    max_body: Annotated[int, Field(ge=1_024, le=1_073_741_824)] = 16 * 1024 * 1024
    """Largest request body in bytes. 10 000 routes written as YAML are about 3 MB."""
    max_streams: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """Most streams (proxies and browsers) at once."""
    live_seconds: Annotated[float, Field(gt=0, le=3_600)] = 15.0
    """A proxy that was not heard of for so long does not count as live."""
    forget_instance_hours: Annotated[int, Field(ge=1, le=87_600)] = 24
    """A proxy that was not heard of for so long is dropped from the fleet."""
    keep_recent_minutes: Annotated[int, Field(ge=2, le=10_080)] = 60
    """How long traffic is kept in buckets of ten seconds."""
    keep_traffic_days: Annotated[int, Field(ge=1, le=36_500)] = 30
    """How long traffic is kept in buckets of a minute."""
    keep_event_days: Annotated[int, Field(ge=1, le=36_500)] = 30
    """How long breaker events are kept."""
    keep_comparison_days: Annotated[int, Field(ge=1, le=36_500)] = 30
    """How long evidence is kept: windows, their minutes and fields, and replays."""
    keep_example_days: Annotated[int, Field(ge=1, le=36_500)] = 14
    """How long stored pairs of answers are kept."""
    keep_examples_per_signature: Annotated[int, Field(ge=1, le=100_000)] = 20
    """Newest stored pairs of one route that differ in the same fields."""
    keep_examples_per_route: Annotated[int, Field(ge=1, le=10_000_000)] = 2_000
    """Newest stored pairs of one route."""
    keep_example_megabytes: Annotated[int, Field(ge=1, le=1_048_576)] = 1_024
    """Space for all stored pairs together; the oldest go first."""
    poll_seconds: Annotated[float, Field(gt=0, le=3_600)] = 1.0
    """How often the database is asked for revisions of other control planes."""
    rollout_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    """How often rollouts are looked at. One of several control planes does it."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """debug, info, warning or error."""

    @property
    def host(self) -> str:
        """Host of `admin_listen`, without brackets."""
        return self.admin_listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """Port of `admin_listen`. Raises `SettingsError`."""
        text = self.admin_listen.rpartition(":")[2]
        if not text.isdecimal() or int(text) > 65_535:
            raise SettingsError(
                f"FIGWAY_ADMIN_LISTEN={self.admin_listen!r} is not host:port, "
                "such as 127.0.0.1:8070"
            )
        return int(text)

    def check_listener(self) -> None:
        """Refuse to show the admin API to a network without TLS. Raises `SettingsError`."""
        _ = self.port
        if (self.admin_tls_cert is None) != (self.admin_tls_key is None):
            raise SettingsError("FIGWAY_ADMIN_TLS_CERT and FIGWAY_ADMIN_TLS_KEY belong together")
        if self.admin_tls_cert is not None or self.admin_allow_plain or _is_loopback(self.host):
            return
        raise SettingsError(
            f"FIGWAY_ADMIN_LISTEN={self.admin_listen} is not loopback, and there is no TLS: keys "
            "would travel in the clear. Give FIGWAY_ADMIN_TLS_CERT and FIGWAY_ADMIN_TLS_KEY, or "
            "set FIGWAY_ADMIN_ALLOW_PLAIN=true behind something that adds TLS"
        )

    def given_key(self, role: str) -> str:
        """The bootstrap key for `admin` or `proxy`, from the variable or its file. Raises
        `SettingsError`."""
        return self._secret(f"bootstrap_{role}_key")

    def given_database_url(self) -> str:
        """`database_url`, from the variable or its file. Raises `SettingsError`."""
        return self._secret("database_url")

    def _secret(self, name: str) -> str:
        value: str = getattr(self, name)
        path: Path | None = getattr(self, f"{name}_file")
        if value or path is None:
            return value.strip()
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            variable = f"FIGWAY_{name.upper()}_FILE"
            raise SettingsError(f"{variable}={path} cannot be read: {reason}") from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
