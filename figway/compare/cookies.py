"""Set-Cookie as a name, a token and attributes (RFC 6265 section 5.2, and what browsers added
since).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SetCookie:
    """One Set-Cookie. Attribute names are lower-case; an attribute without a value has the empty
    one.
    """

    name: str
    value: str
    attributes: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, header: str) -> SetCookie:
        """Read one field value as a user agent would: nothing is refused."""
        pair, *rest = header.split(";")
        name, equals, value = pair.partition("=")
        if not equals:
            name, value = "", pair
        attributes: dict[str, str] = {}
        for part in rest:
            key, _, setting = part.partition("=")
            if key.strip():
                # The last of two attributes of one name counts (section 5.3).
                attributes[key.strip().lower()] = setting.strip()
        return cls(name.strip(), value.strip(), tuple(attributes.items()))


def describe_token(value: str) -> str:
    """What may be shown of a cookie's value, which is a credential as often as not: its size."""
    return f"a token of {len(value)} characters" if value else "empty"
