"""The kill switch: from whoever presses it to every worker, past everything that may be broken.

    watch     asks every control plane for it, beside the stream of the table
    switch    what the supervisor makes of the three that may say so: the control plane, a signal,
              the file of this host
    file      `touch <state dir>/kill`: each worker looks for it by itself

A worker hears of it in two ways. The supervisor sends `SetKill` (`proxy.processes.messages`) when
the switch changes, and says it in the first message to a worker that starts; and the worker looks
for the file (`proxy.processes.worker`), with no supervisor, no control plane and no disk but one
`stat`. Either is enough. In the worker, `Runtime.killed` says so to each request. Its other half,
where it is pressed, is `control_plane.kill`; `proxy.control.notice` is how it travels.
"""
