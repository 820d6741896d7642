"""Which files and secrets a table names, and what each is."""

from __future__ import annotations

from figway.model.backend import Backend, BackendKind, CredentialHeader, RedisStream
from figway.model.table import Table
from figway.model.words import Side
from proxy.aws.secrets import named
from proxy.processes.materials import named_files

HEADER = CredentialHeader(header="Authorization", value="file:/run/secrets/figway/header")
BACKENDS = (
    Backend(id="a", side=Side.NEW, url="http://a", credentials=(HEADER,), ca_file="/ca.pem"),
    Backend(
        id="b",
        side=Side.NEW,
        kind=BackendKind.QUEUE,
        url="rediss://b",
        stream=RedisStream(name="b", password="file:/run/secrets/figway/redis"),
    ),
    Backend(
        id="c",
        side=Side.NEW,
        kind=BackendKind.QUEUE,
        url="rediss://c",
        stream=RedisStream(name="c", password="aws-secret:figway/backend/redis"),
    ),
)
TABLE = Table(default_backend="a", backends={item.id: item for item in BACKENDS})


def test_every_secret_of_a_backend_is_named() -> None:
    """A password of Redis is read like a header's secret, by whoever may read files."""
    assert named_files(TABLE) == {
        "/run/secrets/figway/header": True,
        "/ca.pem": False,
        "/run/secrets/figway/redis": True,
    }
    assert named(TABLE) == {"figway/backend/redis"}
