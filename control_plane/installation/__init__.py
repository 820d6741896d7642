"""Which installation this is, and whose proxies may follow it."""
