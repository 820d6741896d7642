"""What of the control plane's words on the kill switch counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.control.notice import Notice, of_event, of_headers
from proxy.kill.switch import SAID_S, ControlSwitch


def test_a_restored_database_undoes_no_press(tmp_path: Path) -> None:
    """B1: a control plane that does not know of the press, as it was made in the memory of another
    or its database was restored, says `off` for as long as it likes; one that says `on` counts at
    once."""
    switch = ControlSwitch(tmp_path / "kill.json")
    assert switch.hear(Notice(True, 7, "a"))
    for number in (6, 6, 6, 7):
        assert not switch.hear(Notice(False, number, "a"))
        assert switch.on
    assert switch.known == {
        "figway-kill": "on",
        "figway-kill-number": "7",
        "figway-installation": "a",
    }
    assert switch.hear(Notice(False, 8, "a"))
    assert not switch.on
    assert switch.hear(Notice(True, 2, "a"))
    assert switch.on


def test_nothing_is_told_before_anything_was_heard() -> None:
    assert ControlSwitch(None).known == {}


@pytest.mark.parametrize("on", [True, False])
def test_answers_that_were_on_their_way_change_nothing(on: bool) -> None:
    """B1: the switch is pressed while a report, a heartbeat and a poll wait for their answers. What
    they say is older than what the stream has brought meanwhile: it neither lets go of the switch
    nor puts it on again."""
    now = 10.0
    switch = ControlSwitch(None, lambda: now)
    switch.hear(Notice(not on, 7, "a"))
    now = 20.0
    assert switch.hear(Notice(on, 8, "a"))
    for asked in (15.0, 19.0, 20.0):
        assert not switch.hear(Notice(not on, 7, "a", asked=asked))
    assert switch.on is on
    # Asked for afterwards: the database was restored. That turns it on, and never off.
    heard = [switch.hear(Notice(not on, 7, "a", asked=21.0 + number)) for number in range(2)]
    assert (switch.on, any(heard)) == (True, not on)


def test_it_is_kept_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "kill.json"
    switch = ControlSwitch(path)
    switch.hear(Notice(True, 7, "a"))
    switch.save()
    assert path.stat().st_mode & 0o777 == 0o600
    again = ControlSwitch(path)
    assert (again.on, again.number, again.installation) == (True, 7, "a")
    path.write_bytes(b"\x00 not json")
    assert not ControlSwitch(path).on


@pytest.mark.parametrize(
    "content",
    [
        '{"on": true, "number": 1e400, "installation": "a"}',
        '{"on": true, "number": -3, "installation": "a"}',
        '{"on": true, "number": 1000000000000000000000000, "installation": "a"}',
        '{"on": true, "number": 7, "installation": "a\\r\\nX: y"}',
        '{"on": "yes", "number": {}, "installation": []}',
    ],
)
def test_what_is_kept_is_read_with_care(tmp_path: Path, content: str) -> None:
    """B1: what it tells every control plane stands in headers: a file that somebody wrote into must
    not cut the proxy off."""
    path = tmp_path / "kill.json"
    path.write_text(content)
    switch = ControlSwitch(path)
    assert switch.on is ('"on": true' in content and "1e400" not in content)
    for value in switch.known.values():
        assert value.isprintable()
        assert len(value) < 20


@pytest.mark.parametrize("value", ["", "maybe", "1", "true", "on\x00"])
def test_what_cannot_be_read_is_not_said(value: str) -> None:
    assert of_headers({"figway-kill": value}).kill is None
    assert of_event("kill", {"on": value}).kill is None


def test_a_notice_of_headers_and_of_events() -> None:
    headers = {
        "figway-kill": "ON",
        "figway-kill-number": "12",
        "figway-installation": "a1",
        "figway-adopts": "b, c,../etc",
    }
    assert of_headers(headers) == Notice(True, 12, "a1", ("b", "c"))
    assert of_event("current", {"installation": "a1", "kill": {"on": False, "number": 3}}) == (
        Notice(False, 3, "a1")
    )
    assert of_event("kill", {"on": True, "number": True}).number == 0


def test_of_several_control_planes_the_newer_word_stands() -> None:
    """T1: one that hung, or was cut off, says what was, until it hears; a word of
    another that is in contact is enough against it."""
    now = 10.0
    switch = ControlSwitch(None, lambda: now)
    assert switch.hear(Notice(True, 8, "a", plane=1))
    for _ in range(5):
        assert not switch.hear(Notice(False, 7, "a", plane=0))
        now += 1.0
        assert not switch.hear(Notice(True, 8, "a", plane=1))
    assert switch.hear(Notice(False, 9, "a", plane=1))
    assert not switch.hear(Notice(True, 8, "a", plane=0)), "nor is it turned on again"
    assert not switch.on


def test_an_older_off_lets_go_of_nothing_when_the_newer_is_said_no_more() -> None:
    """T1 and B1: the control plane that said the newer is gone, and with it a press that it had in
    memory alone."""
    now = 10.0
    switch = ControlSwitch(None, lambda: now)
    switch.hear(Notice(True, 8, "a", plane=1))
    now += SAID_S + 0.1
    assert not any(switch.hear(Notice(False, 5, "a", plane=0)) for _ in range(3))
    assert switch.on
