"""What the endpoints of rules take and give: rules, overrules, and what a rule would change."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from control_plane.http.described import Described
from figway.model.comparison import NoiseWord, RuleKind

ScalarIn = Annotated[str, Field(max_length=4_096)] | int | float | bool | None


class RuleIn(Described, BaseModel, extra="forbid"):
    """A comparison rule to be written."""

    id: Annotated[str, Field(max_length=200)] = ""
    """Made from kind and target when empty."""
    kind: RuleKind = RuleKind.IGNORE
    target: Annotated[str, Field(min_length=1, max_length=600)]
    """`$.items[*].price`, `header:etag`, `set-cookie:sid;samesite` or `status`."""
    absolute: float = 0.0
    relative: float = 0.0
    seconds: float = 0.0
    key: Annotated[str, Field(max_length=200)] = ""
    pairs: Annotated[list[tuple[ScalarIn, ScalarIn]], Field(max_length=1_000)] = []
    pattern: Annotated[str, Field(max_length=1_000)] = ""
    note: Annotated[str, Field(max_length=500)] = ""


class OverruleIn(Described, BaseModel, extra="forbid"):
    """A person's word on a field, against what was learned."""

    field: Annotated[str, Field(min_length=1, max_length=2_200)]
    """A field's key, or a path for every difference there."""
    word: NoiseWord | None
    """Null takes the word back."""


class ComparedHeaderIn(Described, BaseModel, extra="forbid"):
    """A header of answers that is to be compared."""

    name: Annotated[str, Field(min_length=1, max_length=100)]


class PreviewIn(Described, BaseModel, extra="forbid"):
    """Rules to try on the stored examples."""

    add: Annotated[list[RuleIn], Field(max_length=50)] = []
    remove: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=500)] = []
    """Ids of rules that are left out."""
    limit: Annotated[int, Field(ge=1, le=1_000)] = 200
    """Newest examples to compare."""


class PreviewItem(Described, BaseModel):
    """An example whose verdict the rules would change."""

    example: str
    before: str
    after: str
    paths: list[str]
    """Where a difference comes to count, or no longer does."""


class PreviewField(Described, BaseModel):
    """A field that counts in other pairs than before."""

    field: str
    before: int
    after: int


class PreviewPlace(Described, BaseModel):
    """A place that differs, and that the added rules are about."""

    path: str
    excuses: str
    """What the rules would excuse there."""
    hides: bool
    """Legacy repeated its value there whenever it was asked again: a difference is no noise."""


class PreviewOut(Described, BaseModel):
    """What rules would do to the stored examples, each compared again with and without them."""

    route: str
    examples: int
    """Compared."""
    left_out: int
    """Not compared: the time was over, or they cannot be compared."""
    before: dict[str, int]
    after: dict[str, int]
    fields: list[PreviewField]
    items: list[PreviewItem]
    """The first 200."""
    places: list[PreviewPlace] = []
    """Where the added rules apply, that first which differs in most pairs; the first 50."""
