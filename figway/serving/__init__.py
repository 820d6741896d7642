"""One request while it is served: attempts, breakers, budgets, limits, claims.

exchange  the life of one request, as a state machine
fallback  whether a second attempt may follow one that failed
failures  how an attempt fails, and what a client is told of it
breaker   when new is left alone for a while
budget    how much load fallback may add to legacy (load: what legacy carried)
members   which of a backend's URLs is asked
gcra      rate limits
claims    what a token must say
"""
