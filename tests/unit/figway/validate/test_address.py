"""Which addresses hold a cloud's credentials."""

from __future__ import annotations

import pytest

from figway.validate.address import is_link_local


@pytest.mark.parametrize(
    "host",
    [
        "0251.0376.0251.0376",
        "0000000000000000251.254.169.254",
        "0x00000000000000a9fea9fe",
        "１６９.254.169.254",
        "①⑥⑨.254.169.254",
        "169。254。169。254",
        "169．254｡169.254",
        "[::169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::ffff:0:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::169.254.169.254]",
        "[2002:a9fe:a9fe::1]",
        "[fe80::5efe:169.254.169.254]",
        "[2001:db8::200:5efe:a9fe:a9fe]",
        "[2001:0:a9fe:a9fe::1]",
        "[fd20:ce::254]",
        "[fd00:c1::a9fe:a9fe]",
        "[64:ff9b::a83f:8110]",
        "168.63.129.16",
        "192.0.0.192",
        "METADATA.GOOG.",
        "metadata.tencentyun.com",
    ],
)
def test_metadata_services_in_more_spellings(host: str) -> None:
    """S5: of every cloud, and inside addresses that lead to IPv4."""
    assert is_link_local(host)


@pytest.mark.parametrize(
    "host", ["64:ff9b::7f00:1", "::1", "::", "2002:7f00:1::1", "2001:db8::5efe:7f00:1", "１.2.3.4"]
)
def test_other_addresses_that_embed_one(host: str) -> None:
    """S5: what leads elsewhere is no business of this list."""
    assert not is_link_local(host)
