"""A pair as it is stored: the place where its secrets are removed, before anything is written.

What counts as a secret is said in `figway.redact`, and by the route's own policy. A body that
cannot be read, or whose text is over `LONGEST_BODY`, is left out.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from figway.compare.answer import Answer, Decoder, RawHeader
from figway.compare.digest import body_digest
from figway.compare.limits import Limits
from figway.compare.verdict import COMPARED
from figway.evidence.window import NO_DIFFERENCE, signature_hash
from figway.redact.bodies import redact_body
from figway.redact.redactor import Redactor
from proxy.shadow.pair import Pair

LONGEST_BODY = 262_144
"""Characters of a redacted body that an example keeps; a longer one is left out."""

Decoders = Mapping[str, Decoder]


def pair_to_store(
    pair: Pair, ended: str, build: str, redactor: Redactor, decoders: Decoders, limits: Limits
) -> dict[str, Any]:
    """The pair without its secrets. `ended` is its verdict after second looks, `build` of new."""
    captured, comparison = pair.captured, pair.comparison
    entries = pair.entries if comparison.verdict in COMPARED else NO_DIFFERENCE
    return {
        "id": str(uuid.uuid4()),
        "at_ms": captured.at_ms,
        "verdict": ended,
        "signature": signature_hash(entries),
        "marks": [list(entry) for entry in entries],
        "build": build,
        "reason": comparison.reason[:80],
        "served": captured.side,
        "revision": captured.revision,
        "request": {
            "method": captured.method,
            "target": redactor.url(captured.target.decode("latin-1")),
            "headers": redactor.headers(captured.headers),
            **_body(tuple(captured.headers), captured.body, redactor, decoders, limits),
        },
        "legacy": answer_to_store(pair.legacy, redactor, decoders, limits),
        "new": answer_to_store(pair.new, redactor, decoders, limits),
        "differences": differences_data(pair),
    }


def answer_to_store(
    answer: Answer, redactor: Redactor, decoders: Decoders, limits: Limits
) -> dict[str, Any]:
    """An answer without its secrets; `digest` stands for a body that is no text."""
    digest = body_digest(answer.headers, answer.body, decoders)
    return {
        "status": answer.status,
        "headers": redactor.headers(answer.headers),
        **_body(answer.headers, answer.body, redactor, decoders, limits),
        **({"digest": digest} if digest else {}),
        "elapsed_ms": round(answer.elapsed_ms, 3),
        "failure": answer.failure,
    }


def differences_data(pair: Pair) -> list[dict[str, Any]]:
    """The differences of a pair as they are told, noise marked as such; their values were redacted
    when they were found (`Context.redact`)."""
    excused = pair.excused
    return [
        {**item.to_dict(), "noise": item.ignored_by is None and item.field in excused}
        for item in pair.comparison.differences
    ]


def _body(
    headers: tuple[RawHeader, ...],
    body: bytes,
    redactor: Redactor,
    decoders: Decoders,
    limits: Limits,
) -> dict[str, Any]:
    text = redact_body(headers, body, redactor, decoders, limits)
    if not text or len(text) > LONGEST_BODY:
        return {"body": None, "body_kind": "none"}
    return {"body": text, "body_kind": "text"}
