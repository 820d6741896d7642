"""Whether clients can tell two charset labels apart."""

from __future__ import annotations

from figway.compare.decode import MediaType, codec_named, codec_within, is_utf8

# Types of text that have one encoding whatever their label says.
_ALWAYS_UTF8 = frozenset(
    (
        "text/json",
        "text/x-json",
        "text/event-stream",
        "text/vtt",
        "text/x-ndjson",
        "text/cache-manifest",
    )
)
_SCRIPTS = ("/javascript", "/x-javascript", "/ecmascript")


def has_charset(essence: str) -> bool:
    """Whether readers of a media type look at its label: not JSON, not XML, which say it within."""
    if essence in _ALWAYS_UTF8 or essence == "text/xml" or essence.endswith("+xml"):
        return False
    return essence.startswith("text/") or essence.endswith(_SCRIPTS)


def label_counts(legacy: tuple[MediaType, bytes], new: tuple[MediaType, bytes]) -> bool:
    """Whether labels that differ are a difference in themselves.

    One label less is, unless the body that lacks it names the same charset itself. Another label
    is only where the bytes stayed: re-encoded text is compared as text.
    """
    if legacy[0].essence != new[0].essence or not has_charset(legacy[0].essence):
        return False
    left, right = codec_named(legacy[0].charset), codec_named(new[0].charset)
    if left == right:
        return legacy[0].charset != new[0].charset and left is None
    if legacy[0].charset and new[0].charset:
        return (left is None) != (right is None) or (
            legacy[1] == new[1] and not legacy[1].isascii()
        )
    bare, codec = (new[1], left) if legacy[0].charset else (legacy[1], right)
    # Bytes that are no UTF-8 are read as windows-1252 without a label, and compared as such.
    return is_utf8(bare) and codec_within(bare, legacy[0].essence) != codec
