"""What a proxy keeps and reads: the last good table, the kill file, its settings."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from figway.model.backend import Backend
from figway.model.codec import table_hash, to_data
from figway.model.table import Table
from figway.model.words import Side
from proxy.kill.file import LOOK_MS, KillFile
from proxy.settings import SettingsError, load, reference
from proxy.tables.last_good import CorruptTable, LastGood, Stored


def stored() -> Stored:
    backend = Backend(id="legacy", side=Side.LEGACY, url="http://127.0.0.1:9")
    table = Table(default_backend="legacy", backends={"legacy": backend})
    return Stored(7, table_hash(table), table)


def test_the_last_good_table_comes_back_as_it_was(tmp_path: Path) -> None:
    files = LastGood(tmp_path / "state")
    assert files.load() is None
    files.save(stored())
    found = files.load()
    assert found is not None
    assert (found.revision, found.etag) == (7, stored().etag)
    assert dict(found.table.backends) == dict(stored().table.backends)
    assert [item.name for item in files.path.parent.iterdir()] == ["table.json"]


def test_of_the_next_table_only_what_changed_is_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flip among 100 000 routes must not cost a second, and what is read is the whole table."""
    files, encoded = LastGood(tmp_path), list[str]()

    def noted(value: object) -> object:
        encoded.append(getattr(value, "id", ""))
        return to_data(value)

    def kept(table: Table) -> Table:
        encoded.clear()
        files.save(Stored(1, table_hash(table), table))
        found = LastGood(tmp_path).load()
        assert found is not None
        assert found.etag == table_hash(table)
        return found.table

    monkeypatch.setattr("proxy.tables.last_good.to_data", noted)
    first = stored().table
    legacy = first.backends["legacy"]
    other = Backend(id="a", side=Side.LEGACY, url="http://127.0.0.1:8")
    assert dict(kept(first).backends) == {"legacy": legacy}
    two = replace(first, backends={"legacy": legacy, "a": other})
    assert dict(kept(two).backends) == two.backends
    assert encoded == ["", "a"]
    moved = replace(first, backends={"legacy": legacy, "a": replace(other, url="http://b:1")})
    assert dict(kept(moved).backends) == moved.backends
    assert encoded == ["", "a"]
    assert dict(kept(first).backends) == {"legacy": legacy}
    assert encoded == [""]


@pytest.mark.parametrize("cut", [1, 40, 120])
def test_a_file_that_was_cut_short_is_noticed(tmp_path: Path, cut: int) -> None:
    files = LastGood(tmp_path)
    files.save(stored())
    files.path.write_bytes(files.path.read_bytes()[:-cut])
    with pytest.raises(CorruptTable, match=r"table\.corrupt"):
        files.load()
    assert files.load() is None


def test_any_changed_byte_is_noticed(tmp_path: Path) -> None:
    files = LastGood(tmp_path)
    files.save(stored())
    content = files.path.read_bytes()
    for index in range(0, len(content), 7):
        files.path.write_bytes(content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :])
        with pytest.raises(CorruptTable):
            files.load()


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = LastGood(tmp_path)
    files.save(stored())
    before = files.path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("proxy.tables.last_good._write_synced", full)
    with pytest.raises(OSError, match="No space"):
        files.save(stored())
    assert files.path.read_bytes() == before


def test_the_kill_file_is_looked_for_well_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LOOK_MS <= 500
    kill = KillFile(tmp_path)
    assert not kill.look()
    kill.pull("why")
    assert kill.look()

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("os.stat", broken)
        assert kill.look(), "a failing disk does not let go of the switch"
    kill.release()
    assert not kill.look()


def test_every_setting_is_described() -> None:
    rows = reference()
    assert all(description for _, _, description in rows)
    assert {"FIGWAY_LEGACY_URL", "FIGWAY_CONTROL_KEY_FILE"} <= {name for name, _, _ in rows}


def test_mistakes_in_settings_are_one_line_each_and_show_no_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(
            {
                "FIGWAY_LEGACY_URL": "http://user:hidden@host",
                "FIGWAY_LISTEN": "8080",
                "FIGWAY_TRUSTED_PROXIES": "10.0.0.0/8,nowhere",
                "FIGWAY_LOG_SAMPLE": "2",
                "FIGWAY_DOOR": "side",
            }
        )
    assert [line.split(":")[0] for line in caught.value.lines] == [
        "FIGWAY_LEGACY_URL",
        "FIGWAY_LISTEN",
        "FIGWAY_DOOR",
        "FIGWAY_TRUSTED_PROXIES",
        "FIGWAY_LOG_SAMPLE",
    ]
    assert "hidden" not in str(caught.value)
    with pytest.raises(SettingsError, match="FIGWAY_CONTROL_KEY: missing"):
        load({"FIGWAY_CONTROL_URL": "http://127.0.0.1:1"})
    with pytest.raises(SettingsError, match="cannot read"):
        load({"FIGWAY_CONTROL_KEY_FILE": str(tmp_path / "none")})
    (tmp_path / "key").write_text("abc\n")
    found = load(
        {
            "FIGWAY_CONTROL_URL": "http://127.0.0.1:1",
            "FIGWAY_CONTROL_KEY_FILE": str(tmp_path / "key"),
        }
    )
    assert found.control_key.get_secret_value() == "abc"


def test_a_worker_loads_nothing_that_it_does_not_need() -> None:
    code = "import proxy.processes.worker, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    for name in ("httpx", "pydantic", "uvicorn", "opentelemetry", "fastapi", "sqlalchemy"):
        assert name not in loaded
