"""How many connections a client may have."""

from __future__ import annotations

from ipaddress import ip_network

from figway.edge import NO_POLICIES
from tests.integration.policies.conftest import Stand


def test_one_address_cannot_take_every_connection(stand: Stand) -> None:
    """trap 18: 503 and close beyond the limit; a closed connection makes room."""
    facade = stand.facade(NO_POLICIES, max_connections_per_client=2)
    with facade.connect() as one, facade.connect() as two:
        assert (one.get().status, two.get().status) == (200, 200)
        with facade.connect() as three:
            answer = three.answer()
            assert (answer.status, answer.one(b"retry-after")) == (503, b"1")
            assert three.closed()
        assert one.get().status == 200
        two.close()
        facade.wait_for(lambda: facade.door._by_client == {"127.0.0.1": 1})
        with facade.connect() as four:
            assert four.get().status == 200
    facade.wait_for(lambda: not facade.door._by_client)
    assert facade.records[2].problem == "too_many_connections"


def test_a_trusted_proxy_is_many_clients(stand: Stand) -> None:
    facade = stand.facade(
        NO_POLICIES, max_connections_per_client=1, trusted_proxies=(ip_network("127.0.0.0/8"),)
    )
    with facade.connect() as one, facade.connect() as two:
        assert (one.get().status, two.get().status) == (200, 200)
