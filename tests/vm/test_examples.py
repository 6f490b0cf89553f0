"""The example definitions: each starts, does what the comment in it says, and stops; and the tour of packaging/try."""

import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("what each key of it does is shown on all releases by the key's own tests")

EXAMPLES = Path("/usr/share/doc/nsunit/examples")
ROOTS = Path("/srv/roots")
FETCH = "import urllib.request; print(urllib.request.urlopen('http://{}/').status)"
SHOWN = ("web", "spin@", "hungry")


def text(name):
    return (EXAMPLES / f"{name}.nsunit").read_text()


def fetched(url):
    """The status of what a web server answers, as soon as there is one."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.status
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline
            time.sleep(0.2)


def fetched_inside(container, address):
    wait_until(lambda: ":" + address.rpartition(":")[2] in listening(container), "its server")
    return container.exec("python3", "-c", FETCH.format(address)).stdout


def listening(container):
    """The ports of TCP that something listens on in the container."""
    rows = [line.split() for line in container.proc("net/tcp").splitlines()[1:]]
    return [f":{int(row[1].partition(':')[2], 16)}" for row in rows if row[3] == "0A"]


def is_gone(container, nsunit):
    nsunit("stop", container.name)
    return not container.cgroup.exists()


@pytest.fixture
def beside(containers):
    """Write a definition that is no container's, as an example beside others."""

    def write(name):
        path = Path("/etc/nsunit") / f"{name}.nsunit"
        path.parent.mkdir(exist_ok=True)
        containers.files.append(path)
        path.write_text(text(name))

    return write


def test_all_of_them_are_right(containers, beside, nsunit):
    names = sorted(path.name.removesuffix(".nsunit") for path in EXAMPLES.glob("*.nsunit"))
    for name in names:
        beside(name)
    for name in names:
        if name not in ("os", "owner@"):  # what they name is made for them below
            assert nsunit("verify", name).returncode == 0


def test_web(containers, nsunit):
    container = containers.start(text("web"), "web")
    assert fetched_inside(container, "127.0.0.1:8080") == "200\n"
    assert container.exec("id", "-un").stdout == "www-data\n"
    container.exec("touch", "/srv/written", "/tmp/written", check=False)
    nsunit("exec", "-u", "root", "web", "touch", "/written")
    nsunit("restart", "web")
    assert container.exec("test", "-e", "/written", check=False).returncode == 1
    assert not (ROOTS / "debian/written").exists()
    limits = {"CPUQuotaPerSecUSec": "500ms", "MemoryMax": str(128 << 20)}
    assert container.show(*limits, unit=container.slice) == limits
    assert is_gone(container, nsunit)


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_site(containers, nsunit):
    container = containers.start(text("site"), "site")
    assert fetched("http://127.0.0.1:8080/") == 200
    assert is_gone(container, nsunit)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen("http://127.0.0.1:8080/", timeout=10)


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_sleeper(containers, nsunit):
    """Ten minutes are four seconds here."""
    container = containers.of(containers.define(text("sleeper"), "sleeper", soon="[Container]\nIdleStop=4s\n"))
    nsunit("start", "sleeper")
    assert "listening" in nsunit("list").stdout
    assert container.show("ActiveState") == {"ActiveState": "inactive"}
    assert fetched("http://127.0.0.1:8088/") == 200
    assert container.show("ActiveState") == {"ActiveState": "active"}
    wait_until(lambda: container.show("ActiveState") == {"ActiveState": "inactive"}, "the end of what nobody needs")
    assert fetched("http://127.0.0.1:8088/") == 200
    assert is_gone(container, nsunit)


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_blog(containers, beside, nsunit):
    beside("blog.pod")
    container = containers.member("blog", text("blog-web"), "blog-web")
    path = Path("/etc/nsunit/blog-web.nsunit")
    path.write_text(text("blog-web"))  # it says itself which pod it is in
    containers.own("blog.pod")
    nsunit("start", "blog.pod")
    assert fetched("http://127.0.0.1:8088/") == 200
    assert container.exec("hostname").stdout == "blog\n"
    limits = {"MemoryMax": str(256 << 20), "TasksMax": "200"}
    assert container.show(*limits, unit="nsunit-blog.slice") == limits
    nsunit("stop", "blog.pod")
    assert not container.cgroup.exists()
    assert nsunit("list", "--names").stdout == ""


@ANYWHERE
def test_shop(containers, beside, nsunit):
    beside("shop.slice")
    containers.groups.append("shop")
    container = containers.member("shop", text("shop-front"), "shop-front")
    Path("/etc/nsunit/shop-front.nsunit").write_text(text("shop-front"))
    nsunit("start", "shop-front")
    tree = nsunit("list", "--tree", "--names").stdout.split()
    assert {"shop.slice", "shop-front"} <= set(tree)
    assert fetched_inside(container, "127.0.0.1:8081") == "200\n"
    assert container.show("CPUWeight", unit=container.slice) == {"CPUWeight": "200"}
    limits = {"CPUQuotaPerSecUSec": "1s", "MemoryMax": str(256 << 20), "TasksMax": "200"}
    assert container.show(*limits, unit="nsunit-shop.slice") == limits
    assert is_gone(container, nsunit)


@ANYWHERE
def test_spin(containers, nsunit):
    containers.define(text("spin@"), "spin@")
    spins = [containers.of(containers.own(name)) for name in ("spin@a", "spin@b")]
    nsunit("start", "spin@a", "spin@b")
    for spin in spins:
        assert spin.exec("hostname").stdout == spin.name.replace("@", "-") + "\n"
        limits = {"CPUQuotaPerSecUSec": "250ms", "TasksMax": "16"}
        assert spin.show(*limits, unit=spin.slice) == limits
    nsunit("stop", "spin@a", "spin@b")
    assert not any(spin.cgroup.exists() for spin in spins)


@ANYWHERE
@pytest.mark.machine("controllers")
def test_hungry(containers, nsunit):
    containers.start(text("hungry"), "hungry")
    assert "oom-kill" in nsunit("wait", "hungry", check=False).stdout
    assert "the kernel killed it for lack of memory" in nsunit("status", "hungry", check=False).stdout


@ANYWHERE
def test_owner(containers, nsunit):
    """What it writes is the person's, everything else outside is nobody's."""
    place = Path("/srv/demo")
    place.mkdir()
    os.chown(place, 1000, 1000)
    try:
        containers.define(text("owner@"), "owner@")
        container = containers.of(containers.own("owner@demo"))
        nsunit("start", container.name)
        wait_until(lambda: (place / "log").exists(), "what it writes")
        assert (place / "log").stat().st_uid == 1000
        assert container.proc("uid_map").split() == ["0", "600000", "1000", "1000", "1000", "1"]
        assert is_gone(container, nsunit)
    finally:
        shutil.rmtree(place)


@ANYWHERE
def test_debug(containers, nsunit):
    web = containers.start(text("web"), "web")
    containers.define(text("debug@"), "debug@")
    debug = containers.of(containers.own("debug@web"))
    nsunit("start", debug.name)
    seen = debug.exec("sh", "-c", "cat /proc/1/cmdline; echo; cat /etc/debian_version; id -u").stdout
    assert "http.server" in seen
    assert seen.endswith("\n0\n")
    assert os.readlink(f"/proc/{web.pid}/ns/net") in debug.exec("readlink", "/proc/self/ns/net").stdout
    nsunit("stop", "web")
    wait_until(lambda: not debug.cgroup.exists(), "the end of what looks into it")


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_backend(containers, beside, nsunit):
    beside("backend.network")
    try:
        lines = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nNetwork=backend\n"
        lines += "Exec=/bin/nc -ll -p 80 -e /bin/hostname\n"
        one, other = (containers.start(lines, name) for name in ("back-one", "back-other"))
        assert one.exec("nc", "back-other.backend.internal", "80").stdout == "back-other\n"
        assert other.exec("nc", "back-one", "80").stdout == "back-one\n"
        assert "default" not in one.exec("ip", "route").stdout  # nothing from outside
        nsunit("stop", one.name, other.name)
    finally:
        nsunit("network", "rm", "backend", check=False)


def test_os(containers, nsunit, run):
    """Its root is the machine's own here; the machine's agent would wait for its serial port inside."""
    root = ROOTS / "os"
    root.mkdir()
    run("mount", "--bind", "/", str(root))
    drop_in = """[Container]
Volatile=yes
BindReadOnly=/dev/null:/etc/systemd/system/test-agent.service
[Service]
TimeoutStartSec=250
"""
    try:
        container = containers.start(text("os"), "os", agent=drop_in)
        assert container.exec("systemctl", "is-active", "multi-user.target").stdout == "active\n"
        limits = {"CPUQuotaPerSecUSec": "2s", "MemoryMax": str(1 << 30)}
        assert container.show(*limits, unit=container.slice) == limits
        assert is_gone(container, nsunit)
    finally:
        run("umount", str(root), check=False)
        root.rmdir()


def tour(**options):
    return subprocess.run([EXAMPLES / "show"], capture_output=True, text=True, timeout=280, check=False, **options)


@ANYWHERE
@pytest.mark.machine("controllers")
def test_the_tour_shows_what_it_says_and_leaves_nothing(nsunit, run):
    before = sorted(Path("/var/lib/nsunit").glob("*/*"))
    done = tour()
    told = [line for line in done.stderr.splitlines() if line.startswith("nsunit: ")]
    killed = [f"nsunit: spin@{name}: killed, since its program has no handler for SIGTERM" for name in "ab"]
    assert (done.returncode, sorted(told)) == (0, killed), done.stderr
    parts = re.split(r"\n\x1b\[1m(.*)\x1b\[0m\n", done.stdout)[1:]
    titles, said = parts[::2], parts[1::2]
    assert [title.partition(":")[0].split()[0] for title in titles] == ["A", "What", "The", "A", "A", "Everything"]
    first, inside, outside, cpu, memory, end = said
    assert text("web") in first
    assert "process 1: /usr/bin/python3 -m http.server" in inside
    assert "www-data" in inside
    assert re.search(r"^ *0 +\d+ +65536$", inside, re.M)
    assert re.search(r"Seccomp:\t2\n", inside)
    assert "http.server" in outside
    assert "nsunit-web.service" in outside
    (spent,) = re.findall(r"spin@a had (\d+) ms", cpu)
    assert 300 < int(spent) < 4000
    assert "lack of memory" in memory
    assert "nsunit-*.slice\x1b[0m\n\x1b[2m# ls" in end  # none is listed
    assert (
        run("systemctl list-units --all --plain --no-legend 'nsunit-web*' 'nsunit-spin*' 'nsunit-hungry*'").stdout == ""
    )
    assert sorted(Path("/var/lib/nsunit").glob("*/*")) == before
    assert not any(Path(f"/etc/nsunit/{name}.nsunit").exists() for name in SHOWN)


def test_the_tour_leaves_alone_what_is_somebody_else_s(containers, nsunit):
    container = containers.start("[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=sleep 1000\n", "web")
    pid = container.pid
    done = tour()
    assert (done.returncode, done.stderr) == (1, "try: there is a container of that name already: web\n")
    assert container.pid == pid
    assert not any(Path(f"/etc/nsunit/{name}.nsunit").exists() for name in SHOWN if name != "web")


def test_the_tour_cleans_up_when_it_is_interrupted(nsunit):
    """It cannot even start its first container."""
    place = ROOTS / "debian"
    place.rename(ROOTS / "debian.away")
    try:
        done = tour()
        assert done.returncode == 1
        assert "Rootfs=: '/srv/roots/debian' does not exist" in done.stderr
        assert not any(Path(f"/etc/nsunit/{name}.nsunit").exists() for name in SHOWN)
        assert nsunit("list", "--all", "--names").stdout == ""
    finally:
        (ROOTS / "debian.away").rename(place)
