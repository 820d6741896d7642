"""What of the control plane's words on the kill switch counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.control.notice import Notice, of_event, of_headers
from proxy.kill.switch import SAID_S, ControlSwitch


def test_a_restored_database_must_say_off_twice(tmp_path: Path) -> None:
    """B1: an older number that says `off` may be late; one that says `on` counts at once."""
    switch = ControlSwitch(tmp_path / "kill.json")
    assert switch.hear(Notice(True, 7, "a"))
    assert not switch.hear(Notice(False, 6, "a"))
    assert switch.on
    assert switch.hear(Notice(False, 6, "a"))
    assert not switch.on
    assert switch.hear(Notice(True, 2, "a"))
    assert switch.on


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
    # Asked for afterwards: the database was restored, and is believed as before.
    heard = [switch.hear(Notice(not on, 7, "a", asked=21.0 + number)) for number in range(2)]
    assert (switch.on, any(heard)) == (not on, True)


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


def test_a_restored_database_counts_once_no_control_plane_says_the_newer() -> None:
    """T1: both were put back; or the one that said the newer is gone."""
    now = 10.0
    switch = ControlSwitch(None, lambda: now)
    switch.hear(Notice(True, 8, "a", plane=1))
    assert not switch.hear(Notice(False, 5, "a", plane=0))
    heard = [switch.hear(Notice(False, 5, "a", plane=plane)) for plane in (1, 0)]
    assert (switch.on, any(heard)) == (False, True)
    switch.hear(Notice(True, 9, "a", plane=1))
    now += SAID_S + 0.1
    heard = [switch.hear(Notice(False, 5, "a", plane=0)) for _ in range(2)]
    assert (switch.on, any(heard)) == (False, True)
