"""What makes a start quick is no different from what it replaces."""

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest
from waiting import wait_until

SLEEPER = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=/bin/sleep 1000\n"
IN_PYTHON = ("/usr/bin/python3", "-c")
TABLE = '{"add": {"table": {"family": "inet", "name": "quickness"}}}'
APPLY = """
import sys
from nsunit.errors import NsunitError
from nsunit.features.network.wire import nft
nft._LIBRARY = sys.argv[2] or nft._LIBRARY
nft._PROGRAM = sys.argv[3] or nft._PROGRAM
try:
    nft.apply(eval(sys.argv[1]))
except NsunitError as error:
    print(error)
"""
MOVE = """
import os
from nsunit.storage import lock as moving
def where(): return open("/proc/self/cgroup").read()
moving._DURATION, before = 0, where()
own = moving.Moving("/sys/fs/cgroup")
own._move()  # it is allowed to: no error
own.begin()
own.end()
assert os.listdir("/proc/self/task") == [str(os.getpid())] and where() == before
"""


def applied(items, library="", program=""):
    done = subprocess.run(
        [*IN_PYTHON, APPLY, f"[{items}]", library, program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def table(run):
    yield lambda: "quickness" in run("nft", "list", "tables").stdout
    run("nft", "delete", "table", "inet", "quickness", check=False)


@pytest.mark.kernel("nftables")
@pytest.mark.parametrize("library", ["", "libnothing.so.0"], ids=["library", "program"])
def test_rules_are_one_transaction_and_errors_are_told(table, library):
    chain = '{"add": {"rule": {"family": "inet", "table": "quickness", "chain": "none", "expr": [{"accept": None}]}}}'
    said = applied(f"{TABLE}, {chain}", library)
    assert said.startswith("nft: ")
    assert "No such file or directory" in said
    assert not table()  # all or nothing
    assert applied(TABLE, library) == ""
    assert table()


def test_neither_library_nor_program(table):
    assert applied(TABLE, "libnothing.so.0", "no-nft") == "nft is not installed\n"
    assert not table()


def test_who_keeps_the_kernel_ready_stays_where_it_is():
    subprocess.run(["systemd-run", "--quiet", "--wait", "--collect", "--pipe", *IN_PYTHON, MOVE], check=True)


def on_terminal(*words):
    """Run a command of nsunit whose standard error is a terminal; returns its status and what that shows."""
    terminal, other = pty.openpty()
    process = subprocess.Popen(["nsunit", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=other)
    os.close(other)
    shown = b""
    try:
        while chunk := os.read(terminal, 4096):
            shown += chunk
    except OSError:
        pass  # all have closed it
    os.close(terminal)
    return process.wait(), shown.decode()


def test_who_looks_on_sees_how_far_it_is(define, nsunit):
    names = [define(f"{SLEEPER}[Service]\nExecStartPost=/bin/sleep {seconds}\n") for seconds in (0, 1.5, 1.8)]
    broken = define("[Container]\nRootfs=/srv/roots/none\nExec=/bin/true\n")
    status, shown = on_terminal("start", *names, broken)
    assert status != 0
    assert shown.count("/srv/roots/none") == 1  # told once, when it failed
    assert "of 4 done, " in shown.partition("/srv/roots/none")[2]
    assert shown.endswith("\x1b[K")  # and nothing is left of the line
    quiet = nsunit("start", *names, broken, check=False)
    assert "done, " not in quiet.stderr
    nsunit("stop", *names)


def test_who_interrupts_a_start_waits_for_no_program_that_is_deaf(define, run):
    """Not even one after the other, for as long as systemd would wait for each."""
    late = "[Service]\nExecStartPost=/bin/sleep 1000\nTimeoutStartSec=infinity\nTimeoutStopSec=infinity\n"
    names, quick = (
        [define(SLEEPER + late) for _ in range(3)],
        define(f"{SLEEPER}[Service]\nExecStartPost=/bin/sleep 2\n"),
    )
    units = [f"nsunit-{name}.service" for name in names]

    def states():
        return run("systemctl", "show", "--property=SubState", "--value", *units).stdout.split()

    terminal, other = pty.openpty()
    with subprocess.Popen(["nsunit", "start", *names, quick], stdin=subprocess.DEVNULL, stderr=other) as process:
        wait_until(lambda: states() == ["start-post"] * 3)
        wait_until(lambda: run("systemctl", "is-active", f"nsunit-{quick}.service", check=False).returncode == 0)
        shown = b""
        while b"1 of 4 done" not in shown:  # which comes when a second has passed
            shown = os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    os.close(other)
    assert os.read(terminal, 4096) == b"\r\x1b[Knsunit: interrupted: 1 of 4 were done\r\n"
    os.close(terminal)
    assert states() == ["dead"] * 3
    assert not any(Path("/run/nsunit/containers", name).exists() for name in names)


CALLS = """
import collections, sys
from nsunit.bus import systemd
from nsunit.cli.main import main
calls, call = collections.Counter(), systemd.Systemd._call
def count(self, path, interface, method, arguments):
    calls[method.decode()] += 1
    return call(self, path, interface, method, arguments)
systemd.Systemd._call = count
sys.argv[0] = "nsunit"
status = main()
print(*(f"{method}={number}" for method, number in calls.items()))
sys.exit(status)
"""


def calls_of(*words):
    """How often the command nsunit calls each method of systemd's."""
    done = subprocess.run([*IN_PYTHON, CALLS, *words], stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    return {method: int(number) for method, number in (word.split("=") for word in done.stdout.split() if "=" in word)}


def test_each_of_many_has_systemd_asked_little(define, nsunit):
    """Above all not to list its units, which are thousands where there are a thousand containers."""
    names = [define(SLEEPER) for _ in range(5)]
    nsunit("start", names[0])
    nsunit("stop", names[0])
    for verb, most in (("start", 3), ("stop", 17)):
        one, more = calls_of(verb, names[0]), calls_of(verb, *names[1:])
        each = {method: (number - one.get(method, 0)) / 3 for method, number in more.items()}
        assert each.get("ListUnitsByPatterns", 0) == 0, each
        assert sum(each.values()) <= most, each
