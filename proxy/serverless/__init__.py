"""The proxy in AWS Lambda: the same core, decisions and evidence as in a container.

The modules, in the order of the flow:

    settings      from the environment, without a settings library
    handler       what the runtime client calls; one event loop for the life of the sandbox
    bootstrap     the composition root: from settings to a proxy that answers events
    app           one invocation: wake, answer, settle, leave nothing pending
    tables        the table: bundled, then kept fresh beside the requests
    captures_out  captures and counters on their way out, before the answer returns
    telemetry     one line a request, which is log line and metric at once
    streaming     a runtime client of our own, for answers that leave as they come
    worker        the shadow worker as a function that a queue triggers

An event becomes a request in `proxy.doors.aws_lambda_event`; calls to AWS are in `proxy.aws`.
Nothing is imported that a setting does not ask for: a cold start pays for every module.
"""
