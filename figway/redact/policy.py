"""What a route adds to the built-in redaction. Nothing here can take from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from figway.compare.patterns import PatternError, check_pattern
from figway.redact.names import is_secret_name, plain_name

MOST_ENTRIES = 200


class PolicyError(ValueError):
    """A policy that makes no sense; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class RedactionPolicy:
    """Names and patterns that are secret besides the built-in ones; or an allowlist.

    Raises:
        PolicyError: for a wrong pattern or an allowlist that names a secret.
    """

    names: tuple[str, ...] = ()
    """Fields, parameters and headers, compared without case, `-` and `_`."""
    patterns: tuple[str, ...] = ()
    """RE2; what matches is hidden in any text."""
    allow: tuple[str, ...] | None = None
    """When set, only values under these names are kept: everything else is hashed."""
    _names: frozenset[str] = field(default=frozenset(), init=False, repr=False, compare=False)
    _allow: frozenset[str] = field(default=frozenset(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if max(len(self.names), len(self.patterns), len(self.allow or ())) > MOST_ENTRIES:
            raise PolicyError(f"a redaction policy has at most {MOST_ENTRIES} entries of a kind")
        for pattern in self.patterns:
            try:
                check_pattern(pattern)
            except PatternError as error:
                raise PolicyError(str(error)) from error
        for name in self.allow or ():
            if is_secret_name(name):
                raise PolicyError(f"{name!r} is secret by its name and cannot be allowed")
        object.__setattr__(self, "_names", frozenset(map(plain_name, self.names)))
        object.__setattr__(self, "_allow", frozenset(map(plain_name, self.allow or ())))

    def hides(self, name: str) -> bool:
        """Whether a value under this name is secret."""
        return is_secret_name(name) or (bool(self._names) and plain_name(name) in self._names)

    def keeps(self, name: str) -> bool:
        """Whether an unsuspicious value under this name may be kept."""
        return self.allow is None or plain_name(name) in self._allow

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        data: dict[str, Any] = {"names": list(self.names), "patterns": list(self.patterns)}
        if self.allow is not None:
            data["allow"] = list(self.allow)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RedactionPolicy:
        """Read the JSON form.

        Raises:
            PolicyError: also for unknown members.
        """
        if unknown := sorted(set(data) - {"names", "patterns", "allow"}):
            raise PolicyError(f"a redaction policy has no {', '.join(unknown)}")
        lists: dict[str, tuple[str, ...]] = {}
        for name, value in data.items():
            if value is None and name == "allow":
                continue
            if not isinstance(value, list | tuple) or not all(isinstance(x, str) for x in value):
                raise PolicyError(f"{name} is a list of strings")
            lists[name] = tuple(value)
        return cls(**lists)
