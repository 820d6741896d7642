"""What a body that is not kept is known by, so that another one can still be told from it.

Pictures, files and archives are not stored with a pair of answers: what cannot be read cannot be
searched for secrets. A digest tells whether an answer has the same one. Formats of named values
(MessagePack, CBOR, protobuf, parts) have none, as a digest of few values gives them away to a
guess; nor has PDF, which holds the moment that it was made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from figway.compare.answer import Context, Decoder, RawHeader, header_values
from figway.compare.canonical.json import NotThisFormat, fingerprint
from figway.compare.decode import MediaType, content_codings, undo_codings
from figway.compare.formats import Family
from figway.compare.limits import Budget, CompareError
from figway.compare.trees import Trees

LEAST = 32
"""Bytes of a body that has a digest: a shorter one is soon guessed."""
OF_BYTES = "sha256"
OF_FILES = "files-sha256"
_BYTES: frozenset[Family] = frozenset({"binary", "image"})
_FILES: frozenset[Family] = frozenset({"zip", "tar", "gzip"})


def body_digest(
    headers: Iterable[RawHeader], body: bytes, decoders: Mapping[str, Decoder] | None = None
) -> str:
    """`sha256:...` of a body without its codings, `files-sha256:...` of an archive's files by
    their canonical form; empty for a body that has no digest, or cannot be read.
    """
    if len(body) < LEAST:
        return ""
    values = header_values(headers)
    media = MediaType.parse(values.get("content-type", [""])[-1])
    context = Context()
    try:
        codings = content_codings(values.get("content-encoding", []))
        plain = undo_codings(body, codings, decoders or {}, context.limits)
        family = media.family(plain)
        if family in _BYTES:
            return f"{OF_BYTES}:{hashlib.sha256(plain).hexdigest()}"
        if family not in _FILES:
            return ""
        tree = Trees(Budget(context.limits), context).of_bytes(family, plain, media)
    except (CompareError, NotThisFormat, RecursionError, ValueError):
        return ""
    text = fingerprint(tree).encode("utf-8", "backslashreplace")
    return f"{OF_FILES}:{hashlib.sha256(text).hexdigest()}"
