"""Which side would serve this request, and why."""
