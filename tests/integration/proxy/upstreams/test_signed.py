"""Function URLs with IAM as backends: signed as AWS's own signer signs, sent as the client sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from proxy.wire.sigv4 import canonical_query
from tests.support.serverless.cloud import CREDENTIALS
from tests.support.serverless.events import make_event
from tests.support.serverless.life import HOST, Life, bundle
from tests.support.wire import RawBackend, table_of


def expected(method: str, url: str, body: bytes, date: str, digest: str) -> str:
    """The Authorization that botocore makes for the same request."""
    request = AWSRequest(method=method, url=url, data=body)
    request.headers["X-Amz-Content-Sha256"] = digest

    class Fixed(SigV4Auth):
        def add_auth(self, request: Any) -> None:
            request.context["timestamp"] = date
            request.headers["X-Amz-Date"] = date
            canonical = self.canonical_request(request)
            to_sign = self.string_to_sign(request, canonical)
            self._inject_signature_to_request(request, self.signature(to_sign, request))

    Fixed(Credentials("testing", "testing"), "lambda", "eu-west-1").add_auth(request)
    return str(request.headers["Authorization"])


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("target", [b"/a", b"/a%20b/c?z=1&a=%2Fx&a=b", b"/?q=caf%C3%A9"])
def test_requests_are_signed(
    live: Callable[..., Life],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    method: str,
    target: bytes,
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    backend = RawBackend()
    table = table_of(backend.port)
    signed = replace(table.backends["legacy"], region="eu-west-1")
    file = bundle(tmp_path / "t.json", replace(table, backends={"legacy": signed}))
    life = live(FIGWAY_TABLE_FILE=file)
    body = b"" if method == "GET" else b"order"
    headers = [HOST, (b"authorization", b"Bearer client"), (b"content-type", b"text/plain")]
    event = make_event("url", method, target, headers, body)
    assert life.invoke(event)["statusCode"] == 200
    sent = backend.last
    backend.stop()
    assert sent.line == b"%b %b HTTP/1.1" % (method.encode(), target)
    assert sent.body == body
    assert sent.one(b"x-forwarded-host") == b"shop.example"
    found = sent.one(b"authorization").decode()
    wanted = expected(
        method,
        f"http://{sent.one(b'host').decode()}{target.decode()}",
        body,
        sent.one(b"x-amz-date").decode(),
        sent.one(b"x-amz-content-sha256").decode(),
    )
    assert found == wanted


def test_a_canonical_query_is_sorted_and_strict() -> None:
    assert canonical_query("b=1&a=%2f&a=&c") == "a=&a=%2F&b=1&c="
    assert canonical_query("") == ""
