"""What the runtime client calls: `proxy.serverless.handler.handler`.

One event loop lives as long as the sandbox, and with it the table, the connections, the breakers.
It runs only while an invocation does.
"""

from __future__ import annotations

import asyncio
from typing import Any

from proxy.serverless.bootstrap import open_sandbox, trace_header
from proxy.serverless.settings import load

loop = asyncio.new_event_loop()
sandbox = loop.run_until_complete(open_sandbox(load()))


def handler(event: dict[str, Any], context: Any) -> Any:
    """Answer one event of API Gateway, a load balancer or a function URL."""
    remaining_ms = int(context.get_remaining_time_in_millis())
    return loop.run_until_complete(sandbox.app.invoke(event, remaining_ms, trace_header()))
