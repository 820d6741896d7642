"""How new's values go on otherwise than legacy's, by what second looks and repeats tell.

Each test is a bound that holds at every moment (`sequential`), so that what two sides do alike is
told apart by chance in at most 2.5 % of places, however often somebody looks.
"""

from __future__ import annotations

import math

from figway.evidence.noise.place_looks import PlaceLooks
from figway.evidence.noise.sketches import STILL_VALUES, PlaceSketch
from figway.evidence.sequential import log_evidence

STILL_SHARE = 0.6
"""Of the times that just one side moved on, the share that new may have stood still by chance."""
RESTED_SHARE = 0.5
"""Of the times that legacy said another value, those in which new may say the same by chance."""
MOST_DIFFERING = 0.8
"""Share of the pairs that differ above which it says nothing that new stood still."""
CLINGING = 3
"""Requests that differed twice, for differences to stay with requests at all."""
MOST_CLINGING = 0.5
"""Share of the requests that differ, above which data does not move on alike on both sides."""
CHANCE_TIMES = 1.5
"""How much more than by chance a request that differed may differ again, as some move faster."""
_SURE, _SURELY = math.log(1 / 0.05), math.log(1 / 0.025)


def surely_more(one: int, other: int) -> bool:
    """Whether one of two comes surely more often than in half of the times."""
    return one > other and log_evidence(0.5, one, one + other, 1.0, 1.0) >= _SURE


def surely_above(share: float, one: float, of: float) -> bool:
    """Whether it is surely more than this share of them, however often that is asked."""
    return one > share * of and log_evidence(share, one, of, 1.0, 1.0) >= _SURELY


def told_by_looks(looks: PlaceLooks, sketch: PlaceSketch | None, pairs: int) -> str:
    """The finding, with both figures; empty where both sides go on alike.

    `pairs` are all of the window; `sketch` is of those that differ here.
    """
    if surely_more(looks.faster, looks.slower):
        return f"new went on further in {looks.faster} looks, legacy in {looks.slower}"
    if _rests(looks, sketch):
        return (
            f"new said the same again {looks.rested} times where legacy said another value, "
            f"and another one {looks.went} times"
        )
    often = sketch is None or sketch.pairs <= MOST_DIFFERING * pairs
    if often and surely_above(STILL_SHARE, looks.still, looks.still + looks.ahead):
        return (
            f"new stood still {looks.still} times where legacy had moved on, "
            f"legacy {looks.ahead} times"
        )
    if _clings(looks):
        return (
            f"the same requests differ again: {looks.clung} that were made again differed "
            f"twice, {looks.loosed} once, {looks.paced} never"
        )
    return ""


def _rests(looks: PlaceLooks, sketch: PlaceSketch | None) -> bool:
    """Whether new says for each request what it said before, where legacy draws anew.

    Of few values one may come again by chance; where both keep theirs for a while, legacy says the
    same alone as often.
    """
    if sketch is None or min(sketch.distinct(0), sketch.distinct(1)) < STILL_VALUES:
        return False
    alone = surely_above(RESTED_SHARE, looks.rested, looks.rested + looks.roamed)
    return alone and surely_above(RESTED_SHARE, looks.rested, looks.rested + looks.went)


def _clings(looks: PlaceLooks) -> bool:
    """Whether differences stay with certain requests, where legacy moves on and new goes along at
    all others.

    Of two sides that draw alike, or of data that are read at two moments, a request that differed
    differs no more often when it is made again than any other.
    """
    again, once = looks.clung, looks.loosed / 2
    if again < CLINGING:
        return False
    share = (again + once) / (looks.clung + looks.loosed + looks.paced)
    if share > MOST_CLINGING:
        return False
    return surely_above(CHANCE_TIMES * share, again, again + once)
