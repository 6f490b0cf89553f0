"""What checks have found: how it changes, and the file."""

import os

import pytest

from nsunit.storage import health
from nsunit.storage.health import HEALTHY, STARTING, UNHEALTHY, Health, Result

GOOD, BAD = Result(10, 2, 0, "fine"), Result(20, 2, 1, "a\nwhat is\twrong\n\n")


def after(*results, retries=2, counts=True):
    found = Health()
    for result in results:
        found = found.after(result, retries, counts=counts)
    return found.status, found.failing_streak, found.was_healthy


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ((), (STARTING, 0, False)),
        ((GOOD,), (HEALTHY, 0, True)),
        ((BAD,), (STARTING, 1, False)),
        ((BAD, BAD), (UNHEALTHY, 2, False)),
        ((GOOD, BAD), (HEALTHY, 1, True)),
        ((GOOD, BAD, BAD, BAD), (UNHEALTHY, 3, True)),
        ((BAD, BAD, GOOD), (HEALTHY, 0, True)),
        ((BAD, GOOD, BAD), (HEALTHY, 1, True)),
    ],
)
def test_how_it_changes(results, expected):
    assert after(*results) == expected


def test_what_does_not_count():
    assert after(BAD, BAD, BAD, counts=False) == (STARTING, 0, False)
    assert after(BAD, GOOD, counts=False) == (HEALTHY, 0, True)


def test_the_last_five_are_kept():
    found = Health()
    for number in range(7):
        found = found.after(GOOD.replace(ended_usec=number), 3, counts=True)
    assert [result.ended_usec for result in found.results] == [2, 3, 4, 5, 6]


def test_in_a_line():
    assert BAD.summary() == "status 1: what is\\twrong"
    assert Result(1, 1, 127, "").summary() == "status 127"
    assert Result(1, 1, -1, "x").summary() == "it took too long"
    assert len(Result(1, 1, 1, "x" * 4096).summary()) < 320


@pytest.mark.parametrize("output", ["", "a b", " a\nb\\n\r\0 \x85\u2028é𝄞 ", "x" * 4096])
def test_the_file(tmp_path, output):
    run = health.run_of(os.getpid())
    found = Health(UNHEALTHY, 3, (GOOD, BAD.replace(output=output)), was_healthy=True)
    health.write(str(tmp_path), found, run)
    assert health.read(str(tmp_path), os.getpid()) == found
    assert health.read(str(tmp_path)) == found
    assert os.listdir(tmp_path) == ["health"]


def test_of_another_run(tmp_path):
    health.write(str(tmp_path), Health(HEALTHY, 0, (GOOD,)), f"{os.getpid()}:1")
    assert health.read(str(tmp_path), os.getpid()) == Health()
    assert health.read(str(tmp_path)) == Health()
    assert health.read(str(tmp_path / "none"), os.getpid()) is None
    assert health.run_of(1 << 22) == ""
    assert health.started_ticks("12:345") == 345
