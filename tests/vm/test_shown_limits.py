"""A program sees the limits it lives under: the tightest ones of slice, service and groups, where it looks for them."""

import re
from pathlib import Path

import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("files of the kernel's")
MIB = 1 << 20
SLEEP = "[Container]\nLayer=/srv/roots/busybox\nVolatile=yes\nExec=sleep 1000\n"
FILES = ("memory.max", "memory.high", "memory.swap.max", "cpu.max", "pids.max")
FREE = ("max", "max", "max", "max 100000", "1024")
# As Go and the JVM go about it: the mount by its type, whichever comes last or first, and the group's path below it.
LOOK = f"""
set -e
mounts=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \\([^ ]*\\) .* - cgroup2 .*/\\1/p' /proc/self/mountinfo | sort -u)
cd "$mounts$(sed -n 's/^0:://p' /proc/self/cgroup)"
grep -q cpu cgroup.controllers && grep -q memory cgroup.controllers
cat {" ".join(FILES)}
"""


def shown(container):
    """What the payload sees, which is what a session sees as well."""
    session = container.exec("sh", "-c", LOOK).stdout.splitlines()
    assert session == [(container.root / "sys/fs/cgroup" / file).read_text().strip() for file in FILES]
    return tuple(session)


def await_memory(container, mebibytes):
    """Wait until the payload sees that limit."""
    file = container.root / "sys/fs/cgroup/memory.max"
    wait_until(lambda: file.read_text() == f"{mebibytes * MIB}\n", f"{mebibytes} MiB")


def limits(**changed):
    """The values of FILES, those apart that are *changed*, with an underscore for the dot."""
    names = [file.replace(".", "_") for file in FILES]
    assert changed.keys() <= set(names)
    return tuple(changed.get(name, free) for name, free in zip(names, FREE, strict=True))


@ANYWHERE
@pytest.mark.machine("controllers")
def test_those_of_its_slice(containers, nsunit, run):
    """They are the kernel's own files, so they change with the slice, whoever changes it."""
    container = containers.start(SLEEP + "[Slice]\nMemoryMax=256M\nCPUQuota=50%\nTasksMax=4096\n")
    assert shown(container) == limits(memory_max=str(256 * MIB), cpu_max="50000 100000", pids_max="4096")
    nsunit("set", container.name, "MemoryMax=128M", "TasksMax=")
    run("systemctl", "set-property", "--runtime", container.slice, "CPUQuota=150%", "MemoryHigh=100M")
    expected = limits(memory_max=str(128 * MIB), memory_high=str(100 * MIB), cpu_max="150000 100000")
    assert shown(container) == expected
    set_property = ("systemctl", "set-property", "--runtime")
    run(*set_property, "nsunit.slice", "MemoryMax=90M")
    try:
        await_memory(container, 90)  # a first limit there
        run(*set_property, container.slice, "MemoryMax=80M")
        await_memory(container, 80)
        nsunit("restart", container.name)
        assert shown(container) == limits(memory_max=str(90 * MIB), cpu_max="50000 100000", pids_max="4096")
        run(*set_property, container.slice, "MemoryMax=70M", "CPUQuota=150%")
        await_memory(container, 70)
        run(*set_property, "nsunit.slice", "MemoryMax=60M")
        await_memory(container, 60)
        # After revert, or whatever else takes the file away, the kernel keeps the limit until a unit starts anywhere.
        run(*set_property, "nsunit.slice", "MemoryMax=infinity")
        await_memory(container, 70)
    finally:
        run("systemctl", "revert", "nsunit.slice")
    assert shown(container) == limits(memory_max=str(70 * MIB), cpu_max="150000 100000", pids_max="4096")
    look = ("-p", "Layer=/srv/roots/busybox", "-p", "Slice.MemoryMax=70M", "-p", "Service.Delegate=no")
    assert nsunit("run", *look, "sh", "-c", LOOK).stdout.splitlines()[0] == str(70 * MIB)


@pytest.mark.machine("controllers")
def test_those_of_the_service_and_of_a_group(containers, nsunit, run):
    group = containers.define_group("[Slice]\nMemoryMax=64M\nTasksMax=50\n")
    service = "[Slice]\nTasksMax=infinity\nMemoryMax=1G\n[Service]\nCPUQuota=30%\nDelegate=no\n"
    container = containers.member(group, SLEEP + service)
    nsunit("start", container.name)
    session = lambda: tuple(container.exec("sh", "-c", LOOK).stdout.splitlines())  # noqa: E731
    expected = {"memory_max": str(64 * MIB), "cpu_max": "30000 100000", "pids_max": "50"}
    assert session() == limits(**expected)
    nsunit("set", f"{group}.slice", "MemoryMax=48M")
    assert session() == limits(**expected | {"memory_max": str(48 * MIB)})
    containers.define_group("[Slice]\nMemoryMax=2G\nTasksMax=40\n", group)
    nsunit("apply", f"{group}.slice")
    expected |= {"memory_max": str(1024 * MIB), "pids_max": "40"}
    assert session() == limits(**expected)
    for unit, assignment, change in (
        (f"nsunit-{group}.slice", "TasksMax=33", {"pids_max": "33"}),
        (container.slice, "MemoryHigh=80M", {"memory_high": str(80 * MIB)}),
        (container.service, "CPUQuota=20%", {"cpu_max": "20000 100000"}),
    ):
        run("systemctl", "set-property", "--runtime", unit, assignment)
        expected |= change
        wait_until(lambda: session() == limits(**expected), assignment)  # noqa: B023
    nsunit("stop", container.name)
    watchers = "systemctl list-units --plain --no-legend 'nsunit-limits@*'"
    wait_until(lambda: not re.search(group, run(watchers).stdout), "nobody looks after them any more")


# Programs that are sized by what they see: a real JVM, and Python, which asks for the CPUs it may use.

PACKAGES = Path("/srv/packages/default-jre-headless")
NEEDED = ("openjdk-*-jre-headless_*.deb", "libjpeg62-turbo_*.deb", "liblcms2-2_*.deb")
JAVA = "/usr/lib/jvm/java-21-openjdk-amd64/bin/java -XX:+PrintFlagsFinal -XshowSettings:system -version 2>&1"
CPUS = "python3 -c 'import os; print(\"cpus\", os.process_cpu_count())'"
SIZED = """
[Container]
Layer=/srv/roots/debian
Layer={java}
Volatile=yes
Exec=/bin/sh -c "({look}) >/tmp/report.new; mv /tmp/report.new /tmp/report; exec sleep 1000"
[Slice]
MemoryMax=1G
CPUQuota=100%
"""


def sizes(report):
    """What the JVM and Python have found: the heap in MiB, the JVM's processors, Python's."""
    heap = re.search(r"\bMaxHeapSize += (\d+)", report).group(1)
    processors = re.search(r"Effective CPU Count: (\d+)", report).group(1)
    return int(heap) / MIB, int(processors), int(re.search(r"^cpus (\d+)$", report, re.M).group(1))


@pytest.mark.machine("two processors")
@pytest.mark.once("a Java of 200 MiB is unpacked, which reads the files that the other tests look at")
def test_programs_size_themselves_by_them(containers, nsunit, run, tmp_path):
    for pattern in NEEDED:
        (package,) = PACKAGES.glob(pattern)
        run("dpkg-deb", "-x", package, tmp_path)
    tmp_path.chmod(0o755)
    look = f"{JAVA}; {CPUS}"
    text = SIZED.format(java=tmp_path, look=look.replace('"', '\\"'))
    container = containers.start(text)
    session = lambda: sizes(container.exec("sh", "-c", look).stdout)  # noqa: E731
    report = container.root / "tmp/report"
    wait_until(report.exists, "the payload has looked", 60)
    assert sizes(report.read_text()) == session() == (256, 1, 2)
    nsunit("set", container.name, "MemoryMax=600M", "CPUQuota=200%")
    assert session() == (150, 2, 2)
    nsunit("set", container.name, "AllowedCPUs=1")
    assert container.exec("sh", "-c", CPUS).stdout == "cpus 1\n"


@pytest.mark.machine("controllers")
def test_go_finds_the_quota(nsunit):
    """GOMAXPROCS comes of it, and is 2 at least, which is all that this machine has: so this looks what Go reads."""
    container = ("Layer=/srv/roots/debian", "BindReadOnly=/usr", "Volatile=yes", "Capability=+CAP_SYS_PTRACE")
    words = [f"-p{text}" for text in (*container, "Slice.CPUQuota=150%")]
    done = nsunit("run", *words, "strace", "-fe", "trace=openat,read,pread64", "runc", "--version")
    minor = re.search(r"^go: go1\.(\d+)", done.stdout, re.M).group(1)
    if int(minor) < 25:  # it does not look for a quota
        assert "/sys/fs/cgroup/cpu.max" not in done.stderr
        return
    opened = re.search(r'openat\(\w+, "/sys/fs/cgroup/cpu\.max", .* = (\d+)\n.*\((\d+), "(.*?)\\n"', done.stderr)
    assert opened.groups() == (opened.group(1), opened.group(1), "150000 100000"), done.stderr
