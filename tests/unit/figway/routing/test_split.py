"""The split: stable, even, and without a way back for anybody when a weight rises."""

from __future__ import annotations

from figway.model.table import Capability, KeySource, Stage, StickyKey
from figway.model.words import WEIGHT_SCALE, Side
from figway.routing.compile import compile_table
from figway.routing.decide import Decision, Why, decide
from figway.routing.split import bucket
from tests.support.tables import Head, route, table

KEYS = [b"user-%d" % number for number in range(100_000)]


def test_buckets_are_the_same_on_every_release() -> None:
    """trap 38: golden values; a change of them would deal all users anew."""
    assert [bucket(b"shop", key) for key in (b"", b"a", b"user-1", "\u00e9".encode())] == [
        3157,
        8870,
        9313,
        8174,
    ]
    assert bucket(b"shop", b"user-1") != bucket(b"books", b"user-1")


def test_no_key_moves_back_and_shares_hold() -> None:
    """trap 38: 100 000 keys, the weight raised step by step; shares within half a per cent."""
    buckets = [bucket(b"shop", key) for key in KEYS]
    assert min(buckets) == 0
    assert max(buckets) == WEIGHT_SCALE - 1
    served_by_new: set[int] = set()
    for weight in (0, 1, 100, 500, 2_500, 5_000, 7_500, 9_999, 10_000):
        now = {index for index, number in enumerate(buckets) if number < weight}
        assert served_by_new <= now
        assert abs(len(now) / len(KEYS) - weight / WEIGHT_SCALE) < 0.005
        served_by_new = now
    assert len(served_by_new) == len(KEYS)


def test_salts_are_independent() -> None:
    """trap 41: who is early in one capability is not early in all."""
    both = sum(bucket(b"a", key) < 1_000 and bucket(b"b", key) < 1_000 for key in KEYS)
    assert abs(both / len(KEYS) - 0.01) < 0.003


def _decide(head: Head, weight: int, chain: tuple[StickyKey, ...] | None = None) -> Decision:
    capability = Capability(id="shop") if chain is None else Capability(id="shop", sticky=chain)
    canary = route("r", "/x", stage=Stage.CANARY, weight=weight, new="functions", capability="shop")
    plan = compile_table(table(canary, capabilities=[capability])).match(head)
    return decide(plan, head, kill=False, forced=None, fresh_id=lambda: b"fresh")


def test_the_cookie_is_an_identity_that_meets_new_weights() -> None:
    """trap 39: the identity is stored, never the decision."""
    number = bucket(b"shop", b"me")
    head = Head(b"/x", headers=[(b"Cookie", b"figway_id=me")])
    assert _decide(head, number).side is Side.LEGACY
    assert _decide(head, number + 1).side is Side.NEW
    decision = _decide(head, number + 1)
    assert (decision.side, decision.why) == (Side.NEW, Why.WEIGHT)
    assert (decision.bucket, decision.key_source) == (number, "cookie")


def test_who_brings_no_key_is_issued_one() -> None:
    """trap 40: never a constant bucket."""
    decision = _decide(Head(b"/x"), 5_000)
    assert (decision.issue, decision.bucket) == (b"fresh", bucket(b"shop", b"fresh"))
    address = (StickyKey(source=KeySource.CLIENT_ADDRESS),)
    found = {_decide(Head(b"/x", client=f"10.0.0.{n}"), 5_000, address).bucket for n in range(50)}
    assert len(found) > 45
