"""`nsunit why`: what limits a container, and who."""

import errno
import json
from pathlib import Path

import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("files of the kernel's, which are read")
SERVE = "exec sleep 1000\n"
SLICE = Path("/sys/fs/cgroup/nsunit.slice")
LIMITS = ("[Slice]", "MemoryMax=200M", "TasksMax=40", "CPUQuota=50%", "AllowedCPUs=0", "CPUWeight=20")


@pytest.fixture(scope="module")
def web(shared, program):
    return shared.start(program(SERVE, "", *LIMITS))


@pytest.fixture
def tight(run):
    """Limits of nsunit.slice for one test."""

    def limit(*assignments):
        run("systemctl", "set-property", "--runtime", "nsunit.slice", *assignments)

    yield limit
    run("systemctl", "revert", "nsunit.slice")


def why(nsunit, *words):
    return {item["key"]: item for item in json.loads(nsunit("why", "--json", *words).stdout)}


def is_gone():
    """Remove the slice's cgroup unless systemd does; what has just been killed in there may not have gone yet."""
    try:
        SLICE.rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        assert error.errno == errno.EBUSY
    return False


@ANYWHERE
@pytest.mark.machine("controllers")
def test_before_the_start(define, program, nsunit, tight, run):
    """First of all tests, as nothing may run in nsunit.slice."""
    name = define(program(SERVE, "", "[Slice]", "MemoryMax=200M", "MemoryLow=50M", "TasksMax=20"))
    run("systemctl", "stop", "nsunit.slice")
    tight("MemoryMax=100M", "TasksMax=30")
    wait_until(is_gone, "the slice is empty")  # as after a boot: systemd alone knows of it
    moot = f"nsunit: warning: {name}: MemoryMax= has no effect: nsunit.slice has a tighter limit\n"
    low = f"nsunit: warning: {name}: MemoryLow= protects less than it says: nsunit.slice does not protect as much\n"
    done = nsunit("start", name)
    assert (done.stdout, done.stderr) == ("", low + moot)
    assert nsunit("start", name).stderr == ""  # it runs already
    nsunit("stop", name)

    assert SLICE.exists()  # and now the kernel does
    assert nsunit("verify", name).stderr == low + moot
    found = why(nsunit, name)
    assert (found["MemoryMax"]["asked"], found["MemoryMax"]["effective"]) == (200 << 20, 100 << 20)
    assert (found["MemoryMax"]["kernel"], found["TasksMax"]["effective"]) == (None, 20)
    assert nsunit("start", name).stderr == low + moot
    nsunit("stop", name)

    tight("MemoryMax=infinity", "MemoryLow=50M")
    found = why(nsunit, name)["MemoryLow"]
    assert (found["effective"], found["tightest"], found["notes"]) == (50 << 20, f"nsunit-{name}.slice", [])


@ANYWHERE
@pytest.mark.machine("cpuset")
def test_asked_effective_kernel(web, nsunit):
    found = why(nsunit, web.name)
    assert found.keys() >= {"MemoryMax", "TasksMax", "CPUQuota", "AllowedCPUs", "CPUWeight"}
    memory = found["MemoryMax"]
    assert (memory["asked"], memory["effective"], memory["tightest"]) == (200 << 20, 200 << 20, web.slice)
    assert memory["kernel"].strip() == web.limit("memory.max")
    assert [step["unit"] for step in memory["steps"]] == ["nsunit.slice", web.slice, web.service]
    assert (found["CPUQuota"]["effective"], found["CPUQuota"]["kernel"]) == (500_000, "50000 100000\n")
    assert (found["AllowedCPUs"]["effective"], found["AllowedCPUs"]["tightest"]) == ([0], web.slice)
    assert found["TasksMax"]["effective"] == 40
    assert found["CPUWeight"]["effective"] == 20
    assert not [note for item in found.values() for note in item["notes"]]


@ANYWHERE
@pytest.mark.machine("controllers")
def test_the_ancestor_that_is_the_tightest(web, nsunit, tight):
    tight("MemoryMax=100M", "TasksMax=10000")
    found = why(nsunit, web.name)
    assert (found["MemoryMax"]["effective"], found["MemoryMax"]["tightest"]) == (100 << 20, "nsunit.slice")
    assert found["MemoryMax"]["notes"] == ["MemoryMax= has no effect: nsunit.slice has a tighter limit"]
    assert (found["TasksMax"]["effective"], found["TasksMax"]["tightest"]) == (40, web.slice)
    table = nsunit("why", web.name).stdout
    assert "note: MemoryMax= has no effect: nsunit.slice has a tighter limit\n" in table
    steps = nsunit("why", web.name, "MemoryMax").stdout
    assert f"nsunit.slice\t100M\t{100 << 20}\n" in steps
    assert "effective: 100M, by nsunit.slice\n" in steps


def test_a_controller_that_is_missing(containers, program, nsunit, tight):
    tight("DisableControllers=io")
    container = containers.start(program(SERVE, "", "[Slice]", "IOWeight=50"))
    assert not (container.cgroup / "io.weight").exists()
    found = why(nsunit, container.name)
    assert found["IOWeight"]["kernel"] is None
    note = f"{container.slice}: IOWeight= has no effect: the controller io is not enabled below nsunit.slice"
    assert found["IOWeight"]["notes"] == [note]


@ANYWHERE
@pytest.mark.machine("controllers")
def test_something_else_has_changed_it(web, nsunit, run):
    (web.cgroup / "pids.max").write_text("99\n")
    try:
        found = why(nsunit, web.name, "TasksMax")["TasksMax"]
        assert (found["asked"], found["effective"], found["kernel"]) == (40, 99, "99\n")
        (note,) = found["notes"]
        assert note.startswith(f"{web.slice}: pids.max is not what systemd was asked for; ")
    finally:
        (web.cgroup / "pids.max").write_text("40\n")


@ANYWHERE
@pytest.mark.machine("controllers")
def test_a_limit_of_a_disk(containers, program, nsunit, scratch_disk):
    container = containers.start(program(SERVE, "", "[Slice]", f"IOWriteBandwidthMax={scratch_disk} 1M"))
    found = why(nsunit, container.name)["IOWriteBandwidthMax"]
    assert container.limit("io.max").startswith(found["device"] + " ")
    assert (found["effective"], found["tightest"], found["notes"]) == (1_000_000, container.slice, [])


def test_what_is_no_limit(web, nsunit):
    done = nsunit("why", web.name, "MemoryMx", check=False)
    assert done.returncode == 2
    assert done.stderr == "nsunit: 'MemoryMx' is not a limit 'why' knows\n  hint: did you mean 'MemoryMax'?\n"
    assert nsunit("why", "nothing", check=False).returncode == 3
