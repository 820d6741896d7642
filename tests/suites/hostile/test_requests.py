"""The corpus and its mutations through both doors (trap 17)."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable, Iterator

import pytest

from tests.suites.hostile.corpus import ACCEPTED, CHUNKS, POST, REFUSED, SMUGGLED, TE
from tests.suites.hostile.mutate import requests, with_trailers
from tests.suites.hostile.ring import SETTINGS, Findings, Ring
from tests.support.wire import Facade, RawBackend, backend, table_of

DOORS = ("native", "asgi")
MUTATIONS = {"native": 4_000, "asgi": 1_000}


@pytest.mark.parametrize("door", DOORS)
def test_no_case_of_the_corpus_is_two_requests(door: str) -> None:
    """trap 17: a differential test against h11 and llhttp at both ends of the facade."""
    cases = {**REFUSED, **ACCEPTED}
    cases |= {name: POST + TE + b"\r\n\r\n" + body for name, body in CHUNKS.items()}
    found = asyncio.run(Ring(door).fight(iter(cases.items())))
    assert not found.wrong, "\n".join(found.wrong[:5])
    assert found.cases == len(cases)


@pytest.mark.parametrize("door", DOORS)
def test_mutations_of_the_corpus_are_never_two_requests(door: str) -> None:
    """trap 17: a slice of what `make fuzz` runs by the hundred thousand."""
    count = MUTATIONS[door]
    found = fight(door, count, seed=1)
    assert not found.wrong, "\n".join(found.wrong[:5])
    assert found.cases == count
    assert found.forwarded > count / 20
    assert found.refused > count / 4


@pytest.mark.parametrize("door", DOORS)
def test_trailers_never_become_fields(door: str) -> None:
    """W4: a slice of what `make fuzz` runs; head and trailers mostly come in one segment."""
    count = MUTATIONS[door] // 4
    found = fight(door, count, seed=1, made=with_trailers)
    assert not found.wrong, "\n".join(found.wrong[:5])
    assert found.forwarded > count / 20


def fight(
    door: str, count: int, seed: int, made: Callable[[int], Iterator[bytes]] = requests
) -> Findings:
    """That many mutations against one door."""
    bent = itertools.islice(made(seed), count)
    cases = ((f"seed {seed}", data) for data in bent)
    return asyncio.run(Ring(door).fight(cases, seed=seed))


@pytest.mark.parametrize("door", DOORS)
def test_the_corpus_is_refused_and_the_connection_closed(door: str) -> None:
    """trap 17: nothing of what is ambiguous reaches the backend; 4xx or 5xx, then the end."""
    with backend() as legacy:
        facade = Facade(door, table_of(legacy.port), SETTINGS)
        try:
            wrong = [
                f"{name}: {said!r}"
                for name, data in REFUSED.items()
                if (said := refused(facade, legacy, data + SMUGGLED)) is not None
            ]
        finally:
            facade.stop()
    assert not wrong, "\n".join(wrong)


def refused(facade: Facade, legacy: RawBackend, data: bytes) -> object:
    """None if `data` was refused as it should be, else what happened."""
    before = len(legacy.requests)
    with facade.connect() as client:
        client.send(data)
        answer = client.rest()
    if len(legacy.requests) != before:
        return legacy.requests[before:]
    statuses = re.findall(rb"^HTTP/1\.1 ([0-9])", answer, re.MULTILINE)
    return None if statuses in ([b"4"], [b"5"]) else answer
