"""How requests go out, behind one port: pooled HTTP/1.1, signed or not; Lambda's Invoke; messages,
events and executions that requests are handed on as.

    port            what every kind of upstream offers (`fake` stands in for one, in tests)
    factory         from a backend to the upstream that speaks to it
    balanced        one backend behind several URLs
    barred, refused a backend that cannot be opened, and a request that one never gets

HTTP, and what is signed HTTP:

    http            a pooled client of callbacks: pool, connection, attempt, dial, race
    logins          logins that live in a connection (NTLM, Negotiate)
    mending         odd answers, mended where a backend asks for it
    signed          an http backend whose requests are signed: S3, API Gateway, OpenSearch
    collecting      a body that must be whole before anything can be sent

What becomes one call of a service:

    aws_lambda      Invoke, with lambda_event: a request as an event, and the answer of it
    handing_on      a queue, a bus or a workflow, with handed_message: sqs, events, workflow
    redis_stream    a queue that is a stream in Redis (redis_client)
    aws_endpoint, aws_failures
                    where a service of AWS is, and what its refusals say

An upstream knows nothing of routes: which backend is tried, and what after a failure, is the
exchange's business (`figway.serving.attempts`).
"""
