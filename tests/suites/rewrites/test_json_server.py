"""json-server 0.17.4 against 1.0.0-beta.3: another framework, another shape of pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.suites.rewrites.direct import Answer, ask, header_names
from tests.suites.rewrites.servers import json_server
from tests.suites.rewrites.told import judged_through_figway, others, told

ORIGIN = {"origin": "https://shop.example"}
DATA = {
    "posts": [{"id": str(n), "title": f"Post {n}", "views": 10 * n} for n in range(1, 8)],
    "comments": [{"id": str(n), "text": f"Comment {n}", "postId": "1"} for n in range(1, 6)],
    "profile": {"name": "maintainers"},
}
TARGETS = {
    "/posts": ("/posts", "/posts?_sort=views", "/posts?title=Post%203"),
    "/posts/{id}": ("/posts/1", "/posts/2"),
    "/comments": ("/comments?_page=1&_limit=2", "/comments?_page=2&_limit=2"),
    "/profile": ("/profile",),
    "/nothing/{id}": ("/nothing/1",),
}
EVERYWHERE = {
    "header:access-control-allow-credentials missing",
    "header:access-control-allow-headers added",
    "header:access-control-allow-methods added",
    "header:access-control-allow-origin changed",
    "header:cache-control missing",
    "header:expires missing",
    "header:pragma missing",
    "header:vary missing",
    "header:x-content-type-options missing",
    "header:x-powered-by changed",
}
"""What every answer of the two differs in, by Figway's names."""
EXPECTED = {
    "/posts": EVERYWHERE | {"header:etag missing"},
    "/posts/{id}": EVERYWHERE | {"header:etag missing"},
    "/profile": EVERYWHERE | {"header:etag missing"},
    "/comments": EVERYWHERE
    | {
        "header:etag missing",
        "header:access-control-expose-headers missing",
        "header:link missing",
        "header:x-total-count missing",
        # `_limit` means nothing to the new one: its pages are other ones.
        "$[*].id changed",
        "$[*].text changed",
    },
    # `{}` as JSON, `Not Found` as text; both have an ETag.
    "/nothing/{id}": EVERYWHERE | {"header:content-type changed", "$[*] changed"},
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The file that both serve."""
    path = tmp_path / "data.json"
    path.write_text(json.dumps(DATA))
    return path


async def test_every_difference_is_told_and_nothing_else(tmp_path: Path, data: Path) -> None:
    """The list of what differs holds when both are asked directly, and is what Figway tells."""
    async with (
        json_server("0.17.4", tmp_path / "old", data) as legacy,
        json_server("1.0.0-beta.3", tmp_path / "new", data) as new,
    ):
        await _check_directly(legacy, new)
        judged = await judged_through_figway(tmp_path / "state", legacy, new, TARGETS, **ORIGIN)
    assert {path: told(found) for path, found in judged.items()} == EXPECTED
    assert {path: others(found) for path, found in judged.items()} == {path: {} for path in TARGETS}
    assert all(found.match == 0 and found.new_failed == 0 for found in judged.values())


async def _check_directly(legacy: str, new: str) -> None:
    for path, targets in TARGETS.items():
        pairs = [
            (await ask(legacy, target, ORIGIN), await ask(new, target, ORIGIN))
            for target in targets
        ]
        assert all(one.status == other.status for one, other in pairs), path
        listed = {item.partition(" ")[0] for item in EXPECTED[path]}
        names = {f"header:{name}" for pair in pairs for name in header_names(*pair)}
        assert names == {item for item in listed if item.startswith("header:")}, path
        differs = any(_content(one) != _content(other) for one, other in pairs)
        assert differs == any(item.startswith("$") for item in listed), path


def _content(answer: Answer) -> object:
    """JSON as its values, as another spelling of them is no difference; all else as it is."""
    return answer.body if answer.json is None else answer.json
