"""What shadowing has shown: evidence, differing fields, stored pairs, rules, replays, exports.

The modules, in the order that data flows through them:

    batches       what proxies send
    ingest        batches into the database, each once
    tallies       counters and histograms that grow by merging
    store         windows, minutes and fields in the database
    builds        counts by what differed in the database, by build of new
    records       typed rows of these tables
    examples      stored pairs in the database, and how long they are kept
    judging       judges counts by the rules, words and forms of now (judged: what comes out)
    evidence, fields, wording      judgements as the API shows them
    views         evidence on routes
    stored_pairs  stored pairs with the verdict that they come to now
    rules         comparison rules as changes of a route
    preview, previews              what a rule would do to stored pairs
    replays, replay_jobs           stored requests sent once more
    export        stored pairs as pytest, Hurl and HAR
    retention     how long all this is kept
    service       the parts, put together
    api, api_rules, api_replays    over HTTP

The endpoints, the console and rollouts use the parts of `service`; only those use stores.
"""
