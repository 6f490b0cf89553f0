"""`tests/run`: every suite from nothing to the last test, and one honest line at the end."""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from . import cache, guest_suite, image, needs, owned, qemu, system, tree, unit
from .guest_suite import Place, Suite
from .later import Later
from .result import Result

UNIT = "unit"
SUITES = (UNIT, *tree.RELEASES)
LOGS = cache.REPOSITORY / "build/tests"
# How many suites run at once: those booted natively wait for most of their time, and leave the processors to machines.
AT_ONCE = 5 + (os.cpu_count() or 1)
LONG = 6  # times as long as usual


def logs() -> Path:
    """Return the directory for this run's logs, which the next run removes; two can run in one clone."""
    return LOGS / owned.RUN


class Printer:
    """Passes a suite's output on line by line, with the suite's name before each, and into a log file."""

    lock = threading.Lock()

    def __init__(self, key: str):
        self.prefix = f"{key:16}| ".encode()
        self.log = (logs() / f"{key}.log").open("wb")
        self.rest = b""

    def __call__(self, data: bytes) -> None:
        """Take some output."""
        self.log.write(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        with self.lock:
            for line in lines:
                sys.stdout.buffer.write(self.prefix + line + b"\n")
            sys.stdout.buffer.flush()

    def close(self) -> None:
        """Print what has no end of line."""
        if self.rest:
            self(b"\n")
        self.log.close()


def attempt(job: "Job") -> None:
    """Run one suite; whatever goes wrong in it is a failure of that suite and of no other."""
    begun, result = time.monotonic(), job.result
    try:
        with closing(Printer(job.key)) as printer:
            carry_out(job, printer)
    except Exception as error:  # of the log
        result.problems.append(f"{type(error).__name__}: {error}")
    result.seconds = time.monotonic() - begun
    cache.say(result.line())


def carry_out(job: "Job", printer: Printer) -> None:
    """Do a job, and take what goes wrong into its result."""
    result = job.result
    try:
        job.work(printer)
    except tree.Unavailable as error:
        if result.suite in tree.MOVING:
            result.note = f"left out: {str(error).splitlines()[0]}"
        else:
            result.problems.append(str(error))
        printer(f"{error}\n".encode())
    except (Exception, SystemExit) as error:
        result.problems.append(f"{type(error).__name__}: {error}")
        printer(traceback.format_exc().encode())


def build_package(*options: str) -> Path:
    """Build the Debian package for the systems."""
    command = [str(cache.REPOSITORY / "packaging/build-deb"), *options]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=owned.end_with_parent,
    )
    path = Path(done.stdout.strip())
    cache.say(f"package built: {path.name}, {path.stat().st_size // 1024} KB")
    return path


def build_image(release: str) -> Path:
    """Return a release's image.  Raises Unavailable where it cannot be made, of one that moves for whatever reason."""
    try:
        return image.image(release)
    except (OSError, ValueError, LookupError, subprocess.CalledProcessError) as error:
        if release in tree.MOVING:
            raise tree.Unavailable(f"no image can be made of it: {error}") from error
        raise


@dataclass(frozen=True)
class Job:
    """One suite in one place."""

    result: Result
    key: str  # of its output and its logs
    work: Callable[[Printer], None]


class Run:
    """What was asked for, and what all suites share."""

    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.releases = [suite for suite in arguments.suite if suite in tree.RELEASES]
        self.package = Later(build_package)
        # Images are made while the unit tests run, two at a time: they wait for the archive, too.
        room = threading.Semaphore(2)
        self.images = {release: Later(partial(build_image, release), room) for release in self.releases}
        # Why nothing can run natively or in user mode here; empty if it can.
        natively = (lambda image: "as --machines says") if arguments.machines else needs.refusal
        self.refusal = Later(partial(self.refused, natively))
        self.refusal_of_user_mode = Later(partial(self.refused, needs.refusal_of_user_mode))

    def refused(self, refusal: Callable[[Path], str]) -> str:
        """Find out whether tests can run in a kind of system here, with the first image that can be had."""
        for release in self.releases:
            try:
                disk = self.images[release].get()
            except Exception:  # its own suite says so
                continue
            return refusal(disk)
        return "there is no image to try it with" if self.releases else ""

    def suites(self) -> list[Result]:
        """Run all that was asked for, and return what it came to, in order."""
        waiting = self.jobs()
        results = []
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    job = next(waiting, None)
                    if not job:
                        return
                    results.append(job.result)
                attempt(job)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results + self.not_run(results)

    def not_run(self, results: list[Result]) -> list[Result]:
        """Return a failure for each suite that is not among the results as often as it should, however that came."""
        ran = Counter(result.suite for result in results)
        due = {release: len(self.places(release)) for release in self.releases}
        missing = [suite for suite in self.arguments.suite if ran[suite] < due.get(suite, 1)]
        return [Result(suite, problems=["not all of it was run"]) for suite in missing]

    def places(self, release: str) -> list[Place]:
        """Return where tests of a release run."""
        if self.arguments.engines:
            return [guest_suite.place_of_engines(natively=not self.refusal.get())]
        natively, user_mode = not self.refusal.get(), not self.refusal_of_user_mode.get()
        return guest_suite.places(release, self.releases, natively=natively, user_mode=user_mode)

    def jobs(self) -> Iterator[Job]:
        """Yield what is to be done, the unit tests first: they need no image.

        Then the machines, which take longest; what is booted natively goes before them by its priority.
        """
        if UNIT in self.arguments.suite:
            result = Result(UNIT)
            yield Job(result, UNIT, partial(unit.run, result, self.arguments.k, self.arguments.extra))
        found = [
            (number, place, release) for release in self.releases for number, place in enumerate(self.places(release))
        ]
        for _, place, release in sorted(found, key=lambda item: item[0]):
            yield self.job(release, place)

    def job(self, release: str, place: Place) -> Job:
        """Return the job of a release in one place."""
        arguments, result = self.arguments, Result(release, place.title)
        key = f"{release}{place.suffix}"
        place = replace(place, counts=guest_suite.counts(place, release, long=arguments.long))
        options = [*(["-k", arguments.k] if arguments.k else []), *arguments.extra]

        def work(show: Printer) -> None:
            suite = Suite(
                result,
                place.longer(LONG) if arguments.long else place,
                self.images[release].get(),
                self.package.get,
                options,
                show,
                logs(),
                key,
                keep=arguments.keep,
                partial=bool(options),
            )
            suite.run()

        return Job(result, key, work)


def shell(release: str) -> int:
    """Boot a machine, install the package and give this terminal a shell in it."""
    package, machine = Later(build_package), qemu.Machine(f"{owned.RUN}-shell")
    try:
        machine.start(image.image(release), tied=True)
        machine.wait_for_boot()
        with machine.client() as client:
            guest_suite.install(client, package.get())
            return client.interact(["bash", "-l"])
    finally:
        machine.stop()


def summarise(
    results: list[Result], refusal: str, of_user_mode: str, *, partial: bool = False, long: bool = False
) -> int:
    """Print what failed, what ran where and the closing lines; return the exit status.

    A partial run is one that may find nothing to do in a suite, and in a long one no release shares with others.
    """
    print()
    for result in results:
        if not (partial or result.passed or result.bad or result.note):
            result.problems.append("nothing of it was run")
        for text in (*result.failed, *result.problems):
            print(f"FAILED {result.title}: {text}")
        for text in result.again:
            print(f"FAILED {result.title}, and passed when run again: {text}")
    for result in results:
        print(result.line())
    if refusal:
        print(f"nothing was booted natively: {refusal}")
    if refusal and not long:
        print("each test ran in one of the releases; with --long each has all of them")
    if of_user_mode:
        print(f"nothing was run in user mode, but in qemu's machines: {of_user_mode}")
    # Where nothing is booted natively, user mode has all of which nothing is to be said.
    where = [guest_suite.MACHINE.title, *([] if refusal else [guest_suite.USER.title])]
    reasons = sum((result.reasons for result in results if result.place in where), Counter())
    if reasons and not (refusal and of_user_mode):
        kind = "qemu's machines" if refusal else "machines"
        print(f"in {kind} for: " + ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common()))
    passed, failed = sum(result.passed for result in results), sum(result.bad for result in results)
    again = sum(len(result.again) for result in results)
    for note in dict.fromkeys(f"{result.suite} was {result.note}" for result in results if result.note):
        print(note)
    minutes, seconds = divmod(int(time.monotonic() - cache.START), 60)
    if again:
        print(f"{again} passed only when run again, in a new boot: find out why")
    print(f"{passed} passed, {failed} failed in {minutes}:{seconds:02}", flush=True)
    return 1 if failed or not passed else 0


HELP = """\
What runs where: linters and unit tests on this system; tests/vm in Debian 13, 12 and sid, each booted natively as PID 1
of namespaces of its own; what is marked `machine` there in machines: of a user-mode kernel where that is enough, else
of qemu. Where nothing can be booted natively, all others run in these, too, each in one of the releases. What follows
-- goes to pytest.

To keep a system running while you work, see tests/vm/quick --help and tests/vm/dev --help.
"""


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(
        prog="tests/run",
        description="Run all tests.",
        epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-k", metavar="EXPR", help="only tests that match, as pytest's -k")
    parser.add_argument("--suite", action="append", choices=SUITES, help="only this one; can be given several times")
    parser.add_argument("--machines", action="store_true", help="all of tests/vm in machines, each test in one release")
    parser.add_argument("--long", action="store_true", help="full counts everywhere, in the machines too: takes hours")
    parser.add_argument("--engines", action="store_true", help="what runs only when asked for, in one release")
    parser.add_argument("--keep", action="store_true", help="leave systems and machines running")
    parser.add_argument("--shell", action="store_true", help="a root shell in the machine instead of the tests")
    own, extra = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
    arguments = parser.parse_args(own)
    arguments.extra = extra
    arguments.suite = [suite for suite in SUITES if suite in (arguments.suite or SUITES)]
    if arguments.engines:
        arguments.suite = [suite for suite in arguments.suite if suite != UNIT][:1]
    return arguments


def terminated(signum: int, frame: object) -> None:
    """Turn a request to end into an orderly one; timeout(1) sends it twice."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + signum)


def remaining() -> list[qemu.Machine | system.System]:
    """Return what this run has booted and not ended."""
    return [*owned.left(qemu.machines(), qemu.Machine), *owned.left(system.systems(), system.System)]


def main() -> int:
    """Run and return the exit status."""
    arguments = parse(sys.argv[1:])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, terminated)
    owned.own(logs())
    logs().mkdir(parents=True)
    owned.clean_up(LOGS, lambda name: owned.remove(LOGS / name))
    owned.clean_up(owned.SCRATCH, lambda name: owned.remove(owned.SCRATCH / name))
    owned.clean_up(qemu.machines(), lambda name: qemu.Machine(name).stop())
    owned.clean_up(system.systems(), lambda name: system.System(name).stop())
    with system.parameters_kept():
        try:
            if arguments.shell:
                return shell(next((suite for suite in arguments.suite if suite in tree.RELEASES), tree.RELEASES[0]))
            run = Run(arguments)
            results = run.suites()
            refusals = run.refusal.get(), run.refusal_of_user_mode.get()
            some = bool(arguments.k or arguments.extra)
            status = summarise(results, *refusals, partial=some, long=arguments.long)
        finally:
            owned.ending.set()
            for booted in remaining():
                if not arguments.keep:
                    owned.attempt(booted.name, booted.stop)
                elif booted.pid():
                    tool = "dev -m" if isinstance(booted, qemu.Machine) else "quick -n"
                    print(f"kept: tests/vm/{tool} {booted.name}; end it with: tests/vm/{tool} {booted.name} down")
    print(f"logs: {logs()}")
    return status
