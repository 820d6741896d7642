"""The other services of AWS, of which the host has none: what it is asked for is passed on.

So functions, workflows and tests know one endpoint for all of AWS. Source: AWS JSON 1.0 protocol.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit

from new_services.host.wire import Request, Response

_TIMEOUT = 60.0
# A workflow that is waited for holds one of these while its functions need others.
_THREADS = 128
_FRAMING = ("connection", "keep-alive", "transfer-encoding", "content-length")
T = TypeVar("T")


class CloudError(RuntimeError):
    """The service refused, or did not answer."""


class Cloud:
    """Speaks to an endpoint that stands for all of AWS, such as moto's server."""

    def __init__(self, url: str, region: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self._address = (parts.hostname or "", parts.port or 80)
        self._region = region
        self._threads = ThreadPoolExecutor(_THREADS, "cloud")

    async def pass_on(self, request: Request) -> Response:
        """The same request to the endpoint, and its answer."""
        headers = {k: v for k, v in request.headers.items() if k not in (*_FRAMING, "expect")}
        target = f"{request.path}?{request.query}" if request.query else request.path
        try:
            return await self._apart(
                lambda: self._send(request.method, target, request.body, headers)
            )
        except CloudError as error:
            return Response(503, str(error).encode(), [("Content-Type", "text/plain")])

    async def sqs(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """One operation of SQS. Raises CloudError."""
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"AmazonSQS.{operation}",
            "authorization": "AWS4-HMAC-SHA256 Credential=host/20260101/"
            f"{self._region}/sqs/aws4_request, SignedHeaders=host, Signature=none",
        }
        answer = await self._apart(
            lambda: self._send("POST", "/", json.dumps(body).encode(), headers)
        )
        if answer.status != 200:
            raise CloudError(f"{operation}: {answer.status} {answer.body[:200]!r}")
        found: dict[str, Any] = json.loads(answer.body or b"{}")
        return found

    async def _apart(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _send(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> Response:
        connection = http.client.HTTPConnection(*self._address, timeout=_TIMEOUT)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            pairs = [(k, v) for k, v in response.getheaders() if k.lower() not in _FRAMING]
            return Response(response.status, response.read(), pairs)
        except (OSError, http.client.HTTPException) as error:
            raise CloudError(f"{self.url} does not answer: {error!r}") from error
        finally:
            connection.close()

    def close(self) -> None:
        """Take on nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
