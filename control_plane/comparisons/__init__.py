"""What shadowing has shown: evidence, differing fields, examples, rules, replays, exports.

The modules, in the order that data flows through them:

    batches       what proxies send
    ingest        a batch into the database, once
    tallies       counters and histograms that grow by merging
    store         windows, minutes and fields in the database
    examples      stored pairs, and how long they are kept
    evidence      the verdict on a route, read off its window
    fields        differing fields with their noise, grouped by path
    rules         comparison rules as changes of a route
    preview       what a rule would do to the stored examples
    replays       stored requests sent to new once more
    export        examples as pytest (regression is its template), Hurl and HAR
    service       all of it, for the endpoints
    api, api_rules, api_replays    over HTTP
"""
