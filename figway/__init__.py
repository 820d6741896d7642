"""The rules of a migration, and what follows from them: pure.

Nothing here does I/O, reads a clock, draws a random number or logs. Time, keys and counters are
arguments, so that every rule can be tested by calling it. The data plane (`proxy`) and the control
plane (`control_plane`) both stand on this package and never on each other: what a request will do
is worked out by the same code that explains it beforehand.

Five nouns:

    Table       an immutable, validated set of routes and backends; every change makes a revision
    Decision    which side serves one request, and why
    Exchange    the life of one request: what may be tried after what has failed
    Comparison  two answers to one request, and where they differ
    Judgement   what many comparisons allow one to claim about a route

The folders, each importing only from those above it in this list:

    model       the nouns (table, policies), how they are written (codec) and changed (change)
    compare     two answers to one request: decoded, canonical, differing by path
    message     what the core knows of HTTP: heads, forwarding rules, rewriting, problems
    redact      what is hidden before anything is stored
    operation   what a request asks for inside one path, read from its body
    routing     a compiled table: match, split, decide
    serving     one exchange: second attempts, breaker, budgets, limits, claims
    evidence    what many comparisons say: noise, bounds, agreement
    validate    findings about a table, with stable codes
    explain     what would happen to one request, in words
    rollout     a plan that moves a route, and the machine that follows it

A reader who has ten minutes reads `model/table.py`, `routing/decide.py`, `serving/exchange.py` and
`compare/verdict.py`, in this order.
"""
