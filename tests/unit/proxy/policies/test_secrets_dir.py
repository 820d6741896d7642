"""Where a proxy looks for secrets that a table names as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.policies import credentials
from proxy.processes.child import environment
from proxy.settings import SettingsError, load, reference

BASE = {"FIGWAY_LEGACY_URL": "http://127.0.0.1:8000"}


def test_the_setting_is_what_workers_go_by(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load(BASE).secrets_dir == Path(credentials.DEFAULT_DIRECTORY)
    monkeypatch.setenv("FIGWAY_SECRETS_DIR", str(tmp_path))
    assert load({**BASE, "FIGWAY_SECRETS_DIR": str(tmp_path)}).secrets_dir == tmp_path
    assert environment()[credentials.DIRECTORY_VARIABLE] == str(tmp_path)
    (tmp_path / "new").write_text("secret\n")
    assert credentials.Secrets(environ=environment()).resolve(f"file:{tmp_path}/new") == "secret"


@pytest.mark.parametrize("directory", ["secrets", "./secrets", "/"])
def test_it_is_a_directory_of_its_own(directory: str) -> None:
    """The whole file system is no place for secrets alone."""
    with pytest.raises(SettingsError, match="FIGWAY_SECRETS_DIR: must be the whole path"):
        load({**BASE, "FIGWAY_SECRETS_DIR": directory})


def test_the_manual_names_it() -> None:
    rows = {variable: default for variable, default, _ in reference()}
    assert rows["FIGWAY_SECRETS_DIR"] == credentials.DEFAULT_DIRECTORY
