"""The private listener: a second, tiny HTTP server for probes and metrics."""
