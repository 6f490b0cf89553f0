"""A suite in a booted system, with a stand-in for the system."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from machine import dev, guest_suite, result, run, tree
from machine.client import Lost
from machine.qemu import Machine
from machine.system import System

TESTS = {"vm/test_a.py::one": "", "vm/test_b.py::two": ""}


class Booted:
    """A system that boots as often as it may, in which pytest tells given things, one run after the other."""

    name = "stand-in"

    def __init__(self, boots: int, *told: list[dict[str, object]]):
        self.boots, self.told = boots, [*told]
        self.ran: list[list[str]] = []
        self.console = Path("/dev/null")
        self.env: dict[str, str] = {}

    def start(self, image: Path, *, tied: bool = False) -> None:
        self.boots -= 1
        if self.boots < 0:
            raise Lost("no boot")

    def wait_for_boot(self) -> None: ...

    def stop(self) -> None: ...

    def reboot(self) -> None: ...

    def client(self, timeout: float = 120):
        return contextlib.nullcontext(self)

    def run(self, argv, sink, *, env=None, **options):
        if "pytest" in argv:
            self.ran.append(argv)
            self.env = env
            for said in self.told.pop(0):
                sink(2, f"\x1e{json.dumps(said)}\n".encode())
        return 0


@pytest.fixture(autouse=True)
def no_package(monkeypatch):
    monkeypatch.setattr(guest_suite, "install", lambda client, package: None)
    monkeypatch.setattr(guest_suite, "Housed", Booted)


def suite_of(
    system: Booted, release: str, tmp_path: Path, *options: str, place=guest_suite.MACHINE
) -> guest_suite.Suite:
    place = replace(place, make=lambda name: system)
    return guest_suite.Suite(
        result.Result(release), place, tmp_path, Path, [*options], print, tmp_path, release, partial=bool(options)
    )


LOST = [{"collected": TESTS}, {"test": "vm/test_a.py::one", "outcome": "passed"}, {"begun": "vm/test_a.py::one"}]


def test_a_sid_that_does_not_boot_is_left_out(tmp_path):
    with pytest.raises(tree.Unavailable, match="it does not boot"):
        suite_of(Booted(0), "sid", tmp_path).run()


def test_a_sid_that_does_not_boot_again_has_failed(tmp_path):
    """What has passed before counts."""
    suite = suite_of(Booted(1, LOST), "sid", tmp_path)
    with pytest.raises(Lost, match="no boot"):
        suite.run()
    assert (suite.result.passed, suite.result.bad) == (1, 1)


@pytest.mark.parametrize(("times", "passed", "problems"), [(1, 1, []), (3, 1, []), (9, 0, ["too slow"])])
def test_what_is_lost_before_a_test_was_found_is_booted_again(monkeypatch, tmp_path, times, passed, problems):
    tries = iter([True] * times)

    def install(client: object, package: object) -> None:
        if next(tries, False):
            raise Lost("too slow")

    monkeypatch.setattr(guest_suite, "install", install)
    told = [{"collected": {"a": ""}}, {"test": "a", "outcome": "passed"}, {"status": 0}]
    suite = suite_of(Booted(guest_suite.BOOTS, told), "trixie", tmp_path)
    suite.run()
    assert (suite.result.passed, suite.result.problems) == (passed, problems)


BEFORE = "vm/test_reboot.py::before"


@pytest.mark.parametrize(("options", "problems"), [(["-k", "before"], []), ([], ["no test was found"])])
def test_no_test_after_a_reboot_may_be_asked_for(tmp_path, options, problems):
    told = [{"collected": {BEFORE: ""}}, {"test": BEFORE, "outcome": "passed"}, {"status": 0}]
    system = Booted(1, told, [{"status": 5}])
    suite = suite_of(system, "trixie", tmp_path, *options)
    suite.run()
    assert suite.result.problems == problems
    assert "not after_reboot and not engines and machine" in system.ran[0]
    assert "after_reboot and not engines and machine" in system.ran[1]


@pytest.mark.parametrize(
    ("place", "usual", "long"), [(guest_suite.NATIVELY, 150, 900), (guest_suite.MACHINE, 600, 3600)]
)
def test_a_test_has_six_times_as_much_time_in_a_long_run(tmp_path, place, usual, long):
    for where, timeout in ((place, usual), (place.longer(run.LONG), long)):
        system = Booted(1, [{"collected": {"a": ""}}, {"test": "a", "outcome": "passed"}, {"status": 0}])
        suite_of(system, "trixie", tmp_path, place=where).run()
        assert f"timeout={timeout}" in system.ran[0]


@pytest.mark.parametrize(
    ("place", "times"),
    [(guest_suite.NATIVELY, "1"), (guest_suite.MACHINE, "2"), (guest_suite.USER, "2"), (guest_suite.EVERYTHING, "4")],
)
def test_tests_wait_longer_where_all_is_slow(tmp_path, place, times):
    system = Booted(1, [{"collected": {"a": ""}}, {"test": "a", "outcome": "passed"}, {"status": 0}])
    suite_of(system, "trixie", tmp_path, place=place).run()
    assert system.env["NSUNIT_TEST_PATIENCE"] == times


def test_what_is_enough_once_runs_in_the_first_of_the_releases():
    """Natively in a system of its own; each test has one place in each release, or one in all of them."""

    def marks(release, *, natively, user_mode):
        places = guest_suite.places(release, ["trixie", "sid"], natively=natively, user_mode=user_mode)
        return [place.marks for place in places]

    assert marks("trixie", natively=True, user_mode=False) == [
        "not after_reboot and not engines and machine",
        "not after_reboot and not engines and not machine and not once",
        "not after_reboot and not engines and not machine and once",
    ]
    assert marks("sid", natively=True, user_mode=False) == [
        "not after_reboot and not engines and machine and not once",
        "not after_reboot and not engines and not machine and not once",
    ]
    assert marks("sid", natively=True, user_mode=True) == [
        "not after_reboot and not engines and machine and not user_mode and not once",
        "not after_reboot and not engines and machine and user_mode and not once",
        "not after_reboot and not engines and not machine and not once",
    ]
    assert marks("trixie", natively=False, user_mode=False) == ["not after_reboot and not engines"]
    assert marks("sid", natively=False, user_mode=False) == ["not after_reboot and not engines and not once"]
    assert marks("sid", natively=False, user_mode=True) == [
        "not after_reboot and not engines and not user_mode and not once",
        "not after_reboot and not engines and user_mode and not once",
    ]
    assert marks("trixie", natively=False, user_mode=True) == [
        "not after_reboot and not engines and not user_mode",
        "not after_reboot and not engines and user_mode and not once",
        "not after_reboot and not engines and user_mode and once",
    ]


def shares(*releases, natively):
    """The share of each release; all of its places have the same."""
    places = (guest_suite.places(name, releases, natively=natively, user_mode=True) for name in releases)
    return [share for (share,) in ({place.share for place in found} for found in places)]


def test_what_runs_anywhere_is_shared_by_releases_that_cannot_be_missing():
    assert shares("trixie", "bookworm", "sid", natively=True) == ["0/2", "1/2", "none"]
    assert shares("bookworm", "sid", natively=True) == ["0/1", "none"]
    assert shares("sid", natively=True) == ["0/1"]


def test_where_all_is_shared_one_that_can_be_missing_repeats_a_part_of_it():
    assert shares("trixie", "bookworm", "sid", natively=False) == ["0/2", "1/2", "2/3"]
    assert shares("bookworm", "sid", natively=False) == ["0/1", "1/2"]
    assert shares("sid", natively=False) == ["0/1"]


@pytest.mark.parametrize("user_mode", [True, False])
def test_each_test_is_in_one_of_the_releases_where_nothing_is_booted_natively(user_mode):
    """In each of them with --long, but for those that say so."""
    machines = guest_suite.places("trixie", ["trixie"], natively=False, user_mode=user_mode)
    assert {place.shared for place in machines} == {"all"}
    assert {place.longer(run.LONG).shared for place in machines} == {"anywhere"}
    natively = guest_suite.places("trixie", ["trixie"], natively=True, user_mode=user_mode)
    assert {place.shared for place in natively} == {"anywhere"}


def test_counts_are_many_natively_in_the_first_release():
    releases = tree.RELEASES
    found = {
        (place.suffix, release): guest_suite.counts(place, release)
        for release in releases
        for place in guest_suite.places(release, releases, natively=True, user_mode=True)
    }
    assert {key for key, kind in found.items() if kind == "many"} == {("", "trixie"), ("-once", "trixie")}
    assert {found["", "bookworm"], found["", "sid"]} == {"some"}
    assert {found[suffix, release] for suffix in ("-machine", "-user-mode") for release in releases} == {"few"}


@pytest.mark.parametrize("natively", [True, False])
def test_what_runs_only_when_asked_for_runs_nowhere_else(natively):
    place = guest_suite.place_of_engines(natively=natively)
    assert (place.marks, place.make) == ("engines", System if natively else Machine)
    usual = guest_suite.places("trixie", ["trixie"], natively=natively, user_mode=natively)
    assert all("not engines" in place.marks for place in usual)
    assert place.booted("trixie").name not in {other.booted("trixie").name for other in usual}


@pytest.mark.parametrize("natively", [True, False])
def test_systems_of_one_release_have_names_of_their_own(natively):
    places = guest_suite.places("trixie", ["trixie"], natively=natively, user_mode=True)
    assert len({place.booted("trixie").name for place in places}) == len(places)


def test_counts_reach_the_tests(monkeypatch, tmp_path):
    monkeypatch.setenv("NSUNIT_TEST_CROWD", "301")
    system = Booted(1, [{"collected": {"a": ""}}, {"test": "a", "outcome": "passed"}, {"status": 0}])
    suite_of(system, "trixie", tmp_path, place=replace(guest_suite.MACHINE, share="0/2")).run()
    assert (system.env["NSUNIT_TEST_CROWD"], system.env["NSUNIT_TEST_SHARE"]) == ("301", "0/2")
    system = Booted(1, [])
    monkeypatch.setattr(dev, "named", lambda name: system)
    monkeypatch.setattr(dev, "push", lambda client: None)
    monkeypatch.setattr(dev.sys, "argv", ["dev", "test", "-k", "crowd"])
    system.told = [[]]
    monkeypatch.setattr(Booted, "run", lambda self, argv, env=None, **options: setattr(self, "env", env) or 0)
    assert dev.act(dev.parse()) == 0
    assert system.env == {"NSUNIT_TEST_CROWD": "301", "NSUNIT_TEST_PATIENCE": "4"}


def failing(*tests: str) -> list[dict[str, object]]:
    said = [{"test": test, "outcome": "failed: by chance"} for test in tests]
    return [{"collected": dict.fromkeys(tests, "")}, *said, {"status": 1}]


@pytest.mark.parametrize(
    ("outcome", "counts"), [("passed", (1, [], 1)), ("failed: truly", (0, ["a: failed: by chance"], 0))]
)
def test_what_fails_is_run_again_in_a_new_boot_and_told_apart(tmp_path, outcome, counts):
    suite = suite_of(Booted(2, failing("a"), [{"test": "a", "outcome": outcome}, {"status": 0}]), "trixie", tmp_path)
    suite.run()
    found = suite.result
    assert (found.passed, found.failed, len(found.again)) == counts
    assert suite.place.make("").ran[1][-1].endswith("/a")


def test_what_is_lost_when_run_again_has_failed(tmp_path):
    suite = suite_of(Booted(1, failing("a")), "trixie", tmp_path)
    suite.run()
    assert (suite.result.passed, suite.result.failed) == (0, ["a: failed: by chance"])


def test_where_much_fails_nothing_is_run_again(tmp_path):
    system = Booted(2, failing(*"abcd"))
    suite = suite_of(system, "trixie", tmp_path)
    suite.run()
    assert (len(system.ran), suite.result.bad) == (1, 4)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("-q", "-k", "network"), ("-q", "-k", "network", "/srv/nsunit/tests/vm")),
        (("-q", "tests/vm/test_json.py", "-x"), ("-q", "/srv/nsunit/tests/vm/test_json.py", "-x")),
        (("test_json.py::test_a", "-x"), ("/srv/nsunit/tests/vm/test_json.py::test_a", "-x")),
        (("vm/test_nowhere.py",), ("vm/test_nowhere.py", "/srv/nsunit/tests/vm")),
    ],
)
def test_a_file_that_is_asked_for_takes_the_place_of_all(words, expected):
    command = guest_suite.pytest_command([*words])
    assert tuple(command[-len(expected) :]) == expected
    assert "/srv/nsunit/tests/vm" not in command[: -len(expected)]
