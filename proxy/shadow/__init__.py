"""Shadowing: what was served is copied to the side that did not serve it, and compared.

The modules, in the order of the flow:

    in a serving worker
    capture      chooses what is copied, keeps what the pipeline saw anyway, by reference
    counts       what became of each chosen request, by route and evidence window
    message      one captured request and its served answer as bytes
    queue        the port that captures leave through, and the local socket behind it

    in the shadow worker
    intake       captures come in from every serving worker
    table        the routes and backends of the present table; what compares each route
    lanes        one queue a backend, with its own concurrency
    governor     how much a backend is asked, and when it is left alone
    sender       one request to one backend
    pairs        the life of a pair: ask, compare, ask again, settle
    judge        comparing and redacting, on a thread of their own
    noise        what legacy disagrees with itself about
    rows, tally  verdicts, fields, latencies, examples, added up
    replay       stored examples asked anew
    worker       the process around all of it

    in the supervisor
    process      the shadow worker started, watched and started again
    ledger       so that captured = compared + skipped + dropped, to the last one
    batches      numbered, kept until the control plane took them
    desk         the supervisor's end of all of it

The served answer never waits for anything here (trap 27): a capture is taken after the answer, what
finds no room is dropped and counted, and whatever dies is started again.
"""
