"""Serves PyPI's `httpbin`, an application that nobody here wrote: `python -m ... PORT`."""

from __future__ import annotations

import logging
import sys
import warnings


def main() -> None:
    """Serve on 127.0.0.1 until killed."""
    warnings.simplefilter("ignore")
    from httpbin import app
    from werkzeug.serving import WSGIRequestHandler, make_server

    logging.disable(logging.INFO)

    class Handler(WSGIRequestHandler):
        """HTTP/1.1, so that connections are kept and streams are chunked, as in production."""

        protocol_version = "HTTP/1.1"

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    server = make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True, request_handler=Handler)
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
