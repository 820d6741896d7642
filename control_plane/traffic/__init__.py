"""What both sides of every route did: counters and latency over time, from the proxies' reports."""
