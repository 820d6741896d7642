"""What is told of requests: series, metrics, log lines, reports."""
