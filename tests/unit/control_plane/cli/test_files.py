"""Files of YAML that are none, and values that there cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from control_plane.cli.errors import CliError, Exit
from control_plane.cli.files import read_yaml
from control_plane.http.problems import ApiProblem
from control_plane.tables import documents
from figway.model.table import Table

NONSENSE = ["[", "a: *gone", "a: 2027-02-29T00:00:00Z", "a: !!timestamp x", "a: !!bool x",
            'a: !!int ""', "a: !!int x", "{{a}: b}: c", "a: !!python/object x",
            "a: " + "[" * 3_000, "a: \x00"]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE, ids=lambda text: text[:20])
def test_what_cannot_be_read_is_told_with_the_file(tmp_path: Path, text: str) -> None:
    """29 February of a year that has none was a traceback, and `!!bool x` answered 500."""
    path = tmp_path / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CliError, match=r"rules\.yaml cannot be read") as told:
        read_yaml(path, "Look there.")
    assert (told.value.code, told.value.hint) == (Exit.USAGE, "Look there.")
    with pytest.raises(ApiProblem) as problem:
        documents.read(text.encode(), "application/yaml", Table())
    assert problem.value.status == 422


def test_what_is_no_text_or_not_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.yaml"):
        with pytest.raises(CliError, match="cannot be read"):
            read_yaml(path)
    (tmp_path / "b").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CliError, match="cannot be read"):
        read_yaml(tmp_path / "b")
