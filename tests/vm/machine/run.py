"""`tests/run`: every suite from nothing to the last test, and one honest line at the end."""

import argparse
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from . import cache, guest_suite, native, tree
from .guest_suite import Once
from .qemu import Machine
from .result import Result

SUITES = ("native", *tree.RELEASES)
LOGS = cache.REPOSITORY / "build/tests"


class Printer:
    """Passes a suite's output on line by line, with the suite's name before each, and into a log file."""

    lock = threading.Lock()

    def __init__(self, suite: str, log: Path):
        self.prefix = f"{suite:9}| ".encode()
        self.log = log.open("wb")
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


def attempt(result: Result, work: Callable[[Printer], None]) -> None:
    """Run one suite; whatever goes wrong in it is a failure of that suite and of no other."""
    begun = time.monotonic()
    printer = Printer(result.suite, LOGS / f"{result.suite}.log")
    try:
        work(printer)
    except (Exception, SystemExit) as error:
        printer(traceback.format_exc().encode())
        result.problems.append(f"{type(error).__name__}: {error}")
    finally:
        printer.close()
        result.seconds = time.monotonic() - begun
        if result.suite in SUITES:
            cache.say(result.line())


def build_package(result: Result, package: Once) -> None:
    """Build the Debian package for the machines."""
    command = [str(cache.REPOSITORY / "packaging/build-deb")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        result.problems.append(f"packaging/build-deb ended with status {done.returncode}")
        package.put(None)
        return
    path = Path(done.stdout.strip())
    cache.say(f"package built: {path.name}, {path.stat().st_size // 1024} KB")
    package.put(path)


def run_suites(arguments: argparse.Namespace) -> list[Result]:
    """Run the suites that were asked for and return their results, in order.

    The machines' trees are made while the native tests run, and the machines run side by side: one that waits for its
    systemd leaves the processor to the other.
    """
    results = {suite: Result(suite) for suite in arguments.suite}
    package = Once()
    threads = []
    for release in tree.RELEASES:
        if release in results:

            def work(show: Printer, result: Result = results[release]) -> None:
                guest_suite.run(result, package.get, arguments.k, arguments.extra, show, LOGS, keep=arguments.keep)

            threads.append(threading.Thread(target=attempt, args=(results[release], work), daemon=True))
    everything = [*results.values()]
    if threads:
        build = Result("package")
        everything.insert(0, build)
        attempt(build, lambda show: build_package(build, package))
        package.ready.set()
    for thread in threads:
        thread.start()
    if "native" in results:
        attempt(
            results["native"],
            lambda show: native.run(results["native"], arguments.k, arguments.extra, show),
        )
    for thread in threads:
        thread.join()
    return everything


def shell(release: str) -> int:
    """Boot a machine, install the package and give this terminal a shell in it."""
    package, build = Once(), Result("package")
    build_package(build, package)
    machine = guest_suite.boot(release)
    try:
        with machine.client() as client:
            guest_suite.install(client, package.get())
            return client.interact(["bash", "-l"])
    finally:
        machine.stop()


def summarise(results: list[Result]) -> int:
    """Print what failed and the closing lines; return the exit status."""
    print()
    for result in results:
        for text in (*result.failed, *result.problems):
            print(f"FAILED {result.suite}: {text}")
    for result in results:
        if result.suite in SUITES:
            print(result.line())
    passed, failed = sum(result.passed for result in results), sum(result.bad for result in results)
    skipped = sum(len(result.skipped) for result in results)
    minutes, seconds = divmod(int(time.monotonic() - cache.START), 60)
    print(f"{passed} passed, {failed} failed, {skipped} skipped as expected in {minutes}:{seconds:02}", flush=True)
    return 1 if failed or not passed else 0


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(
        prog="tests/run",
        description="Run all tests: linters and unit tests here, the rest in virtual machines with their own systemd.",
        epilog="What follows -- goes to pytest. To keep a machine running while you work, see tests/vm/dev --help.",
    )
    parser.add_argument("-k", metavar="EXPR", help="only tests that match, as pytest's -k")
    parser.add_argument("--suite", action="append", choices=SUITES, help="only this one; can be given several times")
    parser.add_argument("--keep", action="store_true", help="leave the machines running")
    parser.add_argument("--shell", action="store_true", help="a root shell in the machine instead of the tests")
    own, extra = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
    arguments = parser.parse_args(own)
    arguments.extra = extra
    arguments.suite = [suite for suite in SUITES if suite in (arguments.suite or SUITES)]
    return arguments


def terminated(signum: int, frame: object) -> None:
    """Turn a request to end into an orderly one; timeout(1) sends it twice."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + signum)


def main() -> int:
    """Run and return the exit status."""
    arguments = parse(sys.argv[1:])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, terminated)
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    releases = [suite for suite in arguments.suite if suite in tree.RELEASES]
    try:
        if arguments.shell:
            return shell((releases or [*tree.RELEASES])[0])
        status = summarise(run_suites(arguments))
    finally:
        for release in releases:
            machine = Machine(guest_suite.machine_name(release))
            if not arguments.keep:
                machine.stop()
            elif machine.pid():
                print(f"kept: tests/vm/dev -m {machine.name} shell; end it with: tests/vm/dev -m {machine.name} down")
    print(f"logs: {LOGS}")
    return status
