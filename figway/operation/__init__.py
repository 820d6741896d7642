"""What a request asks for inside one path: the operation, read from its body.

A reader is pure and bounded. It takes the head of a request and what is there of its body, and
gives operations (`operation.Operation`), or says why it cannot tell (`operation.Unread`). It never
guesses: where two readers of the same bytes could differ (a member twice, a document that is not
well-formed, a query both in the URL and in the body), the operation is unread.
`read.OperationReader` chooses among the readers; `graphql`, `soap`, `jsonrpc` and `form` are one
protocol each.
"""
