"""Second looks through the whole engine: sides that are scripts, thousands of pairs, no sockets."""

from __future__ import annotations

import itertools
import json
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from figway.compare.rules import ComparisonRule
from figway.evidence.judgement import Judgement
from figway.evidence.noise.form_fit import fit_of
from figway.evidence.noise.forms import Form
from figway.evidence.noise.values import read
from figway.model.comparison import LegacyReads, NoiseOverrule, NoiseWord, RuleKind
from figway.model.words import Side
from tests.support.shadow_engine import (
    JSON,
    Asked,
    EngineWorld,
    Said,
    engine_world,
    replaced,
    route_of,
)

CHANCE = random.Random(17)


def answers(**fields: Callable[[], Any]) -> Callable[[Asked], Said]:
    """A side: the number asked for, a price by it, and fields made anew each time."""

    def answer(asked: Asked) -> Said:
        number = int(asked.target.split("/")[2].partition("?")[0])
        data = {"id": number, "price": number * 3 % 17}
        return Said(json.dumps({**data, **{k: make() for k, make in fields.items()}}).encode())

    return answer


async def fed(world: EngineWorld, pairs: int, numbers: int = 150) -> Judgement:
    """Serve so many requests, and judge."""
    for at in range(pairs):
        world.serve(f"/r/{at % numbers}")
        if at % 10 == 9:
            await world.settle(1)
    await world.end()
    return world.judged()


def standings(judged: Judgement) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in judged.fields:  # the one that deserves most attention comes first
        found.setdefault(item.path, item.standing)
    return found


async def test_a_settled_difference_counts_after_looks_and_then_at_once() -> None:
    async with engine_world(answers(), answers(price=lambda: 99)) as w:
        judged = await fed(w, 300)
        assert (judged.match, judged.mismatch) == (0, 300)
        assert standings(judged) == {"$.price": "real"}
        assert judged.standing(0.995) == "refuted"
        # Every pair differs, and one in twenty is looked at once the field is settled.
        assert w.only.reads["legacy"] < 100


async def test_one_wrong_answer_in_ten_is_unsteady_and_not_stale() -> None:
    wrong = lambda: 99 if CHANCE.random() < 0.1 else 5  # noqa: E731
    async with engine_world(answers(total=lambda: 5), answers(total=wrong)) as w:
        judged = await fed(w, 400)
        assert judged.stale == 0
        assert 20 <= judged.mismatch <= 65
        assert judged.unsteady == judged.mismatch
        assert standings(judged) == {"$.total": "unsteady"}


async def test_data_that_moved_on_is_stale_and_unrated() -> None:
    def legacy(asked: Asked) -> Said:
        return Said(json.dumps({"stock": 2 if asked.copied else 1}).encode())

    async with engine_world(legacy, lambda asked: Said(b'{"stock": 2}'), percent=100) as w:
        w.serve("/r/1")
        await w.settle()
        assert w.verdicts == {"stale": 1}
        assert w.judged().rated == 0


async def test_a_failure_of_new_is_a_difference() -> None:
    """A new that fails on one per cent, and on forty, is never proven."""
    for share in (0.01, 0.4):
        plain = answers()

        def failing(
            asked: Asked, share: float = share, plain: Callable[[Asked], Said] = plain
        ) -> Said:
            return Said(b"", 503) if CHANCE.random() < share else plain(asked)

        async with engine_world(plain, failing) as w:
            judged = await fed(w, 1_200)
            assert judged.new_failed > 0
            assert judged.agreement is not None
            assert judged.agreement < 1
            assert judged.standing(0.995) != "proven"
            assert w.only.failed["new"] == {"503": judged.new_failed}


async def test_noise_of_a_form_is_excused_and_what_is_outside_it_is_not() -> None:
    def new() -> str:
        return "short" if next(turn) % 50 == 49 else str(uuid.uuid4())

    turn = itertools.count()
    async with engine_world(answers(rid=lambda: str(uuid.uuid4())), answers(rid=new)) as w:
        judged = await fed(w, 600)
        assert 5 <= judged.mismatch <= 20
        assert judged.match + judged.mismatch + judged.unconfirmed == 600
        assert standings(judged)["$.rid"] == "real"


async def test_another_type_than_legacy_varies_in_is_a_difference() -> None:
    """Null for a token, a text for a counter: legacy varies there, and never so."""
    counters = {"legacy": itertools.count(7_000), "new": itertools.count(40)}
    legacy = answers(rid=lambda: str(uuid.uuid4()), hits=lambda: next(counters["legacy"]))

    def new(asked: Asked) -> Said:
        number = int(asked.target.rpartition("/")[2])
        rid = None if number % 40 == 0 else str(uuid.uuid4())
        hits: object = next(counters["new"])
        return answers(rid=lambda: rid, hits=lambda: str(hits) if number % 30 == 0 else hits)(asked)

    async with engine_world(legacy, new) as w:
        judged = await fed(w, 450)
        told = {item.field: item.standing for item in judged.fields}
        assert told["$.rid|type"] == "real"
        assert told["$.hits|type"] == "real"
        assert 12 <= judged.mismatch <= 30


async def test_what_is_seldom_null_on_both_sides_is_no_difference() -> None:
    """Noise in the type alone, drawn anew each time by both sides alike."""
    draws = random.Random(5)

    def token() -> str | None:
        return None if draws.random() < 0.05 else str(uuid.UUID(int=draws.getrandbits(128)))

    async with engine_world(answers(rid=token), answers(rid=token)) as w:
        judged = await fed(w, 600)
        assert judged.mismatch <= 0.005 * judged.rated, standings(judged)


async def test_a_uuid_that_new_never_changes_varies_differently() -> None:
    fixed = str(uuid.uuid4())
    legacy = answers(rid=lambda: str(uuid.uuid4()))
    async with engine_world(legacy, answers(rid=lambda: fixed)) as w:
        judged = await fed(w, 400)
        assert standings(judged) == {"$.rid": "varies_differently"}
        reasons = {reason.code: reason.text for reason in judged.reasons}
        assert "new 1 value in" in reasons["varies_differently"]
        assert judged.standing(0.99) != "proven"


async def test_a_clock_an_hour_off_is_a_difference() -> None:
    def clock(ahead: float) -> Callable[[], str]:
        return lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + ahead))

    legacy, new = answers(at=clock(0)), answers(at=clock(3_600))
    async with engine_world(legacy, new, percent=100) as w:
        for _ in range(4):
            await fed(w, 40)
            time.sleep(0.5)  # noqa: ASYNC251 - legacy's clock has to move
        judged = await fed(w, 200)
        assert judged.match == 0
        assert standings(judged) == {"$.at": "real"}


async def test_a_slow_answer_tells_the_time_of_its_end() -> None:
    """A cold start of three seconds moves new's clock by as much: that is no difference."""
    form = Form()
    for at in range(12):
        one, other = (read(f"2026-11-30T10:00:{at + more:02}Z") for more in (0, 1))
        form.learn(one, other, 1_000.0, str)
    late = read("2026-11-30T10:00:05Z"), read("2026-11-30T10:00:09Z")
    assert fit_of(form, *late, 10.0, str) == "no"
    assert fit_of(form, *late, 10.0, str, slack_ms=4_000.0) == "yes"


async def test_without_reads_what_cannot_be_known_is_unconfirmed_and_never_false() -> None:
    """`never`, and no request comes twice: nothing is proven, nothing refuted."""
    route = route_of(LegacyReads.NEVER)
    async with engine_world(answers(), answers(price=lambda: 99), route) as w:
        judged = await fed(w, 200, numbers=10_000)
        assert (judged.match, judged.mismatch, judged.unconfirmed) == (0, 0, 200)
        assert standings(judged) == {"$.price": "likely_real"}
        assert [asked for asked in w.seen[Side.LEGACY] if asked.copied] == []
        text = next(reason.text for reason in judged.reasons if reason.code == "unconfirmed")
        assert "shadow.legacy_reads" in text


async def test_form_alone_excuses_provisionally_and_says_so() -> None:
    both = answers(rid=lambda: str(uuid.uuid4()))
    async with engine_world(both, both, route_of(LegacyReads.NEVER)) as w:
        judged = await fed(w, 300, numbers=10_000)
        assert judged.mismatch == 0
        assert judged.form_alone > 150
        assert "form_alone" in {reason.code for reason in judged.reasons}
        assert standings(judged) == {"$.rid": "form_alone"}


async def test_natural_repeats_stand_in_for_reads() -> None:
    """Half of the traffic repeats: noise is learned, and a difference settled, without one read."""
    legacy = answers(rid=lambda: str(uuid.uuid4()))
    new = answers(rid=lambda: str(uuid.uuid4()), price=lambda: 99)
    async with engine_world(legacy, new, route_of(LegacyReads.NEVER)) as w:
        judged = await fed(w, 400, numbers=40)
        assert [asked for asked in w.seen[Side.LEGACY] if asked.copied] == []
        assert standings(judged) == {"$.price": "real", "$.rid": "noise"}
        assert judged.mismatch > 300


async def test_words_and_ignore_rules_change_what_was_counted_before() -> None:
    async with engine_world(answers(), answers(price=lambda: 99)) as w:
        assert (await fed(w, 100)).mismatch == 100
        rule = ComparisonRule(id="known", kind=RuleKind.IGNORE, target="$.price")
        w.change(replaced(w.route, rules=(rule,)))
        assert (w.judged().match, w.judged().mismatch) == (100, 0)
        word = NoiseOverrule(field="$.price", word=NoiseWord.NOISE)
        w.change(replaced(w.route, rules=(), noise_overrules=(word,)))
        assert (w.judged().match, w.judged().mismatch) == (100, 0)
        w.change(replaced(w.route, noise_overrules=()))
        assert (w.judged().match, w.judged().mismatch) == (0, 100)


async def test_what_was_learned_survives_the_worker() -> None:
    both = answers(rid=lambda: str(uuid.uuid4()))
    async with engine_world(both, both) as w:
        await fed(w, 100)
        learned, read = w.learned, w.only.reads["legacy"]
        await w.engine.close()
        w.make()
        w.engine.restore(learned)
        judged = await fed(w, 100)
        assert (judged.match, judged.unconfirmed) == (200, 0)
        assert w.only.reads["legacy"] - read <= 20  # the sample and the audit, no learning anew


async def test_another_build_of_new_has_evidence_of_its_own() -> None:
    build = {"now": b"1"}

    def new(asked: Asked) -> Said:
        said = answers(price=lambda: 99)(asked) if build["now"] == b"1" else answers()(asked)
        return Said(said.body, 200, [*said.headers, (b"X-App-Version", build["now"])])

    async with engine_world(answers(), new) as w:
        await fed(w, 60)
        build["now"] = b"2"
        await fed(w, 60)
        assert w.judged("1").mismatch == 60
        assert (w.judged("2").match, w.judged("2").mismatch) == (60, 0)


async def test_copies_of_one_request_prove_nothing() -> None:
    async with engine_world(answers(), answers()) as w:
        judged = await fed(w, 1_200, numbers=1)
        assert judged.match == 1_200
        assert judged.standing(0.995) == "promising"
        assert [reason.text for reason in judged.reasons] == ["one request, compared 1200 times"]


async def test_a_shape_that_was_never_compared_is_named() -> None:
    def new(asked: Asked) -> Said:
        return answers()(asked)

    async with engine_world(answers(), new) as w:
        await fed(w, 300)
        for number in range(5):
            w.serve(f"/r/{number}?sort=name")
        await w.end()
        judged = w.judged()
        assert judged.shapes_missing == ("200 application/json with sort (5 of 5)",)
        assert judged.shapes == 2


async def searched(world: EngineWorld, pairs: int) -> None:
    """Users search by POST: the same path, other words."""
    for at in range(pairs):
        world.serve("/r/7", "POST", body=b"q=%d" % (at % 50))
        if at % 10 == 9:
            await world.settle(1)
    await world.end()


async def test_the_noise_of_a_declared_read_is_learned() -> None:
    """`reads: [POST]`: legacy is asked again, within its budget, although nothing marks its answers
    as storable; its nonce is noise, and new's price is a difference."""
    nonce = {"nonce": lambda: uuid.uuid4().hex}
    route = replace(route_of(LegacyReads.CACHEABLE), reads=("POST",))
    async with engine_world(answers(**nonce), answers(**nonce, price=lambda: 99), route) as w:
        await searched(w, 200)
        judged = w.judged()
        assert standings(judged)["$.price"] == "real"
        assert standings(judged)["$.nonce"] != "real"
        assert len(w.seen[Side.LEGACY]) > 200
        assert all("figway-dry-run" not in asked.headers for asked in w.seen[Side.NEW])


@pytest.mark.parametrize("reads", [(), ("PUT",)])
async def test_a_write_is_asked_once_of_new_and_never_again_of_legacy(
    reads: tuple[str, ...],
) -> None:
    """trap 24: under a dry-run contract new is told that it is a copy; legacy ran it once."""
    contract = replace(route_of(LegacyReads.ALLOWED), reads=reads)
    policy = replace(contract.shadow, dry_run="Figway-Dry-Run")
    async with engine_world(
        answers(), answers(price=lambda: 99), replace(contract, shadow=policy)
    ) as w:
        await searched(w, 20)
        assert len(w.seen[Side.LEGACY]) == 20
        assert len(w.seen[Side.NEW]) == 20
        assert all(asked.headers["figway-dry-run"] == "1" for asked in w.seen[Side.NEW])


VALIDATED = [*JSON, (b"ETag", b'"v1"')]
STORED = [(b"If-None-Match", b'"v1"')]


def revalidating(body: bytes, *, says: bool = True) -> Callable[[Asked], Said]:
    """A side with a validator; unless it `says`, it never answers 304."""

    def answer(asked: Asked) -> Said:
        if says and asked.headers.get("if-none-match") == '"v1"':
            return Said(b"", 304, [(b"ETag", b'"v1"')])
        return Said(body, 200, list(VALIDATED))

    return answer


async def revalidated(world: EngineWorld) -> Judgement:
    """Serve clients that have it all stored, and judge."""
    for at in range(120):
        world.serve(f"/r/{at}", headers=list(STORED))
        if at % 10 == 9:
            await world.settle(1)
    await world.end()
    return world.judged()


async def test_what_a_client_has_stored_is_compared_all_the_same() -> None:
    """Legacy says 304: both sides are asked without the client's validators."""
    async with engine_world(revalidating(b'{"a":1}'), revalidating(b'{"a":2}'), percent=100) as w:
        judged = await revalidated(w)
        assert standings(judged) == {"$.a": "real"}
        assert judged.mismatch > 20
        assert sum(w.verdicts.values()) == 120


async def test_a_new_that_never_says_not_modified_is_found() -> None:
    """A sample asks new with its own validators: 304 is expected where legacy gives one."""
    legacy, same = revalidating(b'{"a":1}'), revalidating(b'{"a":1}')
    never = revalidating(b'{"a":1}', says=False)
    async with engine_world(legacy, never, percent=100) as w:
        assert standings(await revalidated(w)) == {"status": "real"}
    async with engine_world(legacy, same, percent=100) as w:
        judged = await revalidated(w)
        assert (judged.match, judged.mismatch, judged.fields) == (120, 0, ())


async def test_not_modified_is_judged_without_asking_legacy() -> None:
    """`never`: new's own validators tell, and legacy gets no request."""
    legacy, never = revalidating(b'{"a":1}'), revalidating(b'{"a":1}', says=False)
    async with engine_world(legacy, never, route_of(LegacyReads.NEVER)) as w:
        judged = await revalidated(w)
        assert standings(judged) == {"status": "real"}
        assert len(w.seen[Side.LEGACY]) == 120


@pytest.mark.parametrize("seed", [66, 130, 185])
async def test_a_time_that_took_long_by_chance_is_no_difference(seed: int) -> None:
    """Legacy may not be asked again, and is known by its natural repeats alone: with eight of them
    a clean route had 1 of 14, then 4 of 44 mismatches, as no number is bounded by eight draws."""
    chance = random.Random(seed)
    took = answers(took=lambda: chance.expovariate(1 / 12))
    async with engine_world(took, took, route_of(LegacyReads.NEVER)) as w:
        fresh, again = itertools.count(), dict[int, int]()
        for at in range(60):
            number = again.pop(at, -1)
            if number < 0:
                number = next(fresh)
                if chance.random() < 0.5:
                    again[at + 4] = number
            w.serve(f"/r/{number}")
            if at % 3 == 2:
                await w.settle(2)
                assert w.judged().mismatch == 0, standings(w.judged())
        await w.end()


async def test_a_number_far_beyond_its_noise_counts_though_new_seldom_says_it() -> None:
    """One in twenty at random, and three times as much where both vary by one per cent."""
    chance = random.Random(5)

    def jitter() -> float:
        return 100 * (1 + chance.uniform(-0.01, 0.01))

    def wrong() -> float:
        return jitter() * (3 if chance.random() < 0.05 else 1)

    async with engine_world(answers(load=jitter), answers(load=wrong)) as w:
        judged = await fed(w, 400)
        assert judged.mismatch >= 8
        assert standings(judged) == {"$.load": "real"}


DRAWN: dict[str, Callable[[random.Random], object]] = {
    "ten digits as text, some of which read as a moment": lambda c: f"{c.randrange(10**10):010}",
    "a colour, some of which are digits alone": lambda c: f"#{c.getrandbits(24):06x}",
    "a time with a long tail": lambda c: int(10 * c.lognormvariate(0, 1)),
    "one of few, some of which are seldom": lambda c: c.choices("ABCDE", [90, 5, 2, 2, 1])[0],
}


@pytest.mark.parametrize("name", DRAWN)
async def test_what_both_sides_draw_alike_is_never_called_different(name: str) -> None:
    """Found by kinds that the fixture did not have."""
    chance, draw = random.Random(41), DRAWN[name]
    side = answers(drawn=lambda: draw(chance))
    async with engine_world(side, side) as w:
        for at in range(300):
            w.serve(f"/r/{at % 150}")
            if at % 20 == 19:
                await w.settle(1)
                judged = w.judged()
                assert judged.mismatch <= 0.005 * judged.rated, standings(judged)
        await w.end()


def busy(chance: random.Random, **wrong: Callable[[Any], Any]) -> Callable[[Asked], Said]:
    """A side on which much varies; what is wrong is made of the right value."""

    def fields() -> dict[str, Any]:
        return {
            "took": int(chance.expovariate(1 / 12)),
            "host": chance.choice(["web-1", "web-2", "web-3"]),
            "tags": chance.sample("aabcde", 6),
        }

    def answer(asked: Asked) -> Said:
        data = {"path": asked.target, **fields()}
        for field, make in wrong.items():
            data[field] = make(data[field])
        return Said(json.dumps(data).encode())

    return answer


NOW_AND_THEN = random.Random(43)
WRONG: dict[str, dict[str, Callable[[Any], Any]]] = {
    "below zero": {"took": lambda v: -1},
    "seconds for milliseconds": {"took": lambda v: v / 1_000},
    "always zero": {"took": lambda v: 0},
    "no host, now and then": {"host": lambda v: None if NOW_AND_THEN.random() < 0.05 else v},
    "another tag": {"tags": lambda v: ["z", *v[1:]]},
    "a tag lost": {"tags": lambda v: v[1:]},
    "a tag lost, now and then": {"tags": lambda v: v[NOW_AND_THEN.random() < 0.1 :]},
    "a host that is none": {"host": lambda v: "db-1" if NOW_AND_THEN.random() < 0.05 else v},
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_wrong_in_spite_of_noise_is_found(name: str) -> None:
    """Found by kinds that the fixture did not have: a later form excused what was beyond it, and
    an answer that agreed by chance was called the data's moving on."""
    chance = random.Random(47)
    async with engine_world(busy(chance), busy(chance, **WRONG[name])) as w:
        judged = await fed(w, 400)
        [field] = WRONG[name]
        told = {path: word for path, word in standings(judged).items() if f".{field}" in path}
        found = {"real", "unsteady", "varies_differently", "likely_real"}
        assert found & set(told.values()), told
        assert judged.standing(0.99) != "proven"
