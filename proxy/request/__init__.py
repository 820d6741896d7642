"""One request: from the door that read its head to the record that is written of it.

    client        the client's end: what a door offers to a flow
    flow          the request on its way, as a machine of phases: begins, tries, relays, ends
    choice        what it meets: its route, its side, and what refuses it
    peek, readers where the route depends on the operation that its body names
    forwarding    what a backend gets of it, and the client of the answer
    replay_body   its body, kept for a second attempt or let go
    body_limit    where its body becomes too large
    capture_port  what the shadow is told of it (`proxy.capture` listens)
    fault_watch   what a served answer says of itself

And what outlives it:

    runtime       what one worker serves with: the table, and what must outlive a table
    live          the backends and routes of a table, joined with what must be running
    quarantine    what of a table this worker cannot open
    place, ids    where in the table a request met its backend; new identities

Which backend is tried, and whether a second attempt may follow, is said by
`figway.serving.attempts`; `proxy.upstreams` sends.
"""
