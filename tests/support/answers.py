"""Short ways to make answers and to read comparisons."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import brotli
import zstandard

from figway.compare.answer import Answer, Context, Decoder, RawHeader
from figway.compare.rules import ComparisonRule
from figway.compare.verdict import Comparison, compare


def unbrotli(data: bytes, most: int) -> bytes:
    decoder = brotli.Decompressor()
    plain = decoder.process(data, output_buffer_limit=most + 1)
    while len(plain) <= most and not decoder.is_finished():
        more = decoder.process(b"", output_buffer_limit=most + 1 - len(plain))
        if not more:
            raise ValueError("ends early")
        plain += more
    return plain


def unzstd(data: bytes, most: int) -> bytes:
    reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
    return bytes(reader.read(most + 1))


DECODERS: dict[str, Decoder] = {"br": unbrotli, "zstd": unzstd}


def answer(
    body: bytes | str,
    content_type: str = "text/plain",
    *extra: RawHeader,
    status: int = 200,
    **more: Any,
) -> Answer:
    data = body.encode() if isinstance(body, str) else body
    headers: tuple[RawHeader, ...] = (("Content-Type", content_type), *extra)
    return Answer(status, headers, data, **more)


def json_answer(value: object, *extra: RawHeader, **more: Any) -> Answer:
    return answer(json.dumps(value), "application/json", *extra, **more)


def compare_json(
    legacy: object,
    new: object,
    *rules: ComparisonRule,
    context: Context | None = None,
) -> Comparison:
    return compare(json_answer(legacy), json_answer(new), rules, context)


def found(comparison: Comparison) -> list[tuple[str, str]]:
    """(path, kind) of the differences that count, sorted."""
    return sorted((d.path, d.kind) for d in comparison.differences if d.counts)


def paths(differences: Iterable[Any]) -> list[str]:
    return sorted(difference.path for difference in differences)
