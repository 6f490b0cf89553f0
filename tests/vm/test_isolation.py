"""What a container sees and may do, by default and as its definition says."""

import json
import os
import shutil
import signal as signals
import socket
import subprocess
import time
from pathlib import Path

import pytest
from waiting import wait_until

DEBIAN = "/srv/roots/debian"
BUSYBOX = "/srv/roots/busybox"
KINDS = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
# CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT SETFCAP: capabilities(7)
DEFAULT_CAPABILITIES = sum(1 << bit for bit in (0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31))
ALL_CAPABILITIES = (1 << 41) - 1
CHOWN, KILL, NET_RAW, SYS_ADMIN = 1, 1 << 5, 1 << 13, 1 << 21
MASKED = (
    *("/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kallsyms", "/proc/kcore", "/proc/keys"),
    *("/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats"),
    *("/sys/firmware", "/sys/fs/selinux", "/sys/devices/virtual/powercap"),
)
# A kernel may be without.
SYSRQ, AFFINITY = (
    tuple(path for path in (path,) if os.path.exists(path))
    for path in ("/proc/sysrq-trigger", "/proc/irq/default_smp_affinity")
)
READ_ONLY = ("/proc/sys/kernel/panic", *SYSRQ, *AFFINITY)
PLACES = ("/", "/dev", "/proc", "/proc/irq", "/proc/sys", *SYSRQ, "/sys", "/sys/fs/cgroup", "/tmp")
READ_ONLY_PLACES = ["/proc/irq", "/proc/sys", *SYSRQ, "/sys", "/sys/fs/cgroup"]
SYSCTLS = ("net.ipv4.tcp_keepalive_time", "kernel.shmmax", "user.max_user_namespaces")
DEVICES = ("full", "null", "random", "tty", "urandom", "zero")

# Runs as process 1 of the containers below and tells how the world looks from there.
PROBE = """\
import errno, json, os, socket, stat, subprocess, time

def processes():
    deadline = time.monotonic() + 20
    while True:
        found = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
        # What keeps an early end from systemd is there until systemd knows of the start.
        if found == [1] or time.monotonic() > deadline:
            return found
        time.sleep(0.01)

def attempt(deed, *arguments):
    try:
        deed(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]

def content(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError as error:
        return errno.errorcode[error.errno]

def kind(path):
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return "absent"
    if stat.S_ISDIR(status.st_mode):
        return "directory" if os.listdir(path) else "empty"
    return "null" if stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 3) else "file"

def echo():
    pinger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    pinger.settimeout(20)
    pinger.sendto(bytes([8]) + bytes(7), ("127.0.0.1", 0))
    assert pinger.recv(100)[0] == 0  # ICMP_ECHOREPLY

found = {
    "echo": attempt(echo),
    "low port": attempt(socket.create_server, ("127.0.0.1", 80)),
    "pid": os.getpid(),
    "parent": os.getppid(),
    "session": os.getsid(0),
    "umask": os.umask(0o22),
    "hostname": socket.gethostname(),
    "ids": [os.getresuid(), os.getresgid(), sorted(os.getgroups())],
    "directory": os.getcwd(),
    "environment": dict(os.environ),
    "interfaces": sorted(os.listdir("/sys/class/net")),
    "lo": content("/sys/class/net/lo/flags"),
    "processes": processes(),
    "cgroup": content("/proc/self/cgroup"),
    "members": content("/sys/fs/cgroup/cgroup.procs"),
    "devices": sorted(os.listdir("/dev")),
    "kinds": {path: kind(path) for path in MASKED},
    "write": {path: attempt(open, path, "r+") for path in READ_ONLY},
    "mkdir": attempt(os.mkdir, "/sys/fs/cgroup/new"),
    "read-only": [path for path in PLACES if os.statvfs(path).f_flag & os.ST_RDONLY],
    "sysctls": {name: content("/proc/sys/" + name.replace(".", "/")) for name in SYSCTLS},
    "setuid": subprocess.run(["/setuid-id", "-u"], capture_output=True, text=True).stdout.strip(),
    "chown": attempt(os.chown, "/probe.py", 1, 1),
    "raw": attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1),
    "bind": attempt(socket.socket().bind, ("127.0.0.1", 80)),
    "namespace": subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode,
}
with open("/tmp/report", "w") as file:
    file.write(json.dumps(found) + "\\nend\\n")
os.execv("/bin/sleep", ["sleep", "1000"])
"""


@pytest.fixture(scope="module")
def probe(shared, workplace):
    """Return a function that starts a container with the probe, and gives it and what the probe has found."""
    layer = workplace / "probe"
    (layer / "work").mkdir(parents=True)
    constants = f"MASKED, READ_ONLY, PLACES, SYSCTLS = {MASKED!r}, {READ_ONLY!r}, {PLACES!r}, {SYSCTLS!r}\n"
    (layer / "probe.py").write_text(constants + PROBE)
    shutil.copy(f"{DEBIAN}/usr/bin/id", layer / "setuid-id")
    os.chmod(layer / "setuid-id", 0o4755)

    def prober(*lines):
        keys = (f"Layer={layer}", f"Layer={DEBIAN}", "Volatile=yes", "Exec=python3 -I /probe.py")
        container = shared.start("\n".join(("[Container]", *keys, *lines, "")))
        return container, json.loads(container.report())

    return prober


@pytest.fixture(scope="module")
def plain(probe):
    """A container that says nothing but what it must."""
    return probe()


@pytest.fixture(scope="module")
def user(probe, workplace):
    """A container that runs as an ordinary user, with all that concerns its identity and surroundings."""
    file = workplace / "environment"
    file.write_text("# a comment\nFROM_FILE='a b'\nBOTH=file\n")
    lines = (
        "User=1000",
        "Group=50",
        "SupplementaryGroups=adm 60",
        "Hostname=inner.example.org",
        "WorkingDirectory=/work",
        f"EnvironmentFile={file}",
        f"EnvironmentFile=-{workplace}/missing",
        'Environment=BOTH=key "QUOTED=c  d" PERCENT=%%n DOLLAR=$HOME NAME=%n',
        "Sysctl=net.ipv4.tcp_keepalive_time=1234",
        "Sysctl=kernel.shmmax=1048576",
    )
    return probe(*lines)


@pytest.fixture(scope="module")
def changed(probe):
    """A container with other capabilities."""
    return probe("Capability=-CHOWN -KILL +NET_RAW", "Capability=SYS_ADMIN")


@pytest.fixture(scope="module")
def capable(probe):
    """A container of an ordinary user in which the setuid bit counts, and with all capabilities in the bounding set."""
    return probe("Capability=ALL", "NoNewPrivileges=no", "User=1000")


@pytest.fixture(scope="module")
def host_users(probe):
    """A container with the ids of the host."""
    return probe("PrivateUsers=no")


@pytest.fixture(scope="module")
def host_network(probe):
    """A container in the network of the host, with a given range of ids."""
    return probe("PrivateUsers=1000000:1000", "Network=host")


def capabilities(container):
    return {key: int(value, 16) for key, value in container.status().items() if key.startswith("Cap")}


def owners_of_namespaces(container):
    """The kinds of namespaces that are not the host's."""
    return [
        kind
        for kind in KINDS
        if os.stat(f"/proc/{container.pid}/ns/{kind}").st_ino != os.stat(f"/proc/1/ns/{kind}").st_ino
    ]


def test_process_1_alone_in_its_world(plain):
    container, found = plain
    assert (found["pid"], found["parent"], found["session"], found["umask"]) == (1, 0, 1, 0o22)
    assert found["processes"] == [1]
    assert found["hostname"] == container.name
    assert found["ids"] == [[0, 0, 0], [0, 0, 0], []]
    assert found["directory"] == "/"
    assert {**found["environment"], "LC_CTYPE": ""} == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "USER": "root",
        "container": "nsunit",
        "LC_CTYPE": "",  # Python sets it for itself
    }


def test_all_namespaces_are_its_own(plain):
    container, _ = plain
    assert owners_of_namespaces(container) == list(KINDS)


def test_ids_are_its_own(plain):
    container, _ = plain
    for file in ("uid_map", "gid_map"):
        ((inside, outside, count),) = (map(int, line.split()) for line in container.proc(file).splitlines())
        assert (inside, count) == (0, 65536)
        assert outside >= 524288
    assert container.proc("setgroups") == "allow\n"
    assert {int(uid) for uid in container.status()["Uid"].split()} == {outside}


def test_network_has_lo_only_and_it_is_up(plain):
    _, found = plain
    assert found["interfaces"] == ["lo"]
    assert int(found["lo"], 16) & 1
    assert found["bind"] is None


def test_no_descriptor_but_the_three(plain, user, host_users):
    for container, _ in (plain, user, host_users):
        targets = {
            name: os.readlink(f"/proc/{container.pid}/fd/{name}") for name in os.listdir(f"/proc/{container.pid}/fd")
        }
        assert sorted(targets) == ["0", "1", "2"]
        assert targets["0"] == "/dev/null"
        assert all(targets[name].startswith("socket:") for name in "12")


def test_no_mount_of_the_host_is_visible(plain):
    container, found = plain
    mounts = [line.split(" - ") for line in container.proc("mountinfo").splitlines()]
    places = {before.split()[4]: after.split()[0] for before, after in mounts}
    expected = {"/": "overlay", "/proc": "proc", "/sys": "sysfs", "/sys/fs/cgroup": "cgroup2", "/dev": "tmpfs"}
    expected |= {"/dev/pts": "devpts", "/dev/shm": "tmpfs", "/dev/mqueue": "mqueue"}
    expected |= {f"/dev/{name}": "devtmpfs" for name in DEVICES}
    expected |= {path: "devtmpfs" for path, kind in found["kinds"].items() if kind == "null"}
    expected |= {path: "tmpfs" for path, kind in found["kinds"].items() if kind == "empty"}
    read_only = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", *SYSRQ)
    assert places == expected | dict.fromkeys(read_only, "proc")
    # Nothing travels between host and container: neither peers nor masters.
    assert [before for before, _ in mounts if "shared:" in before or "master:" in before] == []


def test_a_mount_made_on_the_host_later_stays_there(plain, run, workplace):
    container, _ = plain
    (workplace / "mounted").mkdir()
    run("mount", "-t", "tmpfs", "none", str(workplace / "mounted"))
    try:
        assert str(workplace) not in container.proc("mountinfo")
    finally:
        run("umount", str(workplace / "mounted"))


def test_kernel_paths_are_masked_or_read_only(plain):
    _, found = plain
    assert set(found["kinds"].values()) == {"absent", "null", "empty"}
    there = [path for path in ("/proc/kcore", "/proc/keys") if os.path.exists(path)]  # not every kernel has both
    assert [found["kinds"][path] for path in there] == ["null"] * len(there) != []
    assert found["kinds"]["/sys/firmware"] == "empty"
    assert found["write"] == dict.fromkeys(READ_ONLY, "EACCES")  # they belong to the host's root besides
    assert found["read-only"] == READ_ONLY_PLACES
    assert found["mkdir"] == "EROFS"


def test_devices_are_the_harmless_ones(plain):
    _, found = plain
    links = ["fd", "mqueue", "ptmx", "pts", "shm", "stderr", "stdin", "stdout"]
    assert found["devices"] == sorted([*DEVICES, *links])


def test_cgroup_tree_begins_at_its_own_slice(plain):
    """The limits are there, as are the groups of its unit and of its sessions; a path of 0::/ is one that is there."""
    container, found = plain
    assert found["cgroup"].splitlines()[-1] == "0::/"  # before it those of version 1, if the host has any
    assert found["members"] == ""
    roots = [line.split()[3] for line in container.proc("mountinfo").splitlines() if " /sys/fs/cgroup " in line]
    slice_ = f"/nsunit.slice/{container.slice}"
    assert sorted(roots) == [slice_, f"{slice_}/{container.service}/payload"]  # that one as Go wants it, hidden
    session = container.exec("sh", "-c", "tail -n 1 /proc/self/cgroup; ls /sys/fs/cgroup").stdout.splitlines()
    assert session[0] == "0::/"
    groups = [name for name in session if name.startswith("nsunit")]
    assert {name.rpartition(".")[2] for name in groups} == {"scope", "service"}


def test_privileges_are_the_default_ones(plain):
    container, found = plain
    fields = container.status()
    assert capabilities(container) == {
        "CapInh": 0,
        "CapPrm": DEFAULT_CAPABILITIES,
        "CapEff": DEFAULT_CAPABILITIES,
        "CapBnd": DEFAULT_CAPABILITIES,
        "CapAmb": 0,
    }
    assert (fields["NoNewPrivs"], fields["Seccomp"], fields["Seccomp_filters"]) == ("1", "2", "1")
    assert found["chown"] is None
    assert found["raw"] == "EPERM"
    assert found["sysctls"]["user.max_user_namespaces"] == "0"
    assert found["namespace"] != 0


def test_a_user_has_its_ids_and_no_capability(user):
    container, found = user
    assert found["ids"] == [[1000] * 3, [50] * 3, [4, 60]]
    assert capabilities(container) == {
        **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapAmb"), 0),
        "CapBnd": DEFAULT_CAPABILITIES,
    }
    assert found["chown"] == "EPERM"
    assert (found["low port"], found["echo"]) == (None, None)
    assert found["setuid"] == "1000"  # the setuid bit gives nothing


def test_surroundings_are_as_declared(user):
    container, found = user
    assert found["hostname"] == "inner.example.org"
    assert found["directory"] == "/work"
    environment = found["environment"]
    assert environment["FROM_FILE"] == "a b"
    assert environment["BOTH"] == "file"
    assert environment["QUOTED"] == "c  d"
    assert environment["PERCENT"] == "%n"
    assert environment["DOLLAR"] == "$HOME"
    assert environment["NAME"] == container.service
    assert not {"NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM", "LISTEN_FDS", "RUNTIME_DIRECTORY"} & set(
        environment
    )


def test_sysctls_are_the_container_s_alone(user, plain):
    _, found = user
    assert (found["sysctls"]["net.ipv4.tcp_keepalive_time"], found["sysctls"]["kernel.shmmax"]) == ("1234", "1048576")
    assert Path("/proc/sys/net/ipv4/tcp_keepalive_time").read_text() != "1234\n"
    assert plain[1]["sysctls"]["net.ipv4.tcp_keepalive_time"] != "1234"


def test_capabilities_can_be_changed(changed):
    container, found = changed
    expected = (DEFAULT_CAPABILITIES | NET_RAW | SYS_ADMIN) & ~CHOWN & ~KILL
    assert capabilities(container) == {
        **dict.fromkeys(("CapPrm", "CapEff", "CapBnd"), expected),
        **dict.fromkeys(("CapInh", "CapAmb"), 0),
    }
    assert (found["chown"], found["raw"]) == ("EPERM", None)
    assert found["sysctls"]["user.max_user_namespaces"] != "0"


def test_setuid_programs_work_where_they_may(capable):
    container, found = capable
    assert found["ids"][0] == [1000] * 3
    assert found["setuid"] == "0"
    fields = container.status()
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("0", "2")
    assert capabilities(container)["CapBnd"] & ALL_CAPABILITIES == ALL_CAPABILITIES
    assert capabilities(container)["CapEff"] == 0


def test_users_of_the_host(host_users):
    container, found = host_users
    assert owners_of_namespaces(container) == [kind for kind in KINDS if kind != "user"]
    assert container.status()["Uid"].split() == ["0"] * 4
    assert capabilities(container)["CapEff"] == DEFAULT_CAPABILITIES
    assert found["read-only"] == READ_ONLY_PLACES
    assert found["write"] == dict.fromkeys(READ_ONLY, "EROFS")


def test_network_of_the_host_and_a_range_of_ids(host_network):
    container, found = host_network
    assert owners_of_namespaces(container) == [kind for kind in KINDS if kind != "net"]
    assert found["interfaces"] == sorted(os.listdir("/sys/class/net"))
    assert container.proc("uid_map").split() == ["0", "1000000", "1000"]
    assert found["read-only"] == READ_ONLY_PLACES
    assert found["kinds"]["/sys/firmware"] == "empty"
    assert found["hostname"] == container.name != socket.gethostname()


BINDS = """{
stat -c '%n %u:%g' /ro/file
echo x >/ro/file; echo x >/ro/below/file; cat /ro/below/file; mkdir /ro/new
ls -A /flat/below; echo x >/flat/file
echo written >/rw/file; cat SOURCE/file; mknod /rw/null c 1 3
echo two >/one
ls -d /missing
dd if=/dev/zero of=/small/file bs=1M count=3 2>&1 | grep -o 'No space.*'; stat -c %a /small
echo end; } >/tmp/report 2>&1
exec sleep 1000
"""


def test_binds_and_tmpfs(containers, program, workplace, run):
    tree, single = workplace / "tree", workplace / "single"
    (tree / "below").mkdir(parents=True)
    run("mount", "-t", "tmpfs", "none", str(tree / "below"))
    try:
        tree.chmod(0o777)
        for path in (tree / "file", tree / "below/file", single):
            path.write_text("host\n")
            path.chmod(0o666)
        text = program(
            BINDS.replace("SOURCE", str(tree)),
            f"BindReadOnly={tree}:/ro -{workplace}/missing:/missing",
            f"Bind={tree}:/rw {tree}:/flat:norbind,ro {single}:/one",
            f"Bind={tree}",
            "Tmpfs=/small:size=1M,mode=0700",
        )
        container = containers.start(text)
        assert container.report().splitlines() == [
            "/ro/file 65534:65534",  # ids of the host mean nothing in there
            "/program: line 3: can't create /ro/file: Read-only file system",
            "/program: line 3: can't create /ro/below/file: Read-only file system",
            "host",
            "mkdir: can't create directory '/ro/new': Read-only file system",
            "/program: line 4: can't create /flat/file: Read-only file system",
            "written",
            "mknod: /rw/null: Operation not permitted",
            "ls: /missing: No such file or directory",
            "No space left on device",
            "700",
        ]
        assert (tree / "file").read_text() == "written\n"
        assert single.read_text() == "two\n"
    finally:
        run("umount", str(tree / "below"))


ORPHANS = """
sh -c 'sleep 0.5 & echo $! >/tmp/orphan'
trap 'echo asked >/asked; exit 7' TERM
echo end >/tmp/report
while :; do sleep 0.2; done
"""


def test_a_reaper_collects_orphans_and_passes_signals_on(containers, program, run, nsunit):
    container = containers.start(program(ORPHANS, "Volatile=no", "Init=yes"))
    container.report()
    assert container.proc("cmdline").split("\0")[:3] == ["/dev/init", "--", "/bin/sh"]
    orphan = (container.root / "tmp/orphan").read_text().strip()
    wait_until(lambda: not (container.root / "proc" / orphan).exists(), "the orphan's collection", 20)
    run("systemctl", "kill", "--kill-whom=main", "--signal=TERM", container.service)
    assert nsunit("wait", container.name, check=False).stdout == f"{container.name}: exited with status 7\n"
    assert (container.upper / "asked").read_text() == "asked\n"


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGUSR1"])
def test_a_reaper_whose_program_was_ended_by_a_signal_has_not_failed(containers, program, run, signal):
    """It exits with 128 and the number; a definition's own statuses come on top."""
    service = ("[Service]", "SuccessExitStatus=77", "Restart=on-failure")
    container = containers.start(program("exec sleep 1000", "Init=yes", f"StopSignal={signal}", *service))
    assert "77" in container.show("SuccessExitStatus")["SuccessExitStatus"]
    # Not before it is the program that runs: the reaper's child has a shell's handlers until then, none.
    wait_until(lambda: container.exec("pidof", "sleep", check=False).returncode == 0, "its start")
    run("systemctl", "stop", container.service)
    assert container.show("ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}


ASKED_BOTH = """
sh -c 'trap "sleep 0.3; echo asked >/asked; exit" TERM; echo end >/tmp/report; while :; do sleep 0.1; done' &
wait
"""


def test_the_others_are_given_their_time_where_systemd_asks_them_as_well(containers, program, nsunit):
    """Process 1 has no handler, so it would be killed at once, and all others with it."""
    container = containers.start(program(ASKED_BOTH, "Volatile=no", "[Service]", "KillMode=control-group"))
    container.report()
    assert nsunit("stop", container.name).stderr == ""
    assert (container.upper / "asked").read_text() == "asked\n"


READY = """
import os, socket, time
time.sleep(2)
with open("/tmp/ready", "w") as file:
    file.write(str(time.time()))
message = b"READY=1\\nSTATUS=at your service"
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(message, os.environ["NOTIFY_SOCKET"])
time.sleep(1000)
"""


def notifying(workplace, script):
    layer = workplace / "notify"
    layer.mkdir(exist_ok=True)
    (layer / "program.py").write_text(script)
    keys = (f"Layer={layer}", f"Layer={DEBIAN}", "Volatile=yes", "Notify=yes", "Exec=python3 /program.py")
    return "\n".join(("[Container]", *keys, ""))


def test_a_program_says_itself_that_it_is_ready(containers, workplace, nsunit):
    container = containers.start(notifying(workplace, READY))
    ready = float((container.root / "tmp/ready").read_text())
    assert 0 < ready < time.time()
    assert container.show("ActiveState", "StatusText") == {"ActiveState": "active", "StatusText": "at your service"}
    assert container.show("MainPID")["MainPID"] == str(container.pid)
    assert "at your service" in nsunit("status", container.name).stdout


def test_a_program_that_never_says_it_is_ready(containers, workplace, nsunit):
    text = notifying(workplace, "import time; time.sleep(1000)") + "[Service]\nTimeoutStartSec=2\nTimeoutStopSec=1\n"
    name = containers.define(text)
    done = nsunit("start", name, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"nsunit: {name}: it was not ready in time",
        "  hint: raise TimeoutStartSec=, or see what it waits for",
    ]
    assert [item for item in containers.left() if "/var/lib" not in item] == []


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGUSR1", "SIGRTMIN+3"])
def test_the_stop_signal(containers, program, nsunit, signal):
    traps = "".join(f"trap 'echo {name} >/asked; exit 0' {name}\n" for name in ("TERM", "USR1", "37"))
    script = f"{traps}echo end >/tmp/report\nwhile :; do sleep 0.2; done\n"
    container = containers.start(program(script, "Volatile=no", f"StopSignal={signal}"))
    container.report()
    nsunit("stop", container.name)
    number = {"SIGTERM": "TERM", "SIGUSR1": "USR1", "SIGRTMIN+3": "37"}[signal]
    assert (container.upper / "asked").read_text() == f"{number}\n"


@pytest.mark.parametrize("words", [("stop",), ("stop", "--now")])
def test_a_session_that_was_suspended_is_not_in_the_way_of_a_stop(containers, program, nsunit, words):
    """Its end is to be waited for by who was stopped: by Ctrl-Z for instance, where there is no terminal inside."""
    container = containers.start(program("exec sleep 1000", "[Service]", "TimeoutStopSec=1s"))
    words_inside = ("sh", "-c", "echo in; exec sleep 1000")
    with subprocess.Popen(
        ["nsunit", "exec", container.name, *words_inside],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as session:
        assert session.stdout.readline() == "in\n"
        session.send_signal(signals.SIGSTOP)
        stat = Path(f"/proc/{session.pid}/stat")
        wait_until(lambda: stat.read_text().rpartition(") ")[2][0] == "T", "it is suspended")
        try:
            done = nsunit(*words, container.name)
        finally:
            session.send_signal(signals.SIGCONT)
        assert "has not waited for it" not in done.stderr
        assert session.wait(60) in (128 + 9, 128 + 15)


def test_a_program_deaf_to_its_stop_signal_is_killed_at_once(containers, program, nsunit):
    """And so it is told, whichever command stops it."""
    service = ("[Service]", "TimeoutStopSec=100", "KillMode={}")
    container = containers.start(program("exec sleep 1000", *service).format("control-group"))
    text = f"nsunit: {container.name}: killed, since its program has no handler for SIGTERM\n"
    started = time.monotonic()
    definition = containers.files[-1]
    definition.write_text(definition.read_text().replace("control-group", "mixed"))
    for words in (("apply", "--restart"), ("restart",), ("stop",)):
        assert text in nsunit(*words, container.name).stderr
    nsunit("start", container.name)
    assert text in nsunit("rm", "--force", container.name).stderr
    assert time.monotonic() - started < 60
