"""What legacy answered with 304: the client's own validators are legacy's, and mean nothing to new.

Two askings stand for it. Mostly both sides are asked without conditions, so that what the client
has is compared, where legacy may be asked again. For the others, and always where it may not, new
is asked with its own validators: where legacy says "not modified", new is to say so too.
"""

from __future__ import annotations

import secrets
import time

from figway.compare.answer import Answer, header_values
from figway.message.http import Headers
from figway.model.words import Side
from proxy.shadow.asking import Asking
from proxy.shadow.pair import Pair
from proxy.shadow.table import ComparedRoute
from proxy.shadow.tally import Tally

_CONDITIONAL = 4
"""One in so many is asked with new's own validators although legacy could be asked."""
_TRIES = 2


def is_not_modified(pair: Pair) -> bool:
    """Whether legacy served a 304 to a GET."""
    captured = pair.captured
    served = captured.side == Side.LEGACY and not captured.failure
    return served and captured.status == 304 and captured.method == "GET"


def conditions_of(answer: Answer) -> Headers:
    """The headers with which a client asks whether this answer still holds; empty for none."""
    found = header_values(answer.headers)
    pairs = (("etag", b"If-None-Match"), ("last-modified", b"If-Modified-Since"))
    return [(name, found[own][-1].encode("latin-1")) for own, name in pairs if own in found]


async def ask_whole(asking: Asking, tally: Tally, compared: ComparedRoute, pair: Pair) -> bool:
    """Put legacy's whole answer into the pair; False where legacy may not be asked now."""
    captured, served = pair.captured, pair.legacy
    as_stored = Answer(200, served.headers, b"", elapsed_ms=served.elapsed_ms)
    if asking.refusal(compared, captured, as_stored) or not secrets.randbelow(_CONDITIONAL):
        return False
    if not compared.state.reads.spend():
        return False
    asked_ms = int(time.time() * 1_000)
    legacy = await asking.again(compared, captured, Side.LEGACY)
    tally.reads(compared, captured, "legacy", legacy is not None)
    if legacy is None or legacy.status == 304:
        return False
    pair.legacy, captured.at_ms = legacy, asked_ms
    return True


async def ask_conditionally(
    asking: Asking, tally: Tally, compared: ComparedRoute, pair: Pair
) -> bool:
    """Put new's answer to its own validators into the pair; False where it has none, or is busy.

    One of two answers that says 304 is enough: a cache of new may have been cold.
    """
    conditions = conditions_of(pair.new)
    if not conditions or pair.new.status != 200:
        return False
    for _ in range(_TRIES):
        new = await asking.again(compared, pair.captured, Side.NEW, conditions)
        tally.reads(compared, pair.captured, "new", new is not None)
        if new is None:
            return False
        pair.new = new
        if new.status == 304:
            break
    return True
