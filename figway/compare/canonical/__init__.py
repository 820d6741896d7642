"""Bodies as trees of values: a module a format, all ending in the tree that `json` defines.

`figway.compare.trees` chooses the reader by the form that fits a body. Every reader is bounded by
`figway.compare.limits`, and refuses what it cannot read as a whole, so that no half of a body is
compared.

    json           the tree itself, and JSON's numbers, keys and repeated keys
    xml, html      markup: both end in the same kind of tree (elements)
                   (html_tokens, html_spacing; html_views: text, forms or links alone)
    csv, text, form
                   tables, plain text, urlencoded fields
    lines          streams: JSON Lines, JSON text sequences, server-sent events
    multipart, archive, http
                   parts, members of a ZIP or tar, a whole HTTP message
    cbor, msgpack, protobuf
                   binary trees (binary_reader)
    wrapped        JSON in a call (JSONP), or behind a line that keeps scripts from running it

Nothing is imported here.
"""
