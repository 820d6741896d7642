"""A control plane in Lambda finds its secrets by reference."""

from __future__ import annotations

import pytest

from control_plane.serverless import with_secrets
from control_plane.settings import SettingsError
from tests.support.serverless.cloud import cloud

URL = "postgresql://figway:s3cret@db.example/figway"


def test_secrets_come_from_secrets_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """S7: keys and the database's password were plain variables of the function."""
    with cloud() as aws:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        made = aws.secrets.create_secret(Name="figway/database", SecretString=f"{URL}\n")["ARN"]
        aws.secrets.create_secret(Name="figway/proxy", SecretString="fgw_abc_def")
        settings = with_secrets(
            {
                "FIGWAY_DATABASE_URL_SECRET": made,
                "FIGWAY_BOOTSTRAP_PROXY_KEY_SECRET": "figway/proxy",
            }
        )
        assert settings.given_database_url() == URL
        assert settings.given_key("proxy") == "fgw_abc_def"
        assert settings.given_key("admin") == ""
        with pytest.raises(SettingsError, match="FIGWAY_DATABASE_URL_SECRET=gone cannot be read"):
            with_secrets({"FIGWAY_DATABASE_URL_SECRET": "gone"})
