"""SigV4 as the host verifies it: AWS's published example, and a host that requires it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from new_services.host.errors import InvokeError
from new_services.host.signature import canonical_request, signing_key, verify
from new_services.host.wire import Request
from tests.system.new_services.hosts import PROBE, Host, running

_KEY, _SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def _vanilla() -> Request:
    """`get-vanilla` of the AWS Signature Version 4 test suite."""
    signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    return Request(
        method="GET",
        path="/",
        headers={
            "host": "example.amazonaws.com",
            "x-amz-date": "20150830T123600Z",
            "authorization": (
                f"AWS4-HMAC-SHA256 Credential={_KEY}/20150830/us-east-1/service/aws4_request, "
                f"SignedHeaders=host;x-amz-date, Signature={signature}"
            ),
        },
    )


def test_the_published_example_verifies() -> None:
    at = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    verify(_vanilla(), {_KEY: _SECRET}, at, service="service")


@pytest.mark.parametrize(
    ("change", "type"),
    [
        ({"secrets": {_KEY: "another"}}, "InvalidSignatureException"),
        ({"secrets": {"OTHER": _SECRET}}, "UnrecognizedClientException"),
        ({"minutes": 6}, "InvalidSignatureException"),
        ({"minutes": -6}, "InvalidSignatureException"),
        ({"service": "lambda"}, "InvalidSignatureException"),
        ({"path": "/other"}, "InvalidSignatureException"),
        ({"body": b"x"}, "InvalidSignatureException"),
        ({"authorization": ""}, "MissingAuthenticationTokenException"),
        ({"authorization": "Basic eA=="}, "IncompleteSignatureException"),
    ],
)
def test_what_does_not_hold_is_refused(change: dict[str, object], type: str) -> None:
    request = _vanilla()
    request.path = str(change.get("path", "/"))
    request.body = bytes(change.get("body", b""))  # type: ignore[call-overload]
    if "authorization" in change:
        request.headers["authorization"] = str(change["authorization"])
    minutes = int(str(change.get("minutes", 0)))
    at = datetime(2015, 8, 30, 12, 36, tzinfo=UTC) + timedelta(minutes=minutes)
    secrets: dict[str, str] = change.get("secrets", {_KEY: _SECRET})  # type: ignore[assignment]
    with pytest.raises(InvokeError) as caught:
        verify(request, secrets, at, service=str(change.get("service", "service")))
    assert (caught.value.status, caught.value.type) == (403, type)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    keys = {"AWS_ACCESS_KEY_ID": _KEY, "AWS_SECRET_ACCESS_KEY": _SECRET}
    with running("--layout", str(PROBE), "--require-signature", environ=keys) as host:
        yield host


def _signed(host: Host, secret: str, body: bytes) -> dict[str, str]:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    date = stamp[:8]
    headers = {"host": f"127.0.0.1:{host.port}", "x-amz-date": stamp}
    request = Request(
        method="POST",
        path="/2015-03-31/functions/echo%3Alive/invocations",
        headers=headers,
        body=body,
    )
    digest = hashlib.sha256(canonical_request(request, ["host", "x-amz-date"])).hexdigest()
    scope = f"{date}/eu-central-1/lambda/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}".encode()
    key = signing_key(secret, date, "eu-central-1", "lambda")
    signature = hmac.new(key, text, hashlib.sha256).hexdigest()
    return {
        **headers,
        "authorization": f"AWS4-HMAC-SHA256 Credential={_KEY}/{scope}, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}",
    }


def test_a_host_that_requires_it(host: Host) -> None:
    target = "/2015-03-31/functions/echo%3Alive/invocations"
    assert host.send("POST", target, b"{}", _signed(host, _SECRET, b"{}")).status == 200
    answer = host.send("POST", target, b'{"a":1}', _signed(host, _SECRET, b"{}"))
    assert answer.status == 403
    assert answer.headers["x-amzn-errortype"] == "InvalidSignatureException"
    assert host.send("POST", target, b"{}", _signed(host, "wrong", b"{}")).status == 403
    answer = host.send("POST", target, b"{}")
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
