"""The stable split: a key falls into one of 10 000 buckets, and new serves the lowest of them."""

from __future__ import annotations

from xxhash import xxh64_intdigest

from figway.model.words import WEIGHT_SCALE


def bucket(salt: bytes, key: bytes) -> int:
    """The bucket of `key` under `salt`: 0 to 9 999, the same on every machine and release.

    New serves iff `bucket < weight`, so raising a weight never moves a key back to legacy.
    """
    return xxh64_intdigest(salt + b":" + key) % WEIGHT_SCALE
