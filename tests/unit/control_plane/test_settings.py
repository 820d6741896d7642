"""What a control plane refuses to start with: each setting, with a line that names it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from control_plane.db.engine import database_url
from control_plane.settings import Settings, SettingsError

NUMBERS = [
    name
    for name, field in Settings.model_fields.items()
    if field.annotation in (int, float) and field.default is not None
]


@pytest.mark.parametrize("value", ["inf", "nan", "1e999", "9" * 400, "-1", " ", "many", "0x10"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_cannot_be_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B1: with `FIGWAY_POLL_SECONDS=inf` nothing of another control plane was heard, the kill
    switch among it; `FIGWAY_LIVE_SECONDS=inf` ended in a traceback."""
    variable = f"FIGWAY_{name.upper()}"
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert name in str(caught.value.errors()[0]["loc"][0]).lower()


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_an_empty_variable_is_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the proxy: `FIGWAY_X: ${X:-}` of a compose file sets it to nothing."""
    default = getattr(Settings(), name)
    monkeypatch.setenv(f"FIGWAY_{name.upper()}", "")
    assert getattr(Settings(), name) == default


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://h\r\nX: y", "postgresql://a:b", "nowhere", "oracle://a/b"]
)
def test_a_database_url_that_is_none(url: str) -> None:
    with pytest.raises(SettingsError, match="FIGWAY_DATABASE_URL"):
        database_url(Settings(database_url=url))
