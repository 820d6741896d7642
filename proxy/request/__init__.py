"""One request: the flow, its client, what is forwarded, what it is served with."""
