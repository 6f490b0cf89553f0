"""What `nsunit start` and `stop` load: the heavy modules cost more than all the rest of a start."""

import os
import subprocess
from pathlib import Path

import pytest

HEAVY = set(
    "argparse asyncio collections contextlib ctypes dataclasses enum functools hashlib inspect ipaddress json logging"
    " pathlib re shutil signal socket subprocess tempfile textwrap traceback typing dbus_next jinja2 pyroute2".split()
)
MODULES_MAX = 63  # of nsunit's own, by a plain start: each costs about 0.2 ms
DEFINITION = """
[Container]
Rootfs=/srv/roots/busybox
Volatile=yes
Exec=/bin/sleep 1000
Environment=A=b
[Slice]
MemoryMax=64M
"""


def modules_of(*words: str, packed: bool = False) -> set[str]:
    """Return what a run of the command nsunit loads: all modules, or with *packed* those that come from no pack."""
    apart = () if packed else ("-X", "pycache_prefix=/run/bytecode")  # then there are no packs
    command = ["/usr/bin/python3", "-SI", *apart, "-X", "importtime", "/usr/bin/nsunit", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip() for line in lines[1:]}


def test_start_exec_and_stop_are_light(define, nsunit):
    name = define(DEFINITION)
    nsunit("start", name)  # the first start after a boot compiles the system call filter
    nsunit("stop", name)
    started = modules_of("start", name)
    assert started & HEAVY == set()
    assert [module for module in started if module.startswith("nsunit.features.")] == []  # it uses none
    assert len([module for module in started if module.startswith("nsunit")]) <= MODULES_MAX
    # Nothing above it makes MemoryMax= moot, so nobody looks closer; it runs from no unit files; no root of the host's.
    rare = {"nsunit.deeds.look.why", "nsunit.plan.hierarchy", "nsunit.core.boot", "nsunit.setup.interpreter"}
    assert started & rare == set()
    session = modules_of("exec", name, "true")
    assert session & HEAVY <= {"ctypes"}  # os.setns() is Python 3.12
    assert "nsunit.setup.interpreter" not in session  # the host's root is not inside
    assert {"nsunit.setup.main", "nsunit.setup.mounts", "nsunit.setup.root"} & session == set()  # all is mounted
    assert modules_of("stop", name) & HEAVY == set()


@pytest.mark.kernel("nftables")
def test_systemd_is_not_woken_by_what_is_written(define, nsunit):
    """nsunit-limits.path has it watch which names come into /run/nsunit, and each costs a start 10 ms."""
    names = [define(f"{DEFINITION}[Container]\nNetwork=bridge\n") for _ in range(2)]
    nsunit("start", *names)  # the first ones make directories
    before = os.stat("/run/nsunit").st_mtime_ns
    nsunit("exec", names[0], "true")
    nsunit("stop", names[0])
    nsunit("start", names[0])
    nsunit("restart", *names)
    nsunit("stop", *names)
    assert os.stat("/run/nsunit").st_mtime_ns == before


def test_files_of_limits_are_watched_where_there_are_any(define, nsunit, run):
    """Else systemd would see each control group of a container come and go."""
    nsunit("start", define(DEFINITION))
    there = {"cpu", "memory", "pids"} & {*Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()}
    state = run("systemctl", "show", "--property=ActiveState", "--value", "nsunit-limits.path").stdout.strip()
    assert state == ("active" if there else "inactive")


USED = {
    "nothing": "",
    "limit": "[Slice]\nMemoryMax=64M\n",
    "directives": "[Service]\nRestart=on-failure\nLimitNOFILE=1000\nCPUWeight=50\n[Unit]\nDescription=A test\n",
    "network": "Network=bridge\nPublishPort=18099:80\n",
    "volume": "Volume=/var/data\n",
    "variables": "EnvironmentFile=/etc/os-release\n",
    "check": "Health=true\n",
    "owned bind": "Bind=/srv/roots/busybox:/mnt:ro,idmap\n",
    "image": "Image=localhost/start-path\n",
}


@pytest.mark.parametrize(
    "used",
    [pytest.param(key, marks=[pytest.mark.kernel("nftables")] if key == "network" else []) for key in USED],
)
def test_what_starts_and_stops_load_is_in_packs(define, nsunit, used):
    """A module that is none of its pack's costs twice as much."""
    text = DEFINITION.partition("[Slice]")[0] + USED[used]
    if used == "image":
        nsunit("image", "import", "root:/srv/roots/busybox", "--name", "localhost/start-path")
        text = text.replace("Rootfs=/srv/roots/busybox\n", "")
    name = define(text)
    nsunit("start", name)  # the first start looks for ids that are free
    nsunit("stop", name)
    for words in (("start", name), ("exec", name, "true"), ("stop", name)):
        if used == "directives" and words[0] == "exec":
            continue  # which looks for what a session has of them
        imported = modules_of(*words, packed=True)
        assert {module for module in imported if module.split(".")[0] == "nsunit"} <= {"nsunit", "nsunit.bytecode"}
        if used == "nothing":
            assert imported & {"__future__", "struct", "tty"} == set()  # each is a file that Python looks for
            assert imported & {"posixpath", "genericpath", "stat"} == set()  # half a millisecond
            assert "_socket" not in imported or words[0] == "exec"  # which is the helper as well
    if used == "image":
        nsunit("rm", name)
        nsunit("image", "rm", "localhost/start-path")
