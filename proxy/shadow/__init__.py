"""Shadowing: what was served is copied to the side that did not serve it, and compared.

A serving worker chooses what is copied (`proxy.capture`). The process that compares, and the
supervisor's side of it, are in `proxy.processes.shadow`; in Lambda they are
`proxy.serverless.worker`. Here is the engine that both hosts share. In the order of the flow:

    settings       what a shadow worker is told when it starts
    engine         the parts below, put together once for both hosts
    table          the present table: queues to backends, what compares each route
    pairs, pair    the life of a pair: ask the other side, compare, look again, count
    backend_queue  one queue a backend, so that a hung one holds up no other
    limiter        how much one backend is asked, by how it fares
    read_throttle  reading stops for a moment where most of what is read must be dropped
    asking, sender one request to one side, and its answer
    comparer       what compares and redacts the answers of one route
    stored_pair    a pair as it is stored: where its secrets are removed
    decoders, readers, read_image, read_pdf
                   content codings and bodies that take a library
    thread         comparing and redacting, on a thread of their own
    second_looks   a difference is asked again before it counts
    extra_reads    how many reads that may add to legacy's load
    not_modified   what legacy answered with 304
    window         what is known of one evidence window of one route
    tally, rows    verdicts, fields and latencies, added up for the control plane
    examples       which pairs are kept as examples
    replay         stored examples asked anew

The served answer never waits for anything here: a capture is taken after the answer, what finds no
room is dropped and counted, and whatever dies is started again. What a difference means is said by
`figway.evidence`.
"""
