"""What the tests of the proxy share: a Lambda sandbox in this process."""

from tests.support.serverless.life import backend, live, tables

__all__ = ["backend", "live", "tables"]
