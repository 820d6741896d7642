"""What a shadow worker is told when it starts: plain values that travel over its channel."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowSettings:
    """The settings of the shadow worker."""

    key: bytes
    """Keys the hashes of what is redacted; 16 bytes or more."""
    concurrency: int
    """Requests at once to one backend."""
    timeout_ms: int
    """For one whole answer."""
    legacy_percent: int
    """Reads that legacy may be asked once more, as a share of the pairs."""
    plugins: tuple[str, ...] = ()
    """Comparison plugins that may run, `module:function`."""

    def to_data(self) -> dict[str, Any]:
        """The JSON form. It holds the key: for the channel only."""
        return {**asdict(self), "key": self.key.hex()}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> ShadowSettings:
        """Decode what `to_data` made."""
        plugins = tuple(data.get("plugins", ()))
        return cls(**{**data, "key": bytes.fromhex(data["key"]), "plugins": plugins})


def redaction_key(own: str, control_key: str) -> bytes:
    """The key of redacted hashes: a setting of its own, or made from the control plane's key.

    Proxies with the same key give equal secrets equal placeholders. Raises ValueError for none.
    """
    secret = own or control_key
    if not secret:
        raise ValueError("no key for redaction: hashes would be guessed from what they hide")
    return hmac.new(secret.encode(), b"figway redaction", hashlib.sha256).digest()
