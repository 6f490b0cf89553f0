"""`ns list`, `ns same`, `ns pin` and `ns unpin`: whose a namespace is, and what keeps it alive."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ANYWHERE = pytest.mark.anywhere("namespaces of the kernel's, and who has them open")

BUSYBOX = "/srv/roots/busybox"
SLEEPER = f"[Container]\nLayer={BUSYBOX}\nVolatile=yes\nExec=/bin/sleep 1000\n"
KINDS = ("cgroup", "ipc", "net", "mnt", "pid", "time", "user", "uts")
PINS = Path("/run/nsunit/namespaces")


def inode(pid, kind):
    return os.stat(f"/proc/{pid}/ns/{kind}").st_ino


@pytest.fixture(scope="module")
def pair(shared):
    """Two containers: one with everything of its own, one in the host's network."""
    return shared.start(SLEEPER), shared.start(SLEEPER + "Network=host\n")


@pytest.fixture
def ledger(nsunit):
    """Rows of the ledger of a container, by kind; with `left` those that are alive without it."""

    def read(name, *options):
        done = nsunit("ns", "list", name, "--json", *options, check=False)
        if done.returncode == 3:
            return {}
        assert (done.returncode, done.stderr) == (0, "")
        return {row["kind"]: row for row in json.loads(done.stdout)}

    return read


@pytest.fixture
def pin(nsunit):
    """Pin a namespace; at the end it is let go, and nothing is left of it."""
    taken = set()

    def pinner(name, kind, *place):
        taken.add(place[0] if place else name)
        return Path(nsunit("ns", "pin", name, kind, *place).stdout.rstrip("\n"))

    yield pinner
    for place in taken:
        nsunit("ns", "unpin", place, check=False)
    assert not PINS.exists()
    assert str(PINS) not in Path("/proc/self/mountinfo").read_text()


def test_every_namespace_of_a_container(pair, ledger):
    alone, _ = pair
    rows = ledger(alone.name)
    assert tuple(rows) == KINDS
    for kind, row in rows.items():
        assert row["inode"] == inode(alone.pid, kind)
        # What a container makes belongs to its user namespace, and that to the host's.
        assert row["owner"] == (inode(1, "user") if kind == "user" else inode(alone.pid, "user"))
        assert (row["processes"], row["state"], row["kept_by"]) == (1, "used", ["1 process"])


def test_the_hosts_own_is_told_apart(pair, ledger):
    row = ledger(pair[1].name)["net"]
    assert (row["inode"], row["state"], row["kept_by"]) == (inode(1, "net"), "host", ["the host"])


def test_a_session_is_one_more_process(pair, ledger):
    alone, _ = pair
    with subprocess.Popen(["nsunit", "exec", "-i", alone.name, "cat"], stdin=-1, stdout=-1, text=True) as session:
        session.stdin.write("here\n")
        session.stdin.flush()
        assert session.stdout.readline() == "here\n"
        rows = ledger(alone.name)
        # Its part of the cgroup tree is beside the payload's.
        assert {kind: row["processes"] for kind, row in rows.items() if row["processes"] != 2} == {"cgroup": 1}
        session.stdin.close()


@ANYWHERE
def test_same(pair, nsunit):
    alone, networked = pair

    def compare(*words):
        done = nsunit("ns", "same", "--no-headings", *words, check=False)
        return done.returncode, dict(line.split("\t")[:2] for line in done.stdout.splitlines())

    assert compare(alone.name, networked.name) == (1, dict.fromkeys(KINDS, "different"))
    assert compare(networked.name, "host") == (1, dict.fromkeys(KINDS, "different") | {"net": "same"})
    assert compare(networked.name, "1", "net") == (0, {"net": "same"})
    assert compare(alone.name, f"/proc/{alone.pid}/ns/pid") == (0, {"pid": "same"})


def test_a_pin_outlives_its_container(containers, nsunit, run, ledger, pin):
    container = containers.start(SLEEPER)
    number = inode(container.pid, "net")
    container.exec("true")
    path = pin(container.name, "net")
    assert path == PINS / container.name / "net"
    assert pin(container.name, "net") == path  # once more changes nothing
    assert ledger(container.name)["net"]["pins"] == [container.name]
    nsunit("stop", container.name)
    rows = ledger(container.name)
    assert {kind: row["state"] for kind, row in rows.items()} == {"net": "pinned", "user": "pinned"}
    assert (rows["net"]["inode"], rows["net"]["processes"]) == (number, 0)
    assert rows["net"]["kept_by"] == [f"pin {container.name}"]
    assert path.stat().st_ino == number
    # The tools of the host find it by its path: lo is as the container left it, up.
    assert "LOOPBACK,UP" in run("nsenter", f"--net={path}", "ip", "link", "show", "lo").stdout
    assert nsunit("ns", "same", str(path), "host", check=False).returncode == 1
    assert "alive without its container" not in nsunit("doctor", check=False).stdout
    # A later start has one of its own; the pin keeps the old one under its name.
    nsunit("start", container.name)
    refused = nsunit("ns", "pin", container.name, "net", check=False)
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (
        1,
        f"nsunit: pin '{container.name}' has another net namespace",
    )
    nsunit("ns", "unpin", container.name, "net")
    assert not path.exists()
    assert ledger(container.name)["net"]["pins"] == []


def test_a_later_container_joins_a_pin(containers, nsunit, pin):
    first = containers.start(SLEEPER)
    paths = {kind: pin(first.name, kind, "kept") for kind in ("net", "user")}
    before = {kind: inode(first.pid, kind) for kind in paths}
    nsunit("stop", first.name)
    second = containers.start(f"{SLEEPER}Network=path:{paths['net']}\nUserNamespace=path:{paths['user']}\n")
    assert {kind: inode(second.pid, kind) for kind in paths} == before
    nsunit("ns", "unpin", "kept")  # which is no matter to whom is in it
    assert second.exec("ip", "link", "show", "lo").returncode == 0


def test_other_kinds_can_be_pinned(containers, nsunit, ledger, pin):
    container = containers.start(SLEEPER)
    kinds = ("mnt", "pid", "time", "user")
    numbers = {kind: inode(container.pid, kind) for kind in kinds}
    paths = {kind: pin(container.name, kind, "all") for kind in kinds}
    nsunit("stop", container.name)
    assert {kind: path.stat().st_ino for kind, path in paths.items()} == numbers
    assert {row["state"] for row in ledger(container.name).values()} == {"pinned"}
    nsunit("ns", "unpin", "all")
    assert ledger(container.name) == {}


def test_pins_stay_out_of_other_mount_namespaces(pair, nsunit, run, pin):
    """A service from before never sees one; one that starts later gets a copy, which goes with the pin."""
    alone, _ = pair
    units = ("pin-before", "pin-after")
    begin = ("systemd-run", "--quiet", "-pType=exec", "-pPrivateMounts=yes")  # it returns when they have their mounts

    def mounts(unit):
        pid = run("systemctl", "show", "-P", "MainPID", unit).stdout.strip()
        return [line for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines() if " - nsfs " in line]

    try:
        run(*begin, f"--unit={units[0]}", "sleep", "1000")
        pin(alone.name, "net", "outlook")
        run(*begin, f"--unit={units[1]}", "sleep", "1000")
        assert mounts(units[0]) == []
        assert all(str(PINS) in line for line in mounts(units[1]))
        nsunit("ns", "unpin", "outlook")
        assert mounts(units[1]) == []
        assert nsunit("ns", "list", "--left").stdout == ""
    finally:
        run("systemctl", "stop", *units)


@ANYWHERE
@pytest.mark.parametrize("removed", [False, True], ids=["stopped", "removed"])
def test_a_leak_is_found_and_named(containers, nsunit, run, ledger, removed):
    """Somebody's open file keeps the namespace of a container that has gone."""
    container = containers.start(SLEEPER)
    number = inode(container.pid, "net")
    path = f"/proc/{container.pid}/ns/net"
    holder = subprocess.Popen(["/bin/sh", "-c", f"exec 9<{path}; echo ready; exec sleep 1000"], stdout=-1, text=True)
    assert holder.stdout.readline() == "ready\n"
    try:
        nsunit("stop", container.name)
        if removed:
            nsunit("rm", container.name)
        name = "(removed)" if removed else container.name
        rows = {row["kind"]: row for row in json.loads(nsunit("ns", "list", "--left", "--json").stdout)}
        assert {kind: (row["container"], row["state"]) for kind, row in rows.items()} == {
            "net": (name, "left"),
            "user": (name, "left"),
        }
        assert (rows["net"]["inode"], rows["net"]["kept_by"]) == (
            number,
            [f"a file that is open in {holder.pid} (sleep)"],
        )
        told = nsunit("doctor", check=False).stdout
        assert f"net {number} of {name} is alive without its container: a file that is open in {holder.pid}" in told
    finally:
        holder.kill()
        holder.communicate()
    assert nsunit("ns", "list", "--left").stdout == ""


@ANYWHERE
def test_a_mount_of_the_host_is_named(containers, nsunit, run, tmp_path):
    container = containers.start(SLEEPER)
    place = tmp_path / "he\fld\r"  # the kernel shows these as they are, and anybody in a user namespace may choose them
    place.touch()
    run("mount", "--bind", f"/proc/{container.pid}/ns/uts", str(place))
    try:
        nsunit("stop", container.name)
        rows = json.loads(nsunit("ns", "list", "--left", "--json").stdout)
        (row,) = (row for row in rows if row["kind"] == "uts")
        assert row["kept_by"][0] == f"a mount at '{place}'"
        # A shared mount has copies; those in the mount namespaces of services are named as well.
        assert all(text.startswith(f"a mount at '{place}' in the mount namespace of ") for text in row["kept_by"][1:])
    finally:
        run("umount", str(place))


@ANYWHERE
@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("pin", "{alone}", "nett"), 2, "'nett' is not a kind of namespace"),
        (("pin", "absent", "net"), 3, "container 'absent' is not defined"),
        (("pin", "{networked}", "net"), 1, "{networked}: it has no net namespace of its own, but the host's"),
        (("unpin", "absent"), 3, "there is no pin 'absent'"),
        (("same", "{alone}", "/etc/passwd"), 2, "'/etc/passwd' is not a namespace"),
    ],
)
def test_refusals(pair, nsunit, words, status, message):
    names = {"alone": pair[0].name, "networked": pair[1].name}
    done = nsunit("ns", *(word.format(**names) for word in words), check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (status, "nsunit: " + message.format(**names))


@ANYWHERE
def test_mounts_with_a_kept_upper_layer_cannot_be_pinned(containers, nsunit):
    container = containers.start(SLEEPER.replace("Volatile=yes\n", ""))
    done = nsunit("ns", "pin", container.name, "mnt", check=False)
    assert done.returncode == 1
    assert "its upper layer would stay mounted" in done.stderr
    assert not PINS.exists()
