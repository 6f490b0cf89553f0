"""A suite in a booted system: boot, install the package, run tests/vm, bring the outcome and the logs out.

The system is booted natively (system.py) or is a machine (user_mode.py, qemu.py).  One that is lost, or in which a test
hangs, is booted anew for the files of tests that are left.  The tests marked before_reboot come last
(tests/vm/conftest.py); then a machine is rebooted for those marked after_reboot.
"""

import codecs
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from . import cache, owned, tree
from .client import Commands, Lost, packed
from .qemu import Housed, Machine
from .result import Record, Result
from .system import System
from .user_mode import UserMode

TESTS = "/srv/nsunit/tests"
REBOOT_TESTS = "vm/test_reboot.py"  # those that leave something for the tests after a reboot
BOOTS = 4  # of one suite; whoever is lost more often has more than one fault
INSTALL_SECONDS = 900  # 60 in an emulated machine where nothing else runs
AGAIN = 3  # tests that may fail and pass in a new boot; if more do, it is no accident
Show = Callable[[bytes], None]


class Booted(Protocol):
    """A machine, or a system that is booted natively."""

    name: str

    @property
    def console(self) -> Path:
        """The file with what it printed on its console."""

    def pid(self) -> int | None:
        """Return the process id if it runs."""

    def start(self, image: Path, *, tied: bool = False) -> None:
        """Start it from an image."""

    def wait_for_boot(self) -> None:
        """Return when systemd has finished starting."""

    def client(self, timeout: float = 120) -> AbstractContextManager[Commands]:
        """Connect to it."""

    def stop(self) -> None:
        """End it, and remove what there is of it."""


@dataclass(frozen=True)
class Place:
    """Where tests run, which do, and how long they may take: seconds for one, without a word, and all in all."""

    title: str
    make: Callable[[str], Booted]
    marks: str
    counts: str  # see tests/vm/counts.py
    timeout: int = 300  # of a test that has none of its own
    patience: int = 1  # how many times as long a test waits until it gives up, see tests/vm/counts.py
    silence: float = 10 * 60
    seconds: float = 60 * 60
    suffix: str = ""  # of the names of systems and logs
    share: str = ""  # of the tests that run in one of the releases, see tests/vm/marks.py; all of them by default
    shared: str = "anywhere"  # which these are: those marked so, or all

    def booted(self, release: str) -> Booted:
        """Return what this run uses for a release here, booted or not."""
        return self.make(f"{owned.RUN}-{release}{self.suffix}")

    def longer(self, times: int) -> "Place":
        """Return the same with that many times as much time, and no test shared that each release can have."""
        timeout, silence, seconds = self.timeout * times, self.silence * times, self.seconds * times
        return replace(self, timeout=timeout, silence=silence, seconds=seconds, shared="anywhere")


def pytest_command(arguments: list[str], *tests: str) -> list[str]:
    """Return the command that runs tests/vm, or some files of it, in the system."""
    options = ["-c", f"{TESTS}/vm/pytest.ini", "--rootdir", TESTS, "-p", "no:cacheprovider"]
    named = [place_of(word) for word in arguments]
    chosen = () if any(named) else tests or ("vm",)
    words = (place or word for place, word in zip(named, arguments, strict=True))
    return ["python3", "-m", "pytest", *options, *words, *(f"{TESTS}/{path}" for path in chosen)]


def place_of(word: str) -> str:
    """Return where in the system a file of tests is, with what of it is asked for; empty if a word names none."""
    path, colons, rest = word.partition("::")
    top = cache.REPOSITORY / "tests"
    for base in (Path.cwd(), cache.REPOSITORY, top, top / "vm"):
        found = (base / path).resolve()
        if path.endswith(".py") and found.is_file() and found.is_relative_to(top):
            return f"{TESTS}/{found.relative_to(top)}{colons}{rest}"
    return ""


def test_variables() -> dict[str, str]:
    """Return what of this process's environment is for the tests (tests/vm/counts.py)."""
    return {name: value for name, value in os.environ.items() if name.startswith("NSUNIT_TEST_")}


def install(client: Commands, package: Path) -> None:
    """Install the package and the tests. Raises Lost with what dpkg said if that fails."""
    client.put(packed({f"/srv/nsunit/{package.name}": package, TESTS: cache.REPOSITORY / "tests"}))
    command = f"dpkg --install /srv/nsunit/{package.name} && dpkg --verify nsunit && nsunit --version"
    status, said = client.output(command, timeout=INSTALL_SECONDS)
    if status:
        raise Lost(f"the package does not install:\n{said}")


@dataclass
class Suite:
    """The tests of one release in one place."""

    result: Result
    place: Place
    image: Path
    package: Callable[[], Path]
    options: list[str]  # of pytest, but for those of the place
    show: Show
    logs: Path
    key: str  # the name of its logs
    keep: bool = False
    partial: bool = False  # it may be that no test is asked for

    def run(self) -> None:
        """Boot, test, and boot again for the rest as long as something was lost on the way."""
        system = self.place.booted(self.result.suite)
        try:
            self.run_in(system, time.monotonic() + self.place.seconds)
        finally:
            if not self.keep:
                system.stop()

    def run_in(self, system: Booted, deadline: float) -> None:
        """Run it; the system may be running in the end."""
        files: list[str] = []
        failed: list[str] = []
        for number in range(1, BOOTS + 1):
            record, lost = Record(), ""
            self.boot(system)
            try:
                self.test(system, record, files, deadline)
            except Lost as error:
                lost = str(error)
                self.last_words(system)
                if not record.collected and number < BOOTS and time.monotonic() < deadline:
                    # As nothing was begun, nothing has failed yet.
                    cache.say(f"{self.key}: {lost}; once more in a new boot")
                    system.stop()
                    continue
            later = self.result.take(record, lost=lost, allow_empty=self.partial)
            failed += [test for test, outcome in record.outcomes.items() if outcome.startswith("failed: ")]
            files = later if record.collected or not lost else files
            if not files:
                break
            if number == BOOTS or time.monotonic() > deadline:
                self.result.problems.append(f"not run, since too much was lost: {', '.join(files)}")
                break
            cache.say(f"{self.key}: {lost}; what is left in a new boot")
            system.stop()
        if not lost and any(name.startswith(REBOOT_TESTS) for name in record.outcomes):
            self.after_reboot(system, deadline)
        if 0 < len(failed) <= AGAIN and time.monotonic() < deadline:
            self.again(system, failed, deadline)

    def again(self, system: Booted, tests: list[str], deadline: float) -> None:
        """Run tests that failed once more, in a new boot: the summary tells those that pass apart from the others."""
        cache.say(f"{self.key}: once more: {', '.join(tests)}")
        record = Record()
        system.stop()
        try:
            self.boot(system)
            self.test(system, record, tests, deadline)
        except Lost as error:  # then they stay failed
            cache.say(f"{self.key}: {error}")
        self.result.take_again(record)

    def boot(self, system: Booted) -> None:
        """Start the system, which ends with this thread unless it is to be kept, and wait for it."""
        cache.say(f"{self.key}: booting")
        for last in (False, True):
            try:
                system.start(self.image, tied=not self.keep)
                system.wait_for_boot()
                break
            except Lost as error:
                # Nothing was tested yet: under emulation a kernel dies while it boots now and then.
                if last and self.result.suite in tree.MOVING and not self.result.passed + self.result.bad:
                    raise tree.Unavailable(f"it does not boot: {error}") from error
                if last:
                    raise
                cache.say(f"{self.key}: did not boot, once more: {error}")
                system.stop()
        cache.say(f"{self.key}: booted")

    def test(self, system: Booted, record: Record, files: list[str], deadline: float) -> None:
        """Install the package and run files of tests, all by default.  Raises Lost if they do not come to an end."""
        with system.client() as client:
            install(client, self.package())
            self.pytest(client, record, ["-m", self.place.marks], files, deadline)
        self.collect(system)

    def after_reboot(self, system: Booted, deadline: float) -> None:
        """Reboot the machine and run what waits for that there."""
        assert isinstance(system, Housed)
        cache.say(f"{self.key}: rebooting")
        record, lost = Record(), ""
        try:
            system.reboot()
            with system.client() as client:
                marks = self.place.marks.replace("not after_reboot", "after_reboot")
                self.pytest(client, record, ["-m", marks], [REBOOT_TESTS], deadline)
            self.collect(system)
        except Lost as error:
            lost = str(error)
            self.last_words(system)
        self.result.take(record, lost=lost, allow_empty=self.partial)

    def pytest(self, client: Commands, record: Record, options: list[str], files: list[str], deadline: float) -> None:
        """Run pytest in the system and record what it tells."""
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode

        def sink(fd: int, data: bytes) -> None:
            self.show(data if fd == 1 else record.take(decode(data)).encode())

        environment = {
            "NSUNIT_OUTCOME": "/dev/stderr",
            "NSUNIT_MUST_WORK": "1",
            "NSUNIT_TEST_COUNTS": self.place.counts,
            "NSUNIT_TEST_PATIENCE": str(self.place.patience),
            "NSUNIT_TEST_SHARE": self.place.share,
            "NSUNIT_TEST_SHARED": self.place.shared,
            "PYTHONPATH": TESTS,
            **test_variables(),
        }
        timeout = f"timeout={self.place.timeout}"
        arguments = ["-v", "-p", "outcome", "-p", "costs", "--durations=15", "-o", timeout, *options, *self.options]
        client.run(
            pytest_command(arguments, *files),
            sink,
            timeout=max(1.0, deadline - time.monotonic()),
            silence=self.place.silence,
            env=environment,
            cwd=TESTS,
        )
        if record.status is None:
            raise Lost("pytest did not come to its end")

    def collect(self, system: Booted) -> None:
        """Fetch the journal, on a connection of its own: the one before may be in any state."""
        (self.logs / f"{self.key}.console").write_bytes(system.console.read_bytes())
        with system.client() as client, (self.logs / f"{self.key}.journal").open("ab") as journal:
            client.run(["journalctl", "--no-pager", "--boot"], lambda fd, data: journal.write(data), timeout=120)

    def last_words(self, system: Booted) -> None:
        """Keep what a lost system said last; what its kernel died of belongs in the summary, logs may be far away."""
        if not system.console.exists():
            return
        console = system.console.read_text(errors="replace")
        (self.logs / f"{self.key}.console").write_text(console)
        lines = console.splitlines()
        self.show("\n".join(["the end of the console:", *lines[-60:], ""]).encode())
        self.result.problems += last_words(lines)


def last_words(console: list[str]) -> list[str]:
    """Return the lines in which a kernel says what it died of."""
    return [line for line in console if any(word in line for word in ("Oops", "BUG:", "RIP: 0010", "panic - "))][-4:]


USUAL = "not after_reboot and not engines"
NATIVELY = Place(
    "booted natively",
    System,
    f"{USUAL} and not machine and not once",
    "some",
    timeout=150,
    seconds=75 * 60,
)
# Those are many, and slow: a system of their own, beside the others.
ONCE = replace(NATIVELY, title="booted natively, once", marks=f"{USUAL} and not machine and once", suffix="-once")
MACHINE = Place(
    "in a machine",
    Machine,
    f"{USUAL} and machine",
    "few",
    timeout=600,
    patience=2,
    silence=12 * 60,
    seconds=75 * 60,
    suffix="-machine",
)
USER = replace(
    MACHINE,
    title="in user mode",
    make=UserMode,
    marks=f"{MACHINE.marks} and user_mode",
    suffix="-user-mode",
)
# Where nothing is booted natively, each test is in one of the releases: in all three of them it would take hours.
EVERYTHING = replace(MACHINE, marks=USUAL, timeout=1200, patience=4, silence=25 * 60, seconds=8 * 60 * 60, shared="all")
REST = replace(EVERYTHING, marks=f"{USUAL} and not user_mode")
USUAL_USER = replace(
    EVERYTHING, title=USER.title, make=USER.make, marks=f"{USUAL} and user_mode and not once", suffix=USER.suffix
)
ONCE_USER = replace(
    USUAL_USER, title="in user mode, once", marks=f"{USUAL} and user_mode and once", suffix="-user-mode-once"
)


def places(release: str, releases: Sequence[str], *, natively: bool, user_mode: bool) -> list[Place]:
    """Return where tests of a release run, machines first; one of *releases* is enough for those that say so.

    What is enough once is as much as all the rest: it has a system of its own, natively or in user mode.
    """
    is_first = release == releases[0]
    if natively:
        machines = [without(MACHINE, "user_mode"), USER] if user_mode else [MACHINE]
        others = [NATIVELY, ONCE]
    else:
        machines, others = ([REST], [USUAL_USER, ONCE_USER]) if user_mode else ([EVERYTHING], [])
    found = [*machines, *others] if is_first else [*(without(place, "once") for place in machines), *others[:1]]
    return [replace(place, share=share(release, releases, place.shared)) for place in found]


def without(place: Place, mark: str) -> Place:
    """Return the same without the tests that have a mark."""
    return replace(place, marks=f"{place.marks} and not {mark}")


def share(release: str, releases: Sequence[str], shared: str) -> str:
    """Return which part of the tests that one release is enough for a release runs.

    None may be left to one that can be missing: it repeats what others run, as many as it would have if it were no
    such release, where all tests are shared.
    """
    steady = [name for name in releases if name not in tree.MOVING] or list(releases)
    if release in steady:
        return f"{steady.index(release)}/{len(steady)}"
    return f"{releases.index(release)}/{len(releases)}" if shared == "all" else "none"


def place_of_engines(*, natively: bool) -> Place:
    """Return where the tests run that run only when asked for."""
    return replace(NATIVELY if natively else EVERYTHING, title="engines", marks="engines", suffix="-engines")


def counts(place: Place, release: str, *, long: bool = False) -> str:
    """Return which counts a release's tests get (tests/vm/counts.py): many natively, on one of them at least."""
    if long:
        return "all"
    return "many" if replace(place, share="") in (NATIVELY, ONCE) and release == tree.RELEASES[0] else place.counts
