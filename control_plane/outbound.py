"""The one place of this package that imports the HTTP client; httpx2 keeps the same names."""

from __future__ import annotations

import logging

from httpx import (
    AsyncClient,
    Client,
    ConnectError,
    HTTPError,
    InvalidURL,
    Limits,
    Response,
    Timeout,
)

__all__ = [
    "AsyncClient",
    "Client",
    "ConnectError",
    "HTTPError",
    "InvalidURL",
    "Limits",
    "Response",
    "Timeout",
]

# It logs every URL, and those of Slack hold a secret.
logging.getLogger("httpx").setLevel(logging.WARNING)
