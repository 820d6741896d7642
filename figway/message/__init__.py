"""What the core knows of an HTTP message (RFC 9110): heads, forwarding, rewriting, problems."""
