"""The proxies: what each serves, and whether it took the last change."""
