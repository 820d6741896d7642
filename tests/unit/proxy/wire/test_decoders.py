"""br and zstd: bounded, and broken data is an error."""

from __future__ import annotations

import os

import brotli
import pytest
import zstandard

from proxy.wire.decoders import decoders

DECODERS = decoders()
PACK = {"br": brotli.compress, "zstd": zstandard.compress}
EACH = pytest.mark.parametrize("coding", ["br", "zstd"])


@EACH
def test_what_was_packed_comes_out(coding: str) -> None:
    for body in (b"", b"x", os.urandom(300_000), b"ab" * 500_000):
        assert DECODERS[coding](PACK[coding](body), 2_000_000) == body


@EACH
def test_a_bomb_stops_at_its_limit(coding: str) -> None:
    """trap 36"""
    packed = PACK[coding](bytes(50_000_000))
    assert 1_000_000 < len(DECODERS[coding](packed, 1_000_000)) < 2_000_000


@EACH
def test_what_is_cut_or_broken_is_an_error(coding: str) -> None:
    packed = PACK[coding](os.urandom(2_000))
    for broken in (packed[:-10], packed[:20], b"nonsense", b"\xff" * 100):
        with pytest.raises(Exception):  # noqa: B017, PT011  each library has errors of its own
            DECODERS[coding](broken, 1_000_000)
