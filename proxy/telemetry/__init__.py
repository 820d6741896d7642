"""What is told of requests: series, metrics, log lines, reports.

recorder      counts each request of one worker, and passes on the ones that are sampled
series        the counters: by route, side and backend
writer        off the path: the thread that writes log lines (log_line) or spans (otel)
decisions     a sample of single decisions, for people who watch a route
backends      what is told of backends: URLs that are left out, health checks, budgets
prometheus    all of it as metrics; flush fetches the workers' latest first
report        all of it on its way to the control plane
carried       the most that each legacy backend carried in a second
"""
