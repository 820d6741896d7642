"""What is mended in answers is counted by kind; interim answers are mended, too."""

from __future__ import annotations

import pytest

from tests.suites.conformance.test_odd_answers import ODD
from tests.support.wire import OK, Facade, RawBackend


@pytest.mark.parametrize("name", ODD)
def test_what_is_mended_is_counted(facade: Facade, legacy: RawBackend, name: str) -> None:
    """W14, W31: `figway_odd_answers_total`."""
    legacy.play, kind = ODD[name]
    with facade.connect() as client:
        assert client.get().status == 200
    counted = facade.call(lambda: facade.runtime.odd_answers())
    assert {what for _, what, _ in counted} == {kind}


def test_interim_answers_lose_their_framing(door: str, facade: Facade, legacy: RawBackend) -> None:
    """W15: 103 with a length is relayed without it."""
    if door == "asgi":
        pytest.skip("uvicorn relays no interim answers")
    legacy.play = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 7\r\n\r\n" + OK
    with facade.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        text = client.rest()
    interim, _, final = text.partition(b"\r\n\r\n")
    assert interim.startswith(b"HTTP/1.1 103")
    assert b"ontent-" not in interim
    assert final.startswith(b"HTTP/1.1 200")
