"""Reading self-describing binary formats: bounded, and never past the end."""

from __future__ import annotations

from figway.compare.canonical.json import NotThisFormat, Value, fingerprint, members
from figway.compare.limits import Budget, CompareError


class BinaryReader:
    """A place in some bytes, with the bounds of one comparison."""

    def __init__(self, data: bytes, format_name: str, budget: Budget, depth: int) -> None:
        self.data = data
        self.at = 0
        self._name = format_name
        self._budget = budget
        self._depth = depth

    def within(self, data: bytes) -> BinaryReader:
        """A reader of bytes that stand within these, under the same bounds."""
        return BinaryReader(data, self._name, self._budget, self._depth)

    def broken(self, why: str) -> NotThisFormat:
        """The error to raise."""
        return NotThisFormat(f"not {self._name}: {why} at byte {self.at}")

    def enter(self, level: int) -> None:
        """A value begins, `level` levels down.

        Raises:
            CompareError: `too_deep`, or the budget's own.
        """
        self._budget.spend(1)
        if level > self._depth:
            raise CompareError("too_deep", f"more than {self._depth} levels")

    def take(self, size: int) -> bytes:
        """The next `size` bytes.

        Raises:
            NotThisFormat: there are not so many.
        """
        part = self.data[self.at : self.at + size]
        if len(part) < size:
            raise self.broken("cut")
        self.at += size
        return part

    def holds(self, values: int) -> None:
        """Refuse a number of values that cannot follow, each being a byte at least."""
        if values > len(self.data) - self.at:
            raise self.broken("cut")

    def text(self, size: int) -> str:
        """Text; bytes that are not UTF-8 are kept apart as lone surrogates."""
        return self.take(size).decode("utf-8", "surrogateescape")

    def end(self) -> None:
        """Refuse what follows the one value."""
        if self.at != len(self.data):
            raise self.broken("more follows")

    def members(self, pairs: list[tuple[str, Value]]) -> Value:
        """An object; a name that occurs again keeps all of its values."""
        return members(pairs)


def member_name(key: Value) -> str:
    """A map's key as a member's name: `1` and `"1"` are two keys."""
    return key if isinstance(key, str) else f"({fingerprint(key)})"
