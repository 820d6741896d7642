"""What every endpoint of the admin API shares.

`problems` are its errors (RFC 9457), `preconditions` its ETags and If-Match, `paging` its lists,
`limits` and `body_limit` what a request may hold, `headers` what every answer carries, and
`openapi` its description. Nothing here knows of a feature.
"""
