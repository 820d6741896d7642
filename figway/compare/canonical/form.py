"""Form bodies (application/x-www-form-urlencoded) and query strings as an object of strings."""

from __future__ import annotations

from urllib.parse import parse_qsl

from figway.compare.canonical.json import NotThisFormat, Value

MOST_FIELDS = 10_000


def parse_form(text: str) -> Value:
    """Fields by name; one that occurs again becomes an array, in the order sent.

    Raises:
        NotThisFormat: more than 10 000 fields.
    """
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="surrogateescape", max_num_fields=MOST_FIELDS
        )
    except ValueError as error:
        raise NotThisFormat(f"not a form: {error}") from error
    fields: dict[str, list[Value]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}
