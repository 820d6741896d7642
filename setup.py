"""The build, as pyproject.toml describes it; with FIGWAY_COMPILE=1, compiled.

The modules below are on the path of every request. mypyc turns them, from the same source and the
same annotations, into extension modules; without it they run as they are, with the same tests.
Modules that a process starts as `-m` stay Python, as do those that no request waits for.
"""

from __future__ import annotations

import os

from setuptools import Extension, setup

COMPILED = [
    "figway/evidence/histogram.py",
    "figway/message/forwarded.py",
    "figway/message/headers.py",
    "figway/message/http.py",
    "figway/routing/compile.py",
    "figway/routing/decide.py",
    "figway/routing/match.py",
    "figway/routing/split.py",
    "figway/serving/attempts/breaker.py",
    "figway/serving/attempts/budget.py",
    "figway/serving/attempts/exchange.py",
    "figway/serving/attempts/load.py",
    "proxy/capture/capture.py",
    "proxy/capture/counts.py",
    "proxy/capture/message.py",
    "proxy/capture/queue.py",
    "proxy/doors/asgi.py",
    "proxy/doors/native.py",
    "proxy/doors/server.py",
    "proxy/loop/deadlines.py",
    "proxy/loop/piece_budget.py",
    "proxy/loop/record.py",
    "proxy/loop/write_batcher.py",
    "proxy/request/replay_body.py",
    "proxy/request/body_limit.py",
    "proxy/request/choice.py",
    "proxy/request/flow.py",
    "proxy/request/forwarding.py",
    "proxy/request/ids.py",
    "proxy/request/live.py",
    "proxy/request/runtime.py",
    "proxy/telemetry/decisions.py",
    "proxy/telemetry/recorder.py",
    "proxy/telemetry/series.py",
    "proxy/upstreams/attempt.py",
    "proxy/upstreams/connection.py",
    "proxy/upstreams/http.py",
    "proxy/upstreams/logins.py",
    "proxy/upstreams/pool.py",
    "proxy/upstreams/port.py",
    "proxy/wire/chunked.py",
    "proxy/wire/client_answer.py",
    "proxy/wire/client_body.py",
    "proxy/wire/client_head.py",
    "proxy/wire/lines.py",
    "proxy/wire/message.py",
    "proxy/wire/request_head.py",
    "proxy/wire/response_head.py",
    "proxy/wire/runs.py",
]


def extensions() -> list[Extension]:
    """The extension modules to build; none unless they are asked for."""
    if os.environ.get("FIGWAY_COMPILE") != "1":
        return []
    from mypyc.build import mypycify  # a tool of the build, not of the product

    found: list[Extension] = mypycify(["--ignore-missing-imports", *COMPILED], opt_level="3")
    return found


setup(ext_modules=extensions())
