"""docker-compose.yml and the Dockerfile name only what exists; they cannot be run here."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from control_plane.cli.demo_containers import make_secrets
from control_plane.settings import Settings as ControlSettings
from proxy.settings import Settings as ProxySettings
from proxy.settings import reference

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = ROOT / "deploy" / "container" / "Dockerfile"
KNOWN = {
    "control": {f"FIGWAY_{name.upper()}" for name in ControlSettings.model_fields},
    "proxy": {variable for variable, _, _ in reference()},
}


def stages() -> dict[str, list[str]]:
    """The instructions of each target, with those of the targets that it is built on."""
    found: dict[str, list[str]] = {}
    name = ""
    text = DOCKERFILE.read_text(encoding="utf-8")
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("FROM "):
            base, _, name = line.removeprefix("FROM ").partition(" AS ")
            found[name] = list(found.get(base, []))
        elif name and line.strip() and not line.startswith("#"):
            found[name].append(line.strip())
    return found


STAGES = stages()
BUILT = {name: service for name, service in SERVICES.items() if "build" in service}


@pytest.mark.parametrize("name", BUILT)
def test_what_a_service_is_built_from_exists(name: str) -> None:
    """File and target."""
    build = BUILT[name]["build"]
    assert (ROOT / build["context"] / build["dockerfile"]).resolve() == DOCKERFILE
    assert build["target"] in STAGES


@pytest.mark.parametrize("name", ["control", "proxy"])
def test_every_variable_is_a_setting(name: str) -> None:
    """Variables of the compose file and of the image, and their values are accepted."""
    given = dict(SERVICES[name]["environment"])
    image = dict(re.findall(r"(FIGWAY_\w+)=(\S+)", "\n".join(STAGES[name])))
    assert set(given) | set(image) <= KNOWN[name]
    values = {
        variable.removeprefix("FIGWAY_").lower(): value
        for variable, value in {**image, **given}.items()
        if "${" not in value
    }
    if name == "control":
        ControlSettings(**values).check_listener()
    else:
        ProxySettings.model_validate({"control_key": "fgw_x", **values})


def listens(service: str) -> str:
    """The port of a service, by its settings or command."""
    given = SERVICES[service].get("environment", {})
    image = dict(re.findall(r"(FIGWAY_\w+)=(\S+)", "\n".join(STAGES.get(service, []))))
    found = {**image, **given}
    for variable in ("FIGWAY_ADMIN_LISTEN", "FIGWAY_LISTEN"):
        if service in ("control", "proxy") and variable in found:
            return str(found[variable]).rpartition(":")[2]
    command = SERVICES[service].get("command", [])
    return str(command[command.index("--port") + 1]) if "--port" in command else "5432"


def test_every_address_is_that_of_a_service() -> None:
    """URLs name a service, and the port that it listens on."""
    for name, service in SERVICES.items():
        text = yaml.safe_dump({key: service.get(key) for key in ("environment", "command")})
        for host, port in re.findall(r"https?://([a-z]+):(\d+)", text):
            assert host in SERVICES, f"{name} names {host}"
            assert port == listens(host), f"{name} looks for {host} at {port}"
        for host in re.findall(r"postgresql://[^@]*@([a-z]+)/", text):
            assert SERVICES[host]["image"].startswith("postgres:")
        for other in service.get("depends_on", ()):
            assert other in SERVICES


@pytest.mark.parametrize("name", BUILT)
def test_published_and_exposed_ports_are_listened_on(name: str) -> None:
    """Ports of the compose file, and EXPOSE of the image."""
    service = SERVICES[name]
    ports = [str(port).rpartition(":")[2] for port in service.get("ports", ())]
    for port in [*ports, *service.get("expose", ())]:
        assert port == listens(name)
    target = service["build"]["target"]
    exposed = {p for line in STAGES[target] if line.startswith("EXPOSE") for p in line.split()[1:]}
    assert set(ports) <= exposed | {listens(name)}


def test_only_the_facade_is_published_beyond_loopback() -> None:
    """trap 55: the admin API is not shown to a network."""
    for name, service in SERVICES.items():
        for port in service.get("ports", ()):
            assert name == "proxy" or str(port).startswith("127.0.0.1:")


@pytest.mark.parametrize("name", ["legacy", "functions"])
def test_commands_take_their_options(name: str) -> None:
    """The module exists, and its help names every option that the command gives."""
    python, flag, module, *options = SERVICES[name]["command"]
    assert (python, flag) == ("python", "-m")
    said = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    for option in options:
        assert not option.startswith("--") or option in said


@pytest.mark.parametrize("target", STAGES)
def test_an_image_copies_what_exists_and_starts_what_it_copied(target: str) -> None:
    """COPY names files of the project; CMD names a module that was copied."""
    copied = []
    for line in STAGES[target]:
        if line.startswith("COPY --from="):
            stage = line.split()[1].removeprefix("--from=")
            copied += [name for made in STAGES[stage] for name in made.split()[1:-1]]
        elif line.startswith("COPY "):
            *sources, _ = line.split()[1:]
            for source in sources:
                assert (ROOT / source).exists(), line
                copied.append(source)
        if line.startswith("CMD "):
            command = yaml.safe_load(line.removeprefix("CMD "))
            assert command[:2] == ["python", "-m"]
            assert command[2] in copied
            assert importlib.util.find_spec(f"{command[2]}.__main__")


def pins(name: str) -> dict[str, str]:
    """Package and version of a lock file."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9.\[\]_-]+)==(\S+)", text, flags=re.M))


def test_the_proxys_lock_is_a_part_of_the_whole_one() -> None:
    """The same versions with hashes, and nothing of the control plane."""
    part, whole = pins("proxy"), pins("runtime")
    assert part.items() <= whole.items()
    assert not part.keys() & {"fastapi", "sqlalchemy", "alembic", "uvicorn", "typer", "jinja2"}
    assert {"httptools", "httpx", "orjson", "pydantic-settings", "uvloop", "xxhash"} <= part.keys()
    text = (ROOT / "requirements" / "proxy.lock").read_text(encoding="utf-8")
    assert text.count("--hash=sha256:") >= len(part)


def test_every_volume_and_mounted_file_exists() -> None:
    """Named volumes are declared, and folders of the project are there."""
    sources = [
        str(volume).partition(":")[0] for s in SERVICES.values() for volume in s.get("volumes", ())
    ]
    assert set(COMPOSE["volumes"]) == {name for name in sources if not name.startswith("./")}
    for name in sources:
        assert not name.startswith("./") or (ROOT / name).exists(), name


def test_it_starts_without_a_variable() -> None:
    """use 14: no key, no password to be made up first; a password with `@` broke the URL."""
    assert "${" not in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in BUILT if name != "secrets"])
def test_who_is_waited_for_says_when_it_is_ready(name: str) -> None:
    """use 14: health checks: a start waits for what it needs, not for a process that began."""
    for other, how in SERVICES[name].get("depends_on", {}).items():
        condition = how["condition"]
        assert condition != "service_healthy" or "healthcheck" in SERVICES[other], other
        assert condition == "service_healthy" or other == "secrets"


@pytest.mark.parametrize("name", ["secrets", "visitors"])
def test_parts_of_the_demo_take_their_options(name: str) -> None:
    """use 14: routes and visitors, as in `figway demo`."""
    python, flag, module, part, *options = SERVICES[name]["command"]
    assert (python, flag) == ("python", "-m")
    said = subprocess.run(
        [sys.executable, "-m", module, part, "--help"], cwd=ROOT, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    for option in options:
        assert not option.startswith("--") or option in said


def test_secrets_fit_together(tmp_path: Path) -> None:
    """use 14: made once, and never changed: the database keeps its first password."""
    make_secrets(tmp_path)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert set(made) == {"admin.key", "proxy.key", "database.password", "database.url"}
    assert made["database.password"].strip() in made["database.url"]
    assert made["database.url"] == quote(made["database.url"].strip(), safe=":/@-_") + "\n"
    assert made["admin.key"] != made["proxy.key"]
    make_secrets(tmp_path)
    assert made == {path.name: path.read_text() for path in tmp_path.iterdir()}
    settings = ControlSettings(
        database_url_file=tmp_path / "database.url",
        bootstrap_admin_key_file=tmp_path / "admin.key",
    )
    assert settings.given_database_url() == made["database.url"].strip()
    assert settings.given_key("admin") == made["admin.key"].strip()
