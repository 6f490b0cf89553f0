"""What who looks at a terminal sees of many containers."""

import pytest

from nsunit.cli import fail, progress
from nsunit.cli.progress import Count, Wait, counted
from nsunit.errors import NsunitError


@pytest.fixture
def clock(monkeypatch):
    times = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: times[0])

    def advance(seconds):
        times[0] += seconds

    return advance


def test_what_is_waited_for(clock, capsys):
    wait = Wait()
    wait("web is not healthy yet")
    clock(0.9)
    wait("web is not healthy yet")
    clock(1.5)
    wait("web is not healthy yet: status 1: \x1b[2J")
    clock(1)
    wait("")
    wait("")
    assert capsys.readouterr().err == "\r\x1b[K2 s: web is not healthy yet: status 1: \\x1b[2J\r\x1b[K"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ((0, 0, 50, 2.0), "0 of 50 done, 0 under way"),
        ((50, 0, 50, 2.0), "0 of 50 done, 50 under way, 3 s left"),
        ((50, 25, 50, 3.0), "25 of 50 done, 25 under way, 2 s left"),
        ((10, 0, 1000, 10.0), "0 of 1000 done, 10 under way, 33 min left"),
    ],
)
def test_how_far_it_is(said, text):
    assert counted(*said) == text


def test_what_takes_less_than_a_second_shows_nothing(clock, capsys):
    count = Count()
    count(0, 0, 2, None)
    clock(0.9)
    count(2, 1, 2, None)
    count(2, 2, 2, None)
    assert capsys.readouterr() == ("", "")


def test_one_line_that_is_taken_away(clock, capsys):
    count = Count()
    count(0, 0, 4, None)
    clock(1.5)
    count(4, 1, 4, None)
    count(4, 2, 4, None)  # not again at once
    clock(0.5)
    count(4, 3, 4, None)
    count(4, 4, 4, None)
    lines = capsys.readouterr().err.split("\r\x1b[K")
    assert lines == ["", "1 of 4 done, 3 under way, 1 s left", "3 of 4 done, 1 under way, 1 s left", ""]


def test_an_interrupt_takes_the_line_away_and_says_how_many_are_done(clock, capsys, monkeypatch):
    monkeypatch.setattr(progress, "count", Count())
    progress.interrupted()
    progress.count(0, 0, 4, None)
    progress.interrupted()
    assert capsys.readouterr() == ("", "")
    clock(1.5)
    progress.count(4, 1, 4, None)
    progress.count(4, 2, 4, None)
    capsys.readouterr()
    progress.interrupted()
    assert capsys.readouterr().err == "\r\x1b[Knsunit: interrupted: 2 of 4 were done\n"


def test_a_failure_is_told_when_it_happens_and_only_then(clock, capsys):
    count, error = Count(), NsunitError("web: it failed", hint="mend it")
    count(0, 0, 3, None)
    clock(2)
    count(3, 1, 3, None)
    count(3, 2, 3, error)
    shown = "\r\x1b[K1 of 3 done, 2 under way, 2 s left\r\x1b[Knsunit: web: it failed\n  hint: mend it\n"
    assert capsys.readouterr().err.startswith(shown)  # and the line comes again
    assert fail([error]) == 1
    assert capsys.readouterr().err == ""
