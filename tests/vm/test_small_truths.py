"""Small truths about namespaces and containers, each shown on a real system with nsunit's own verbs.

People learn from such a tool, so each of these can be read on its own, and tried by hand.
"""

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from counts import count
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("links of the kernel's")
BUSYBOX = "/srv/roots/busybox"
SLEEPER = f"[Container]\nLayer={BUSYBOX}\nVolatile=yes\nExec=/bin/sleep 100000\n"
SESSIONS = count("SESSIONS")


@pytest.fixture(scope="module")
def pair(shared):
    """Two containers with everything of their own."""
    return shared.start(SLEEPER), shared.start(SLEEPER)


@pytest.fixture
def link(run):
    """Make a network device on the host; whatever becomes of it, it is gone at the end."""
    made = []

    def maker(*words):
        run("ip", "link", "add", *words)
        made.append(words[0])

    yield maker
    for name in made:
        run("ip", "link", "delete", name, check=False)


def test_unshare_does_not_move_its_caller_to_a_new_pid_namespace(nsunit, pair):
    """unshare(2) makes a PID namespace for the children; the caller stays where it is.  clone(2) begins inside."""
    with subprocess.Popen(["unshare", "--pid", "sleep", "1000"]) as caller:
        try:
            wait_until(lambda: Path(f"/proc/{caller.pid}/comm").read_text() == "sleep\n", "unshare gets there")
            assert nsunit("ns", "same", "--no-headings", str(caller.pid), "host", "pid").stdout.startswith(
                "pid\tsame\t"
            )
        finally:
            caller.kill()
    # A container's program was cloned into its namespace: one process, two numbers.
    one, _ = pair
    assert nsunit("ns", "same", "--no-headings", one.name, "host", "pid", check=False).stdout.startswith(
        "pid\tdifferent\t"
    )
    assert one.status()["NSpid"].split() == [str(one.pid), "1"]


def test_nothing_can_be_started_when_process_1_has_ended(run):
    """The first child is process 1 of the new namespace.  With its end the namespace takes no more processes."""
    script = "import os\nos.waitpid(os.fork() or os._exit(0), 0)\nos.fork()"
    done = run("unshare", "--pid", "python3", "-c", script, check=False)
    assert done.stderr.splitlines()[-1] == "OSError: [Errno 12] Cannot allocate memory"


def test_the_end_of_process_1_ends_everything_in_its_namespace(containers, nsunit):
    """The kernel kills what is left, sessions as well, however far from process 1 they began."""
    container = containers.start(SLEEPER)
    words = ["nsunit", "exec", "-i", container.name, "sh", "-c", "trap '' TERM HUP; echo up; cat"]
    with subprocess.Popen(words, stdin=-1, stdout=-1) as session:
        assert session.stdout.readline() == b"up\n"
        nsunit("kill", "--kill-whom=main", "--signal=SIGKILL", container.name)
        assert session.wait(60) == 137


ADOPTS = """
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
session = subprocess.Popen(["nsunit", "exec", sys.argv[1], "sh", "-c", "echo up; sleep 1000"], stdout=subprocess.PIPE)
session.stdout.readline()
session.kill()
session.wait()
print("left", flush=True)
sys.stdin.read()
"""


@pytest.mark.kernel("unreaped processes in removed cgroups")
@pytest.mark.once("it is between nsunit and the kernel, and waits for systemd's time-outs")
def test_process_1_ends_last_and_who_keeps_it_is_told(containers, nsunit):
    """What has ended and was not waited for is in the namespace; who has adopted it waits for nobody here."""
    container = containers.start(SLEEPER + "[Service]\nTimeoutStopSec=100ms\n")
    first = Path(f"/proc/{container.pid}")
    words = ("python3", "-c", ADOPTS, container.name)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"left\n"
        told = nsunit("stop", container.name).stderr
        assert f"process {parent.pid} has not waited for it: until then the container's own cannot end\n" in told
        parent.stdin.close()
    wait_until(lambda: not first.exists(), "its end")


def test_a_new_network_namespace_has_only_lo(nsunit, pair):
    one, _ = pair
    assert one.exec("ls", "/sys/class/net").stdout == "lo\n"
    shown = nsunit("enter", one.name, "ip", "-o", "link").stdout  # the same, seen by the host's tools
    assert shown.count("\n") == 1
    assert "lo:" in shown


def test_a_device_is_in_exactly_one_network_namespace(nsunit, run, pair, link):
    one, other = pair

    def homes():
        tools = {"host": ("ip",), **{item.name: ("nsunit", "enter", "-n", "net", item.name, "ip") for item in pair}}
        return [
            name for name, words in tools.items() if run(*words, "link", "show", "end1", check=False).returncode == 0
        ]

    link("end0", "type", "veth", "peer", "name", "end1")
    assert homes() == ["host"]
    run("ip", "link", "set", "end1", "netns", str(one.pid))
    assert homes() == [one.name]
    # On it goes, from one container to the other; its other end has stayed and still knows it.
    nsunit("enter", "-n", "net", one.name, "ip", "link", "set", "end1", "netns", str(other.pid))
    assert homes() == [other.name]
    assert "end0@if" in run("ip", "-o", "link", "show", "end0").stdout


@ANYWHERE
@pytest.mark.machine("dummy links")
def test_the_end_of_a_network_namespace_ends_what_is_virtual_and_gives_back_the_rest(containers, nsunit, run, link):
    """A dummy or veth dies with its namespace, and takes its peer along.  A device of a driver comes home."""
    container = containers.start(SLEEPER)
    link("dummy7", "type", "dummy")
    link("end0", "type", "veth", "peer", "name", "end1")
    run("modprobe", "eql")  # of those that are there without hardware the one that is no link type of ip-link(8)
    try:
        for name in ("dummy7", "end1", "eql"):
            run("ip", "link", "set", name, "netns", str(container.pid))
        devices = {entry.name for entry in Path("/sys/class/net").iterdir()}
        assert devices & {"dummy7", "end0", "end1", "eql"} == {"end0"}
        nsunit("stop", container.name)
        # The kernel tears a namespace down when it gets to it.
        wait_until(lambda: Path("/sys/class/net/eql").exists(), "eql comes home")
        wait_until(lambda: not Path("/sys/class/net/end0").exists(), "end0 goes with its peer")
        assert not Path("/sys/class/net/dummy7").exists()
    finally:
        run("modprobe", "--remove", "eql")


def test_a_uts_namespace_begins_as_a_copy(nsunit, run, pair):
    """The host name is copied at the beginning, and nobody's business afterwards."""
    one, other = pair
    host = os.uname().nodename
    shown = run("unshare", "--uts", "sh", "-c", "hostname; hostname changed; hostname").stdout
    assert shown.split() == [host, "changed"]
    nsunit("enter", one.name, "-n", "uts", "hostname", "renamed")
    assert one.exec("hostname").stdout == "renamed\n"
    assert other.exec("hostname").stdout == f"{other.name}\n"
    assert os.uname().nodename == host


def test_what_the_host_mounts_later_does_not_appear_inside(containers, run, tmp_path):
    """A container has the mounts of its beginning: its mount namespace is not in the host's peer groups."""
    tmp_path.chmod(0o755)  # whoever is nobody inside may look
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    run("mount", "-t", "tmpfs", "small", str(before))
    try:
        (before / "file").touch()
        container = containers.start(SLEEPER + f"Bind={tmp_path}:/seen\n")
        run("mount", "-t", "tmpfs", "small", str(after))
        try:
            (after / "file").touch()
            assert container.exec("find", "/seen", "-name", "file").stdout == "/seen/before/file\n"
        finally:
            run("umount", str(after))
        # And the other way round: what is mounted here and unmounted there stays here.
        run("umount", str(before))
        assert container.exec("find", "/seen", "-name", "file").stdout == "/seen/before/file\n"
    finally:
        run("umount", str(before), check=False)


def test_ids_are_mapped_both_ways(pair):
    """Root inside is somebody without a name outside; who has no number inside is 65534 there."""
    one, _ = pair
    inside, start, count = (int(number) for number in one.proc("uid_map").split())
    assert (inside, count) == (0, 65536)
    one.exec("touch", "/tmp/of-root")
    file = one.root / "tmp/of-root"
    assert file.stat().st_uid == start
    for outside, seen in ((start + 1000, 1000), (0, 65534), (start + count, 65534)):
        os.chown(file, outside, outside)
        assert one.exec("stat", "-c", "%u:%g", "/tmp/of-root").stdout == f"{seen}:{seen}\n"
    # Inside even root cannot take what belongs to nobody there.
    assert one.exec("chown", "0", "/tmp/of-root", check=False).returncode == 1


def traces(run):
    """All in which a session could leave something: of a kind that can be counted, how many."""
    units = run("systemctl", "list-units", "--all", "--plain", "--no-legend").stdout.splitlines()
    processes = [entry for entry in os.listdir("/proc") if entry.isdigit()]
    files = [str(path) for top in ("/run/nsunit", "/run/systemd/transient") for path in Path(top).rglob("*")]
    return {
        "units": Counter(line.split()[0] for line in units if line.startswith("nsunit")),
        "processes": Counter(_command(pid) for pid in processes),
        "mounts": Counter(Path("/proc/1/mountinfo").read_text().splitlines()),
        "files": Counter(files),
        "cgroups": Counter(str(path) for path in Path("/sys/fs/cgroup/nsunit.slice").rglob("*/")),
        "namespaces": Counter(run("lsns", "--noheadings", "--output", "NS").stdout.split()),
        "files of systemd": Counter({"open": len(os.listdir("/proc/1/fd"))}),
        "left": Counter(run("nsunit", "ns", "list", "--left").stdout.splitlines()),
    }


def _command(pid):
    """A process as those of a session would be told apart; kernel threads come and go as they like."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text() and Path(f"/proc/{pid}/comm").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.mark.timeout(max(300, SESSIONS * 6))
def test_sessions_leave_nothing(run, pair):
    one, _ = pair
    one.exec("true")  # what the first one loads stays loaded
    before = traces(run)
    for number in range(SESSIONS):
        done = one.exec("true", check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), f"session {number}"

    def more():
        after = traces(run)
        found = {kind: after[kind] - before[kind] for kind in before}
        return {kind: list(left) for kind, left in found.items() if left and kind != "processes"} | {
            "processes": [name for name in found["processes"] if name]
        }

    # systemd forgets a scope a moment after its last process.
    wait_until(lambda: more() == {"processes": []}, "nothing is left", timeout=30)
