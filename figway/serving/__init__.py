"""One request while it is served: attempts, rate limits, claims.

attempts  which backend is tried, and whether a second attempt may follow one that failed
gcra      rate limits
claims    what a token must say
"""
