"""From a backend to the upstream that speaks to it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from figway.model.backend import HANDED_ON, Backend, BackendKind, is_stream
from proxy.loop.deadlines import DeadlineTimer
from proxy.loop.files import ReadFile, read_regular
from proxy.upstreams.http import HttpUpstream
from proxy.upstreams.port import Upstream

if TYPE_CHECKING:
    from proxy.upstreams.handing_on import OpenReceiver


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
    if backend.kind in HANDED_ON:
        return _handing_on(backend, timer, read)
    if backend.sign.service or backend.region:
        # A service of AWS that asks for IAM; a region alone means a function URL.
        from proxy.upstreams.signed import SignedUpstream

        return SignedUpstream(backend, timer, read=read)
    if backend.urls:
        # Imported where it is used, too.
        from proxy.upstreams.balanced import BalancedUpstream

        return BalancedUpstream(backend, timer, partial(HttpUpstream, read=read))
    return HttpUpstream(backend, timer, read)


def _handing_on(backend: Backend, timer: DeadlineTimer, read: ReadFile) -> Upstream:
    """The upstream that makes a message, an event or an execution of each request."""
    if is_stream(backend):
        from proxy.upstreams.redis_stream import RedisStreamUpstream

        return RedisStreamUpstream(backend, timer, read)
    from proxy.upstreams.events import open_events
    from proxy.upstreams.handing_on import HandingOnUpstream
    from proxy.upstreams.sqs import Queue
    from proxy.upstreams.workflow import Workflow

    receivers: dict[BackendKind, OpenReceiver] = {
        BackendKind.QUEUE: Queue,
        BackendKind.EVENTS: open_events,
        BackendKind.WORKFLOW: Workflow,
    }
    return HandingOnUpstream(backend, timer, receivers[backend.kind], read=read)
