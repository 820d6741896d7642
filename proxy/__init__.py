"""The data plane: what lies on the path of a user's request, and what feeds it.

One request, in the order that data flows:

    a door (doors/) reads a request head and makes a flow (request/flow.py);
    the flow reads the table once (tables/), matches and decides (figway.routing); where the route
        depends on the operation that a body names, it waits for the body's first bytes
        (request/peek);
    the exchange (figway.serving.attempts) says which backend is tried, and what after a failure;
    an upstream (upstreams/) sends it, over connections that speak HTTP/1.1 as bytes (wire/);
    the answer goes back through the flow to the door;
    one record of it goes to metrics, log and report (telemetry/), and, where the route is
    shadowed, a capture of it to the shadow worker (capture/ here, shadow/ there).

The doors speak to the flow, and the flow to the upstreams, through two narrow ports of callbacks
(`request/client.py`, `upstreams/port.py`): a request has no task and no coroutine of its own, and
tests stand in for a client or a backend there. The same flow runs behind the native door, under
ASGI and in Lambda.

Three kinds of process, started by the first:

    supervisor     follows the control plane, keeps the last good table, watches the others
    worker         serves requests; everything happens on the thread of its event loop
    shadow worker  asks the other side and compares; no user waits for it

They are put together in processes/, for a container, and in serverless/, for Lambda: only these
make clients, sockets and files, and hand them to the rest. A request waits for no database, no
control plane, no log and no shadow. Folders import downwards only; pyproject.toml names the
layers:

    processes, serverless > shadow > doors, capture, telemetry > request, aws
        > upstreams, policies, kill > tables > wire > loop, control, private > settings
"""
