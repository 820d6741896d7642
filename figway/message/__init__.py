"""What the core knows of an HTTP message (RFC 9110): heads, forwarding, rewriting, problems.

http           the narrow view of a message that matching and deciding need
headers        header sections on their way through: what goes, what comes, and nothing else
forwarded      what proxies in front say of a request
overrides      methods that a request asks for beside its own
rewrite        answers that name a backend, made to name the facade
sticky_cookie  the cookie that gives a client its sticky key
force          a tester's signed wish for a side
problem        the facade's own answers (RFC 9457)
"""
