"""The console: both sides in a browser, and the flip.

Server-rendered pages over the admin API's own functions, so that the console can do nothing that
the API cannot, and checks the same roles. It is an application of its own under `/console`, which
keeps its cookie away from everything else that the host serves, the facade among it.
"""
