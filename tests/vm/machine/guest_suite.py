"""A suite in a machine: boot, install the package, run tests/vm, bring the outcome and the logs out.

The tests marked before_reboot come last (tests/vm/conftest.py); then the machine is rebooted for those marked
after_reboot.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path

from . import cache, image
from .client import Client, Lost, packed
from .qemu import Machine
from .result import Result

TESTS = "/srv/nsunit/tests"
OUTCOME = "/run/nsunit-outcome.json"
REBOOT_TESTS = "vm/test_reboot.py"  # those that leave something for the tests after a reboot
TIMEOUT = 80 * 60
SILENCE = 10 * 60  # more than any test may take, see tests/vm/pytest.ini


def pytest_command(arguments: list[str], tests: str = "vm") -> list[str]:
    """Return the command that runs tests/vm, or one file of it, in the machine."""
    options = ["-c", f"{TESTS}/vm/pytest.ini", "--rootdir", TESTS, "-p", "no:cacheprovider"]
    return ["python3", "-m", "pytest", *options, *arguments, f"{TESTS}/{tests}"]


def machine_name(release: str) -> str:
    """Return the name of the machine that this run uses for a release."""
    return f"run-{os.getpid()}-{release}"


def boot(release: str, *, keep: bool = False) -> Machine:
    """Start a machine, which ends with this thread unless it is to be kept, and wait for it."""
    disk = image.image(release)
    machine = Machine(machine_name(release))
    machine.start(disk, tied=not keep)
    cache.say(f"{release}: booting")
    try:
        machine.wait_for_boot()
    except Lost as error:
        # Nothing was tested yet: under emulation a kernel dies while it boots now and then.
        cache.say(f"{release}: did not boot, once more: {error}")
        machine.stop()
        machine.start(disk, tied=not keep)
        machine.wait_for_boot()
    cache.say(f"{release}: booted")
    return machine


def install(client: Client, package: Path) -> None:
    """Install the package and the tests. Raises Lost with what dpkg said if that fails."""
    client.put(packed({f"/srv/nsunit/{package.name}": package, TESTS: cache.REPOSITORY / "tests"}))
    command = f"dpkg --install /srv/nsunit/{package.name} && dpkg --verify nsunit && nsunit --version"
    status, said = client.output(command, timeout=300)
    if status:
        raise Lost(f"the package does not install:\n{said}")
    cache.say(f"{package.name} installed: {said.splitlines()[-1]}")


def run(
    result: Result,
    package: Callable[[], Path],
    expression: str | None,
    extra: list[str],
    show: Callable[[bytes], None],
    logs: Path,
    *,
    keep: bool = False,
) -> None:
    """Run the suite of a release and take its outcome into the result."""
    machine = Machine(machine_name(result.suite))
    try:
        machine = boot(result.suite, keep=keep)
        with machine.client() as client:
            install(client, package())
            arguments = ["-v", "-p", "outcome", "--durations=10"]
            arguments += ["-k", expression] if expression else []
            try:
                test(client, pytest_command([*arguments, *extra]), show)
            except Lost as error:
                result.problems.append(str(error))
                if not machine.pid():
                    raise
        tests = collect(machine, result, logs, allow_empty=bool(expression))
        if any(name.startswith(REBOOT_TESTS) for name in tests):
            cache.say(f"{result.suite}: rebooting")
            machine.reboot()
            with machine.client() as client:
                test(client, pytest_command(["-v", "-p", "outcome", "-m", "after_reboot"], REBOOT_TESTS), show)
            collect(machine, result, logs)
    except Lost as error:
        if str(error) not in result.problems:
            result.problems.append(str(error))
        if machine.console.exists():
            console = machine.console.read_text(errors="replace")
            (logs / f"{result.suite}.console").write_text(console)
            lines = console.splitlines()
            show("\n".join(["the end of the console:", *lines[-60:], ""]).encode())
            result.problems += last_words(lines)


def test(client: Client, command: list[str], show: Callable[[bytes], None]) -> None:
    """Run tests in the machine. Raises Lost if they do not come to their end."""
    client.run(
        command,
        lambda fd, data: show(data),
        timeout=TIMEOUT,
        silence=SILENCE,
        env={"NSUNIT_OUTCOME": OUTCOME, "NSUNIT_MUST_WORK": "1", "PYTHONPATH": TESTS},
        cwd=TESTS,
    )


def last_words(console: list[str]) -> list[str]:
    """Return the lines in which a kernel says what it died of; they belong in the summary, logs may be far away."""
    return [line for line in console if any(word in line for word in ("Oops", "BUG:", "RIP: 0010", "panic - "))][-4:]


def collect(machine: Machine, result: Result, logs: Path, *, allow_empty: bool = False) -> list[str]:
    """Fetch the outcome and the journal, on a connection of their own: the one before may be in any state.

    Returns the names of the tests that there were.
    """
    (logs / f"{result.suite}.console").write_bytes(machine.console.read_bytes())
    with machine.client() as client:
        record = bytearray()
        client.run(["cat", OUTCOME], lambda fd, data: record.extend(data) if fd == 1 else None, timeout=60)
        tests = result.take(record.decode(errors="replace"), allow_empty)
        with (logs / f"{result.suite}.journal").open("ab") as journal:

            def keep(fd: int, data: bytes) -> None:
                journal.write(data)

            client.run(["journalctl", "--no-pager", "--boot"], keep, timeout=120)
    return tests


class Once:
    """A value that several threads wait for and one provides."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.path: Path | None = None

    def put(self, path: Path | None) -> None:
        """Provide the value, or None when there will be none."""
        self.path = path
        self.ready.set()

    def get(self) -> Path:
        """Wait for the value. Raises Lost when there is none."""
        self.ready.wait()
        if self.path is None:
            raise Lost("there is no package to install")
        return self.path
