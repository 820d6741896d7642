"""A log that says an error once."""

from __future__ import annotations

import logging

from control_plane.repeated_lines import MAX_KEYS, RepeatedLines


def record(text: str, level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord("asyncio", level, "x.py", 1, text, (), None)


def test_the_same_error_is_said_once_a_minute() -> None:
    """L11: what differs in numbers and addresses alone is the same."""
    now = 100.0
    lines = RepeatedLines(lambda: now)
    passed = [n for n in range(1_000) if lines.filter(record(f"accept failed: fd={n} at 0x7f{n}"))]
    assert passed == [0]
    assert lines.filter(record("another"))
    assert all(lines.filter(record("said often", logging.INFO)) for _ in range(3))
    now = 161.0
    late = record("accept failed: fd=1 at 0x7f1")
    assert lines.filter(late)
    assert late.getMessage().endswith("(and 999 times more before)")


def test_what_is_remembered_is_bounded() -> None:
    """L11: errors of a thousand kinds fill no memory."""
    lines = RepeatedLines(lambda: 1.0)
    for number in range(3 * MAX_KEYS):
        word = "".join(chr(97 + int(digit)) for digit in str(number))
        assert lines.filter(record(f"error {word}"))
    assert len(lines._seen) <= MAX_KEYS
