"""HTTP/1.1 as bytes: heads in and out. No sockets, no clocks, no state beyond one message.

client_head, client_body
                a request as a client sends it (lines, runs: header sections, read once)
request_head    the same as a backend gets it (message: what crosses the wire)
response_head   an answer as a backend sends it (odd_head: odd ones that have one meaning)
client_answer   the same as the client gets it
chunked         the chunked coding undone, both ways
sigv4, resp     AWS's signature; what Redis speaks
"""
