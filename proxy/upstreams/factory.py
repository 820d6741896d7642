"""From a backend to the upstream that speaks to it."""

from __future__ import annotations

from functools import partial

from figway.model.table import Backend, BackendKind
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.files import ReadFile, read_regular
from proxy.upstreams.http import HttpUpstream
from proxy.upstreams.port import Upstream


def open_upstream(
    backend: Backend, timer: DeadlineTimer, read: ReadFile = read_regular
) -> Upstream:
    """The upstream for `backend`; nothing is connected yet. Call it on the running loop.

    Raises ValueError or OSError, with a message for people, for a backend that cannot be spoken
    to: a bad URL, an unreadable `ca_file`, a function without a region.
    """
    if backend.kind is BackendKind.LAMBDA:
        # Imported where it is used: a proxy without functions need not load it.
        from proxy.upstreams.aws_lambda import LambdaUpstream

        return LambdaUpstream(backend, timer, read=read)
    if backend.region:
        # A function URL that asks for IAM.
        from proxy.upstreams.function_url import FunctionUrlUpstream

        return FunctionUrlUpstream(backend, timer, read=read)
    if backend.urls:
        # Imported where it is used, too.
        from proxy.upstreams.balanced import BalancedUpstream

        return BalancedUpstream(backend, timer, partial(HttpUpstream, read=read))
    return HttpUpstream(backend, timer, read)
