"""What a worker is told when it starts: plain values that travel over its channel."""

from __future__ import annotations

import dataclasses
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.request.runtime import FacadeSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """The settings of one worker."""

    facade: FacadeSettings
    door: str
    state_dir: Path
    instance: str
    log: bool
    log_sample: float
    log_query: bool
    otel_endpoint: str
    shadow_memory: int
    shadow_queue: int

    def to_data(self) -> dict[str, Any]:
        """The JSON form. It holds the key of force tokens: for the channel only."""
        facade = {
            field.name: getattr(self.facade, field.name)
            for field in dataclasses.fields(self.facade)
        }
        facade["trusted_proxies"] = [str(network) for network in self.facade.trusted_proxies]
        facade["force_secret"] = self.facade.force_secret.hex()
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**data, "facade": facade, "state_dir": str(self.state_dir)}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> WorkerSettings:
        """Decode what `to_data` made."""
        facade = dict(data["facade"])
        facade["trusted_proxies"] = tuple(
            ipaddress.ip_network(network) for network in facade["trusted_proxies"]
        )
        facade["force_secret"] = bytes.fromhex(facade["force_secret"])
        return cls(
            **{**data, "facade": FacadeSettings(**facade), "state_dir": Path(data["state_dir"])}
        )
