"""The one place of this package that imports httpx: calls off the request path.

httpx costs milliseconds of processor time a request under concurrency, so it carries the table,
acknowledgements and reports, and never a user's request. A move to its successor is this import.
"""

from __future__ import annotations

import ssl

import httpx

HTTPError = httpx.HTTPError
InvalidURL = httpx.InvalidURL
Response = httpx.Response
Client = httpx.AsyncClient
Timeout = httpx.Timeout


def control_client(
    base_url: str,
    key: str,
    user_agent: str,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    ca_file: str = "",
) -> httpx.AsyncClient:
    """A client of the control plane's API. Raises OSError for a `ca_file` that cannot be read.

    It keeps no proxy settings of the environment, follows no redirects (the key would go
    along), and bounds every step.
    """
    headers = {"user-agent": user_agent}
    if key:
        headers["authorization"] = f"Bearer {key}"
    return httpx.AsyncClient(
        base_url=base_url.rstrip("/") + "/api/v1",
        headers=headers,
        timeout=httpx.Timeout(5.0, read=15.0),
        limits=httpx.Limits(max_connections=8, keepalive_expiry=30.0),
        follow_redirects=False,
        trust_env=False,
        transport=transport,
        verify=ssl.create_default_context(cafile=ca_file) if ca_file else True,
    )


def document_client(timeout_s: float) -> httpx.AsyncClient:
    """A client for single public documents, such as a token issuer's keys.

    It knows no proxy of the environment, and follows no redirects: the address was checked.
    """
    return httpx.AsyncClient(timeout=timeout_s, follow_redirects=False, trust_env=False)
