"""Where the time of a start went, from marks of three clocks that are one."""

import pytest

from nsunit.plan.timing import PARTS, Span, Timing, compare, read_marks, timing

ASKED = {"begun": 1000, "called": 21000, "reached": 21010, "loaded": 23010, "settled": 24010, "planned": 26010}
MARKS = {
    "begun": 60000,
    "modules": 62000,
    "plan": 62100,
    "prepare/root-overlay": 62600,
    "fork": 63000,
    "enter": 64000,
    "execute/proc": 64300,
    "attach": 74300,
    "main-pid": 75000,
    "execve": 76000,
}
PROPERTIES = {
    "ConditionTimestampMonotonic": 28010,
    "InactiveExitTimestampMonotonic": 35010,
    "ActiveEnterTimestampMonotonic": 76200,
    "NRestarts": 0,
}


def test_a_start_from_the_command_to_the_program():
    found = timing("web", ASKED, MARKS, PROPERTIES)
    assert (found.name, found.usec) == ("web", 75200)
    assert {part: found.part(part) for part in PARTS} == {
        "command": 20010,
        "definition": 2000,
        "plan": 3000,
        "systemd": 2000 + 7000 + 700,
        "interpreter": 24990,
        "helper": 4300,
        "network": 10000,
        "payload": 1200,
    }
    assert sum(span.usec for span in found.spans) == found.usec
    assert Span("helper", "prepare root-overlay", 61100, 500) in found.spans
    assert [span.begin for span in found.spans] == sorted(span.begin for span in found.spans)


@pytest.mark.parametrize(
    ("asked", "restarts"),
    [({}, 0), (ASKED, 1), ({**ASKED, "planned": 90000}, 0)],
    ids=["at boot", "restarted", "asked later"],
)
def test_one_that_systemd_has_started_by_itself(asked, restarts):
    found = timing("web", asked, MARKS, {**PROPERTIES, "NRestarts": restarts})
    assert found.usec == 76200 - 28010
    assert (found.part("command"), found.part("definition"), found.part("plan")) == (0, 0, 0)
    assert found.spans[0] == Span("systemd", "executor forked", 0, 7000)


def test_marks_of_containers_before_it_do_not_count():
    later = {**ASKED, "reached": 23500}  # it was read with the others, and waited for them
    found = timing("web", later, MARKS, PROPERTIES)
    assert (found.part("command"), found.part("definition"), found.usec) == (22500, 0, 75200)


def test_a_clock_that_was_read_earlier_makes_no_step_negative():
    found = timing("web", ASKED, MARKS, {**PROPERTIES, "ConditionTimestampMonotonic": 25000})
    assert min(span.usec for span in found.spans) == 0
    assert sum(span.usec for span in found.spans) == found.usec


@pytest.mark.parametrize("content", [None, b"", b"begun", b"begun x", b"\xff 1 2"])
def test_damaged_marks_are_none(content):
    assert read_marks(content) == {}


def test_marks_are_microseconds():
    assert read_marks(b"begun 1999 prepare/proc 5000000") == {"begun": 1, "prepare/proc": 5000}


def start(name: str, network: int) -> Timing:
    return Timing(
        name, network + 10000, (Span("helper", "fork", 0, 10000), Span("network", "waited for", 10000, network))
    )


def test_what_is_unusual():
    found = compare([start("a", 10000), start("b", 11000), start("c", 25000)])
    assert [item.notes for item in found[:2]] == [(), ()]
    assert found[2].notes == ("network took 25.0 ms, the median of 3 is 11.0 ms; most of it: waited for",)


def test_a_few_milliseconds_or_two_containers_are_not_unusual():
    assert compare([start("a", 1000), start("b", 1000), start("c", 5900)])[2].notes == ()
    assert compare([start("a", 10000), start("b", 90000)])[1].notes == ()
