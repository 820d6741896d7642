"""What the dry look finds in a legacy application's answers."""

from __future__ import annotations

import pytest

from proxy.processes.look import look
from tests.support.wire import Message, Peer, RawBackend, backend

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LOGIN = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"
TO_HTTPS = b"HTTP/1.1 301 Moved\r\nLocation: https://a/\r\nContent-Length: 0\r\n\r\n"


def first(answer: bytes) -> dict[str, object]:
    def play(peer: Peer, request: Message) -> bool:
        head = request.line.startswith(b"HEAD")
        peer.send(answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if head else answer)
        return False

    with backend(play) as legacy:
        found = look(f"http://127.0.0.1:{legacy.port}")
        assert len(legacy.requests) == len(found)
        assert {row["method"] for row in found} == {"GET", "HEAD", "OPTIONS"}
        return found[0]


def test_a_plain_application_passes() -> None:
    found = first(WHOLE)
    assert (found["status"], found["mended"], found["notes"]) == (200, [], [])


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (WHOLE.replace(b"\r\n", b"\n").replace(b"\n\nok", b"\n\r\nok"), "bare_lf"),
        (WHOLE.replace(b"Content-Length:", b"Content-Length :"), "space_before_colon"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2   \r\nok\r\n0\r\n\r\n",
         "chunk_line"),
    ],
)  # fmt: skip
def test_what_would_be_mended_is_named(answer: bytes, kind: str) -> None:
    """W14, W31: told beforehand, with the names under which it is counted later."""
    assert kind in str(first(answer)["mended"])


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"220 mail.example ESMTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
    ],
)
def test_what_would_be_refused_is_told(answer: bytes) -> None:
    """W14: what stays refused is seen before the facade is there."""
    assert first(answer)["refused"]


@pytest.mark.parametrize(
    ("answer", "word"), [(LOGIN, "NTLM"), (TO_HTTPS, "FIGWAY_TRUSTED_PROXIES")]
)
def test_what_an_operator_should_know(answer: bytes, word: str) -> None:
    """W26, W34: logins of connections, and redirects that go round in circles."""
    assert word in str(first(answer)["notes"])


def test_nobody_there() -> None:
    closed = RawBackend()
    closed.stop()
    with pytest.raises(ConnectionRefusedError):
        look(f"http://127.0.0.1:{closed.port}")
