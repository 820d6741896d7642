"""The one place of this package that imports the HTTP client; httpx2 keeps the same names."""

from __future__ import annotations

from httpx import AsyncClient, Client, HTTPError, InvalidURL, Response, Timeout

__all__ = ["AsyncClient", "Client", "HTTPError", "InvalidURL", "Response", "Timeout"]
