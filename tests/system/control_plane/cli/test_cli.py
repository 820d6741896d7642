"""Every command of `figway`, typed as the manual says, against real processes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests
import typer
import yaml

from control_plane.cli.errors import Exit
from control_plane.cli.main import app
from figway.message.force import verify
from tests.support.installation import Installation, Ran

_UNDO = re.compile(r"^Undo: figway (.+)$", re.MULTILINE)


def undo(figway: Installation, printed: str) -> str:
    """Type the undo that a change printed."""
    found = _UNDO.search(printed)
    assert found, printed
    return figway.ok(*found.group(1).split(), "--yes", "--wait")


def table(figway: Installation) -> Any:
    """The whole table, but for where evidence begins: a change and its undo each begin anew."""
    found = yaml.safe_load(figway.ok("export"))
    for item in found.get("routes", ()):
        item.pop("evidence_since", None)
    return found


def ensure(figway: Installation, *commands: str) -> None:
    """Run commands that prepare something, unless they have been run."""
    for words in commands:
        if words not in figway.done:
            figway.done.add(words)
            figway.ok(*words.split())


def route(figway: Installation, name: str, more: str = "") -> None:
    """Make a route /NAME/{id}, unless it is there."""
    ensure(figway, f"routes set {name} --path /{name}/{{id}} --new fn --wait {more}")


def one_line(ran: Ran, code: Exit, *words: str) -> None:
    """A refusal: this exit code, one line that holds `words`, at most one hint, no traceback."""
    assert ran.code == code, ran
    assert "Traceback" not in ran.err, ran
    first, *hint = ran.err.splitlines()
    assert first.startswith("error: "), ran
    assert len(hint) <= 1, ran
    assert all(line.startswith("  ") for line in hint), ran
    for word in words:
        assert word in ran.err, ran


def test_a_route_moves_and_comes_back(figway: Installation) -> None:
    """Flip, weight, shadow and undo move real requests; each change prints its undo."""
    route(figway, "moves")
    assert figway.side("/moves/1") == "legacy"
    said = figway.ok("flip", "moves", "new", "--yes", "--wait", "--reason", "because")
    assert "1 of 1 proxy on revision" in said
    assert figway.side("/moves/1") == "new"
    undo(figway, said)
    assert figway.side("/moves/1") == "legacy"
    said = figway.ok("weight", "moves", "100%", "--yes", "--wait")
    assert figway.side("/moves/1") == "new"
    undo(figway, said)
    assert figway.side("/moves/1") == "legacy"
    said = figway.ok("shadow", "moves", "--sample", "10%", "--wait")
    assert json.loads(figway.ok("routes", "show", "moves", "-o", "json"))["stage"] == "shadow"
    undo(figway, said)
    assert json.loads(figway.ok("routes", "show", "moves", "-o", "json"))["stage"] == "legacy"
    assert "because" in figway.ok("audit", "--limit", "20")


@pytest.mark.parametrize(
    "change",
    [
        "backends set fn --description elsewhere",
        "backends rm spare",
        "capabilities set journey --sticky cookie:sid --sticky client_address",
        "capabilities rm lonely",
        "capabilities flip trip new --yes",
        "routes set kept --description changed --method get --header x-a=1 --set weight=5",
        "routes rm kept",
        "breaker kept open",
        "restore 2",
        "ignore add kept $.id --note changes",
    ],
)
def test_every_change_prints_an_undo_that_works(figway: Installation, change: str) -> None:
    """The table after the undo is the one before, for every kind of change."""
    ensure(figway, "backends set spare --side new --url http://127.0.0.1:9")
    ensure(figway, "capabilities set lonely", "capabilities set trip")
    route(figway, "kept")
    route(figway, "journeys", "--capability trip")
    before = table(figway)
    said = figway.ok(*change.split())
    assert table(figway) != before
    undo(figway, said)
    assert table(figway) == before


def test_a_queue_is_set_read_and_changed(figway: Installation) -> None:
    """The options, `--set` beside them, one field later; the list says where it is."""
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/exports.fifo"
    figway.ok(
        "backends", "set", "exports", "--side", "new", "--queue", url,
        "--location", "/exports/{id}", "--set", "aws.with_credentials=true", "--retry-after", "5",
    )  # fmt: skip
    figway.ok("backends", "set", "exports", "--group-by", "header:X-Account")
    aws = json.loads(figway.ok("backends", "show", "exports", "-o", "json"))["aws"]
    assert (aws["resource"], aws["location"], aws["retry_after_s"]) == (url, "/exports/{id}", 5)
    assert (aws["with_credentials"], aws["group_by"]) == (True, "header:X-Account")
    assert url in figway.ok("backends", "list", "-o", "json")
    assert "queue" in figway.ok("backends", "list")


def test_a_stream_in_redis_is_set_and_changed(figway: Installation) -> None:
    """The URL says that the queue is in Redis; the password is a reference."""
    url = "redis://redis.internal:6379/0"
    secret = "stream.password=env:FIGWAY_SECRET_REDIS"
    figway.ok(
        "backends", "set", "jobs", "--side", "new", "--queue", url, "--stream", "jobs",
        "--location", "/jobs/{id}", "--set", secret,
    )  # fmt: skip
    figway.ok("backends", "set", "jobs", "--set", "stream.max_length=1000")
    item = json.loads(figway.ok("backends", "show", "jobs", "-o", "json"))
    assert (item["kind"], item["url"], item["aws"]["resource"]) == ("queue", url, "")
    assert (item["stream"]["name"], item["stream"]["max_length"]) == ("jobs", 1_000)
    assert item["stream"]["password"] == "env:FIGWAY_SECRET_REDIS"
    assert f"{url} stream jobs" in figway.ok("backends", "list")


def test_the_kill_switch_takes_everything_to_legacy(figway: Installation) -> None:
    """On and off for the fleet, each naming the other as its undo."""
    route(figway, "killed")
    figway.ok("flip", "killed", "new", "--yes", "--wait")
    assert "Undo: figway kill off" in figway.ok("kill", "on")
    assert figway.side("/killed/1") == "legacy"
    assert "on for the fleet" in figway.ok("kill", "status")
    assert "Undo: figway kill on" in figway.ok("kill", "off")
    assert figway.side("/killed/1") == "new"
    on = figway.ok("kill", "on", "--local", "--state", str(figway.state), "--reason", "night")
    assert "Undo: figway kill off --local" in on
    assert (figway.state / "proxy" / "kill").read_text() == "night\n"
    assert "by the file" in figway.ok("kill", "status", "--state", str(figway.state))
    figway.ok("kill", "off", "--local", "--state", str(figway.state))
    assert not (figway.state / "proxy" / "kill").exists()


def test_a_table_makes_the_round_trip_through_a_file(figway: Installation, tmp_path: Path) -> None:
    """Export, validate, diff and apply agree; applied twice, nothing changes the second time."""
    route(figway, "exported")
    file = tmp_path / "table.yaml"
    file.write_text(figway.ok("export"))
    assert "No difference" in figway.ok("diff", str(file))
    assert "No difference" in figway.ok("apply", str(file))
    assert "would change 0 fields" in figway.ok("validate", str(file))
    file.write_text(file.read_text().replace("/exported/{id}", "/exported/{number}"))
    assert "/exported/{number}" in figway.ok("diff", str(file))
    assert "/exported/{number}" in figway.ok("apply", str(file), "--dry-run")
    assert "/exported/{id}" in figway.ok("export")
    one_line(figway.run("apply", str(file)), Exit.USAGE, "--yes")
    said = figway.ok("apply", str(file), "--yes", "--wait")
    assert "Undo: figway undo" in said
    assert "/exported/{number}" in figway.ok("export")
    assert "No difference" in figway.ok("apply", str(file), "--yes")
    assert "No difference" in figway.ok("apply", "-", "--yes", stdin=file.read_text())
    undo(figway, said)
    assert "/exported/{id}" in figway.ok("export")
    as_json = tmp_path / "table.json"
    as_json.write_text(figway.ok("export", "-o", "json"))
    assert "No difference" in figway.ok("apply", str(as_json), "--yes")
    assert "/exported/" not in figway.ok("export", "--revision", "1")


READS = [
    "get", "get --minutes 5", "routes list", "routes list read --stage legacy", "routes show read",
    "backends list", "backends show fn", "capabilities list", "capabilities show seen",
    "revisions", "revisions 1", "diff 1", "diff 1 2", "explain /read/1 -H x-a:b --if-weight 25%",
    "explain http://shop.example/read/1 -X POST --revision 2", "fleet", "traffic", "traffic read",
    "events", "audit", "keys list", "compare top", "compare top read", "compare examples read",
    "ignore list read",
]  # fmt: skip


@pytest.mark.parametrize("words", READS)
def test_what_reads_prints_tables_json_and_yaml(figway: Installation, words: str) -> None:
    """Every form says something; piped output holds no colours, no boxes and no redraws."""
    ensure(figway, "capabilities set seen")
    route(figway, "read", "--capability seen")
    assert figway.side("/read/1") == "legacy"
    plain = figway.ok(*words.split())
    assert plain.strip()
    assert "\x1b" not in plain
    assert not set(plain) & set("│╭╰━┃")
    found = json.loads(figway.ok(*words.split(), "-o", "json"))
    if words in ("get", "fleet", "revisions 1"):
        assert type(yaml.safe_load(figway.ok("-o", "yaml", *words.split()))) is type(found)


def test_a_change_can_be_read_by_a_program(figway: Installation) -> None:
    """-o json gives the revision, the changes, the undo, and whether all proxies serve it."""
    route(figway, "programmed")
    found = json.loads(figway.ok("weight", "programmed", "25%", "--yes", "--wait", "-o", "json"))
    assert found["applied"] is True
    assert found["changed"] is True
    assert found["undo"]["cli"] == f"figway undo {found['revision']}"
    again = json.loads(figway.ok("weight", "programmed", "25%", "--yes", "-o", "json"))
    assert again["changed"] is False


def test_keys_are_made_used_and_revoked(figway: Installation) -> None:
    """A viewer reads and changes nothing; a revoked key and a wrong one open nothing."""
    key = figway.ok("keys", "create", "ann", "--role", "viewer").splitlines()[0]
    assert figway.run("get", key=key).code == 0
    one_line(figway.run("undo", key=key), Exit.FORBIDDEN, "role")
    said = figway.ok("keys", "revoke", key.split("_")[1])
    assert "for good" in said
    one_line(figway.run("get", key=key), Exit.FORBIDDEN, "revoked", "FIGWAY_ADMIN_KEY")
    assert re.fullmatch(r"fgw_\w+_\w+\n", figway.ok("keys", "generate"))


def test_a_lost_admin_key_is_replaced_in_the_database(figway: Installation) -> None:
    """With the file at hand nobody is locked out; a mistyped path makes no database."""
    database = figway.state / "control" / "figway.sqlite3"
    words = ("keys", "create", "me", "--role", "admin", "--database")
    made = figway.run(*words, f"sqlite:///{database}", key="")
    assert made.code == 0, made
    assert figway.run("keys", "list", key=made.out.splitlines()[0]).code == 0
    one_line(figway.run(*words, f"sqlite:///{database}x", key=""), Exit.FAILED, "no database file")
    assert not database.with_name("figway.sqlite3x").exists()


def test_a_key_may_come_from_a_file_that_is_typed(figway: Installation, tmp_path: Path) -> None:
    """What is typed counts for more than the environment."""
    file = tmp_path / "key"
    file.write_text(figway.key + "\n")
    assert figway.run("get", "--key-file", str(file), key="").code == 0
    assert figway.run("--key-file", str(file), "get", key="fgw_wrong_00").code == 0
    one_line(figway.run("get", "--key-file", "/nowhere"), Exit.FORBIDDEN, "cannot be read")


def test_a_tester_is_forced_to_a_side(figway: Installation, tmp_path: Path) -> None:
    """The token verifies with the secret; without a secret there is none."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    found = json.loads(figway.ok("force", "new", "--secret-file", str(secret), "-o", "json"))
    assert verify(found["token"].encode(), found["expires"] - 1, b"s3cret") == "new"
    assert verify(found["token"].encode(), found["expires"] + 1, b"s3cret") is None
    plain = figway.run("force", "legacy", "--hours", "1", FIGWAY_FORCE_SECRET="s3cret")
    assert "Figway-Side: legacy." in plain.out
    one_line(figway.run("force", "new"), Exit.USAGE, "no secret", "FIGWAY_FORCE_SECRET")
    one_line(figway.run("force", "new", "--secret-file", "/nowhere"), Exit.USAGE, "cannot be read")


def test_shells_are_taught(figway: Installation) -> None:
    """A script for each shell, and what it calls completes commands."""
    for shell in ("bash", "zsh", "fish"):
        assert "_FIGWAY_COMPLETE" in figway.ok("completion", shell)
    found = figway.run(_FIGWAY_COMPLETE="complete_bash", COMP_WORDS="figway ki", COMP_CWORD="1")
    assert found.out.split() == ["kill"], found
    one_line(figway.run("completion", SHELL="/bin/csh"), Exit.USAGE, "bash")


def test_help_says_what_a_command_is_for() -> None:
    """Every command, argument and option has a help text."""

    def walk(command: Any, path: str) -> None:
        assert command.help, path
        for parameter in command.params:
            text = getattr(parameter, "help", None)
            assert text or parameter.name in ("help", "side_by_side"), f"{path} {parameter.name}"
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, f"{path} {name}")

    walk(typer.main.get_command(app), "figway")


WRONG = [
    ("flip nowhere new", Exit.NOT_FOUND, "there is no route 'nowhere'"),
    ("backends show nowhere", Exit.NOT_FOUND, "nowhere"),
    ("revisions 99999", Exit.NOT_FOUND, "99999"),
    ("routes set a --path /a --new nobody", Exit.REFUSED, "there is no backend 'nobody'"),
    ("routes set tie --path /tied/{other} --new fn", Exit.REFUSED, "tied and tie"),
    ("routes set a --path /a/{id --new fn", Exit.REFUSED, "template_invalid"),
    ("routes set a --path /a --new fn --set weight=20000", Exit.REFUSED, "weight_range"),
    ("routes set a --path /a --new fn --set nonsense=1", Exit.REFUSED, "nonsense"),
    ("routes set a --new fn", Exit.USAGE, "--path"),
    ("routes set a --path /a --new fn --set weight", Exit.USAGE, "--set name"),
    ("backends set b --side new", Exit.USAGE, "--url"),
    ("backends set b --side new --url nonsense", Exit.REFUSED, "url"),
    ("backends rm legacy", Exit.REFUSED, "legacy"),
    ("backends set b --side new --queue q --function f", Exit.USAGE, "name one of --url"),
    ("backends set b --side new --queue nonsense", Exit.REFUSED, "url"),
    ("backends set b --side new --queue redis://h", Exit.REFUSED, "set stream.name"),
    ("backends set b --side legacy --events shop", Exit.REFUSED, "handed_on_legacy"),
    ("backends set b --side new --workflow nonsense", Exit.REFUSED, "resource_invalid"),
    ("weight tied 200", Exit.USAGE, "from 0% to 100%"),
    ("weight tied 200%", Exit.USAGE, "'200%' is not a share"),
    ("weight tied much", Exit.USAGE, "'much' is not a share"),
    ("flip tied new", Exit.NOT_CONFIRMED, "--yes"),
    ("flip tied sideways", Exit.USAGE, "'sideways' is not one of"),
    ("explain /x -H nonsense", Exit.USAGE, "Name: value"),
    ("apply /nowhere.yaml", Exit.USAGE, "cannot be read"),
    ("kill on --local --state /nowhere", Exit.USAGE, "no state folder"),
    ("nonsense", Exit.USAGE, "no such command"),
    ("get --nonsense", Exit.USAGE, "no such option"),
    ("get -o xml", Exit.USAGE, "'table', 'json', 'yaml'"),
    ("--admin-url nonsense get", Exit.USAGE, "is not a URL"),
    ("--admin-url http://127.0.0.1:1 get", Exit.UNREACHABLE, "does not answer"),
    ("--admin-url http://127.0.0.1:1 flip tied new", Exit.UNREACHABLE, "kill on --local"),
    ("--key fgw_wrong_00 get", Exit.FORBIDDEN, "unknown, expired or revoked"),
]


@pytest.mark.parametrize(("words", "code", "saying"), WRONG)
def test_what_is_wrong_gets_one_clear_line(
    figway: Installation, words: str, code: Exit, saying: str
) -> None:
    """trap 53: bad input names what is wrong and what to do; nothing is changed."""
    route(figway, "tied")
    before = (figway.state / "proxy" / "table.json").read_bytes()
    one_line(figway.run(*words.split()), code, saying)
    assert (figway.state / "proxy" / "table.json").read_bytes() == before


def test_no_key_at_all(figway: Installation) -> None:
    """Without a key the line says where to give one."""
    one_line(figway.run("get", key=""), Exit.FORBIDDEN, "FIGWAY_ADMIN_KEY", "--key")


@pytest.mark.parametrize(
    ("text", "saying"),
    [
        ("routes: 5\n", "$.routes"),
        ("{", "not YAML"),
        ("", "the document is empty"),
        ("routes:\n- {id: a, match: {path: /a}, new: nobody}\ndefault_backend: x\n", "2 findings"),
    ],
)
def test_a_wrong_file_changes_nothing(
    figway: Installation, tmp_path: Path, text: str, saying: str
) -> None:
    """A file that is no table is refused whole, by validate as by apply."""
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    before = figway.ok("export")
    for words in (("validate",), ("apply", "--yes")):
        done = figway.run(*words, str(file))
        assert done.code == Exit.REFUSED, done
        assert "Traceback" not in done.err, done
        assert saying in done.err or words[0] == "validate", done
    assert figway.ok("export") == before


def test_a_silent_proxy_is_named_after_the_wait(figway: Installation) -> None:
    """--wait that nobody answers ends with its own exit code; the change is saved."""
    route(figway, "waited")
    assert figway.process is not None
    admin = f"http://{figway.admin}/api/v1/fleet/acks"
    body = {"instance": "ghost", "boot": "b", "facade": "", "workers": [], "revision": 1,
            "etag": "", "applied_ms": 0, "refused": None, "kill_file": False, "breakers": [],
            "version": "0", "stopping": False}  # fmt: skip
    headers = {"authorization": f"Bearer {figway.key}"}
    assert requests.post(admin, json=body, headers=headers, timeout=5).status_code == 204
    done = figway.run("flip", "waited", "new", "--yes", "--wait", "--timeout", "0.5")
    assert done.code == Exit.NOT_APPLIED, done
    assert "is saved, but not served everywhere" in done.err
    assert figway.side("/waited/1") == "new"
    requests.post(admin, json={**body, "stopping": True}, headers=headers, timeout=5)
