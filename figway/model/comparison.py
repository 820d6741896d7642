"""What of a route is copied to the other side, how answers are compared, and what of them is
kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from figway.model.words import WEIGHT_SCALE, HtmlView, Strict


class RuleKind(StrEnum):
    """What a comparison rule permits at its target; `figway.compare.rules` says how."""

    IGNORE = "ignore"
    NUMBER_TOLERANCE = "number_tolerance"
    TIME_TOLERANCE = "time_tolerance"
    UNORDERED = "unordered"
    KEYED_ARRAY = "keyed_array"
    CASE = "case"
    MAP_VALUE = "map_value"
    PATTERN = "pattern"
    NOTATION = "notation"
    NULL_ABSENT = "null_absent"
    EMPTY_NULL = "empty_null"
    NAME_STYLE = "name_style"
    REFERENCE = "reference"


class NullEquals(StrEnum):
    """What null stands for anywhere in the answers of a route."""

    ABSENT = "absent"
    """A member that is null equals one that is not there."""
    EMPTY = "empty"
    """Null equals an empty text, array or object."""


class NoiseWord(StrEnum):
    """A person's word on a field: differences there are noise, or they are not."""

    NOISE = "noise"
    SIGNAL = "signal"


class LegacyReads(StrEnum):
    """When a user's read may be sent to legacy once more, to tell noise from differences."""

    CACHEABLE = "cacheable"
    """Where legacy itself marks its answer as storable or gives a validator, without cookies."""
    ALLOWED = "allowed"
    """A person says that legacy bears it: reads of this route change nothing, and cost little."""
    NEVER = "never"
    """Not at all: natural repeats and forms have to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowPolicy(Strict):
    """What is copied to the side that did not serve."""

    sample: int = WEIGHT_SCALE
    """Share of requests copied, in basis points, by a salted bucket of the request."""
    from_new: bool = False
    """In stage canary and new, also copy what new served back to legacy."""
    dry_run: str = ""
    """Written contract under which unsafe methods may be copied; names how the side is told."""
    body_limit: int = 262_144
    """A larger request or response body is skipped, and counted."""
    event_streams: bool = False
    """Also compare streams of server-sent events. Of one that its client leaves, or that grows over
    `body_limit`, what came until then is compared; the copy is followed for as many events."""
    unsafe_get: bool = False
    """A GET of this route changes something: never copy it."""
    legacy_reads: LegacyReads = LegacyReads.CACHEABLE
    """When legacy may be asked again. Never for polls, streams, upgrades, one-time links and
    answers that set cookies."""


Scalar = str | int | float | bool | None
"""A JSON value that is neither an array nor an object."""


@dataclass(frozen=True, slots=True)
class ComparisonRule(Strict):
    """What may differ at one place, as plain data: `figway.compare.rules` checks and compiles it.

    Parameters of other kinds than its own stay at their defaults.
    """

    id: str
    """Name, unique among the rules of its route."""
    kind: RuleKind
    target: str
    """`$.items[*].price`, `$.items[?@.type == "gift"].price`, `header:cache-control;max-age`,
    `set-cookie:sid;samesite`, `status`."""
    absolute: float = 0.0
    """number_tolerance: how far apart two numbers may be."""
    relative: float = 0.0
    """number_tolerance: the same as a share of the larger one, 0.01 for 1 %."""
    seconds: float = 0.0
    """time_tolerance: how far apart two moments may be."""
    key: str = ""
    """keyed_array: the member that names an element. reference: the path of what is referred to,
    `$.customers[*].id`."""
    pairs: tuple[tuple[Scalar, Scalar], ...] = ()
    """map_value: (legacy's value, the value that new may have instead)."""
    pattern: str = ""
    """pattern: RE2; what it matches, on either side, is equal. time_tolerance: RE2 of how both
    moments must be written; empty for any way."""
    note: str = ""
    """Why it is there, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseOverrule(Strict):
    """A person's word against what was learned about one field."""

    field: str
    """The field's key, `$.items[*].price|changed`, or a path, for every difference there."""
    word: NoiseWord


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonPolicy(Strict):
    """How the two answers of a route are compared, and what of them may be kept."""

    rules: tuple[ComparisonRule, ...] = ()
    headers: tuple[str, ...] = ()
    """Headers compared besides those that always are; lower case."""
    html: tuple[HtmlView, ...] = ()
    """Compare only these views of pages, where new has other markup; whole pages when empty."""
    null_equals: tuple[NullEquals, ...] = ()
    """What null equals everywhere in a body; nothing but null when empty. A rule of kind
    `null_absent` or `empty_null` says so for one place."""
    compare: str = ""
    """Own code that reads the bodies, `module:function`: a comparison plugin. It runs only in
    shadow workers that were started with this name in `FIGWAY_COMPARE_PLUGINS`."""
    noise_sample: int = 200
    """Share of shadowed safe reads that legacy is asked twice, in basis points."""
    noise_overrules: tuple[NoiseOverrule, ...] = ()
    redact_names: tuple[str, ...] = ()
    """Fields, parameters and headers that are secret besides the built-in ones."""
    redact_patterns: tuple[str, ...] = ()
    """RE2; what matches is hidden in any text."""
    redact_allow: tuple[str, ...] = ()
    """When set, only values under these names are kept, and everything else is hashed."""


PLAIN_COMPARISON = ComparisonPolicy()
"""Without rules: what a route has that says nothing. One object, as most routes share it."""
