"""Minimal pairs of answers, and what must be said of each: `data/*.jsonl`, a pair a line.

A line has a name, the request's method, both answers (`status`, `headers`, and a body as
`body_base64` or, where it is text, as `body`), and `must_be`: `equal` or `different`. A line that
says `at` names the one path at which the two differ.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from figway.compare.answer import Answer, Context
from figway.compare.verdict import compare

DATA = Path(__file__).parent / "data"


def pairs() -> Iterator[Any]:
    for file in sorted(DATA.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            pair = json.loads(line)
            yield pytest.param(pair, id=f"{file.stem}: {pair['name']}")


def answer(side: dict[str, Any]) -> Answer:
    body = base64.b64decode(side["body_base64"]) if "body_base64" in side else side["body"].encode()
    return Answer(side["status"], tuple((name, value) for name, value in side["headers"]), body)


@pytest.mark.parametrize("pair", list(pairs()))
def test_a_pair_is_judged_as_it_says(pair: dict[str, Any]) -> None:
    legacy, new = answer(pair["legacy"]), answer(pair["new"])
    context = Context(facade="https://shop.example", method=pair["method"])
    for one, other in ((legacy, new), (new, legacy)):
        comparison = compare(one, other, (), context)
        expected = {"equal": "match", "different": "mismatch"}[pair["must_be"]]
        assert comparison.verdict == expected, comparison.to_dict()
        if "at" in pair:
            assert {difference.path for difference in comparison.differences} == {pair["at"]}
        assert compare(one, one, (), context).verdict == "match"
