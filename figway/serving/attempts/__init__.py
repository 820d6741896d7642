"""The attempts of one request: which backend is tried, and what may be tried after a failure.

    exchange  the life of one request, as a state machine: begins, fails, falls back, ends
    fallback  whether a second attempt may follow one that failed: on which failure (a time-out, a
              reset, a listed status), for which method, with which body, within which budget
    failures  how an attempt fails, and what a client is told of it
    breaker   when new is left alone for a while
    budget    how much load second attempts may add to a backend (load: what legacy carried)
    members   which of a backend's URLs is asked

There are two kinds of second attempt. A fallback asks legacy where new failed; a retry asks another
URL of the same backend. All of it is pure: `proxy.request.flow` does what the exchange says, and
`proxy.upstreams.attempt` sends.
"""
