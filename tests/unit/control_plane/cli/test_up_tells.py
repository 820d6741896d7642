"""What `figway up` says of the proxy's log."""

from __future__ import annotations

import pytest

from control_plane.cli.up import tell_of_proxies


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"event":"proxy_not_trusted","message":"say [b]X[/b]=127.0.0.1"}', "say [b]X[/b]=127.0"),
        ('{"event":"started","message":"on 8080"}', ""),
        ('GET /?"proxy_not_trusted" 200', ""),
        ('{"event":"proxy_not_trusted"', ""),
        ('["proxy_not_trusted"]', ""),
    ],
)
def test_a_tls_proxy_that_is_not_trusted_is_told_of(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """W34: and nothing else of the log, however it looks."""
    tell_of_proxies(line)
    out = capsys.readouterr().out
    assert said in out
    assert bool(out) is bool(said)
