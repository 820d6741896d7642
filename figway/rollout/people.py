"""Who is another person: an approval has to come from one."""

from __future__ import annotations

import re

_KEY = re.compile(r" \([^()]*\)$")


def person_of(actor: str) -> str:
    """The person behind an actor, `name (key)`. Two keys of one name belong to one person: a
    second one must not approve what the first one asked for."""
    return _KEY.sub("", actor).strip().casefold()


def same_person(one: str, other: str) -> bool:
    """Whether two actors are one person; nobody is the same as nobody."""
    return bool(one) and person_of(one) == person_of(other)
