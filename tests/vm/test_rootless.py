"""A user without privileges runs containers on a systemd of their own."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from waiting import wait_until

USER = "lea"
KEYS = ("Layer={layer}", "Exec=/bin/sh -c 'trap exit TERM; while :; do sleep 1000 & wait $!; done'")


class User:
    def __init__(self, run):
        entry = pwd.getpwnam(USER)
        self.uid, self.home = entry.pw_uid, Path(entry.pw_dir)
        self.unit = f"user@{self.uid}.service"
        self.runtime = Path(f"/run/user/{self.uid}")
        self.cgroup = Path(f"/sys/fs/cgroup/user.slice/user-{self.uid}.slice/{self.unit}/nsunit.slice")
        self.containers = self.home / ".local/state/nsunit/containers"
        self.layer = self.home / "layer"
        self.subordinate = next(
            int(line.split(":")[1]) for line in Path("/etc/subuid").read_text().splitlines() if line.startswith(USER)
        )
        environment = (f"HOME={self.home}", f"USER={USER}", "PATH=/usr/bin:/bin", f"XDG_RUNTIME_DIR={self.runtime}")
        self.words = ("setpriv", f"--reuid={self.uid}", f"--regid={entry.pw_gid}", "--init-groups", "env", "-i")
        self.words += environment
        self._run = run

    def run(self, *words, **options):
        return self._run(*self.words, *words, **options)

    def nsunit(self, *words, **options):
        return self.run("nsunit", "--user", *words, **options)

    def exec(self, name, script, *options):
        return self.nsunit("exec", *options, name, "/bin/sh", "-c", script).stdout

    def define(self, name, *lines):
        directory = self.home / ".config/nsunit"
        self.run("mkdir", "-p", directory)
        text = "\n".join(("[Container]", *KEYS, *lines, "")).format(layer=self.layer)
        (directory / f"{name}.nsunit").write_text(text)
        return name

    def left(self):
        """Whatever is still there of any container."""
        units = self.run("systemctl", "--user", "list-units", "--all", "--plain", "--no-legend", "nsunit-*").stdout
        places = (self.runtime / "nsunit/containers", self.runtime / "nsunit/locks", self.containers, self.cgroup)
        found = [str(path) for place in places if place.exists() for path in place.iterdir() if path.is_dir()]
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "nsunit/containers" in line]
        # What limits were watched with goes in its own time.
        return [*(line for line in units.splitlines() if "nsunit-limits" not in line), *found, *mounts]


@pytest.fixture(scope="module")
def user(run):
    """A user whose systemd runs without a login, with a layer of their own."""
    run("useradd", "--create-home", "--groups", "systemd-journal", USER)
    run("loginctl", "enable-linger", USER)
    found = User(run)
    run("systemctl", "start", found.unit)
    shutil.copytree("/srv/roots/busybox", found.layer, symlinks=True)
    run("chown", "-R", f"{USER}:", str(found.layer))
    yield found
    run("loginctl", "disable-linger", USER)
    run("systemctl", "stop", found.unit)
    shutil.rmtree(f"/etc/systemd/system/{found.unit}.d", ignore_errors=True)  # by nsunit it would take a reload
    run("userdel", "--remove", USER, check=False)  # it has no mail spool, says userdel


@pytest.fixture(autouse=True)
def nothing_left(user):
    """Nothing may be left of a test's containers."""
    yield
    left = user.left()
    if left:  # the next test is to fail for reasons of its own
        user.run("systemctl", "--user", "stop", "nsunit.slice", check=False)
        shutil.rmtree(user.containers, ignore_errors=True)
    assert left == []


@pytest.mark.machine("controllers")
def test_life_of_a_container(user):
    name = user.define("web", "[Slice]", "MemoryMax=64M")
    assert user.nsunit("start", name).stderr == ""
    (state,) = json.loads(user.nsunit("list", "--json").stdout)
    assert (state["name"], state["active_state"], state["unit"]) == ("web", "active", "nsunit-web.service")
    group = user.cgroup / "nsunit-web.slice"
    assert (group / "memory.max").read_text() == f"{64 << 20}\n"
    assert str(state["pid"]) in (group / "nsunit-web.service/payload/cgroup.procs").read_text().split()

    # The same ids on both sides: root inside is the user, the others are the user's subordinate ones.
    script = """
        cat /proc/1/uid_map; touch /root-made /app-made; chown 1000:1000 /app-made
        rm /etc/passwd; rm -r /etc && mkdir /etc && ls -A /etc; ls -ln / | grep made
        ls /sys/class/net; unshare -U true 2>/dev/null || echo no
    """
    lines = [line.split() for line in user.exec(name, script).splitlines()]
    assert lines[:2] == [["0", str(user.uid), "1"], ["1", str(user.subordinate), "65536"]]
    assert [line[2:4] for line in lines[2:4]] == [["1000", "1000"], ["0", "0"]]
    assert lines[4:] == [["lo"], ["no"]]
    upper = user.containers / "web/overlay/upper"
    assert os.stat(upper / "root-made").st_uid == user.uid
    assert os.stat(upper / "app-made").st_uid == user.subordinate + 999
    assert (user.layer / "etc/passwd").exists()
    assert user.exec(name, "id -u; cd; id -g", "--uid=1000:7").split() == ["1000", "7"]

    # What the program may do is the same as with root.
    status = Path(f"/proc/{state['pid']}/status").read_text()
    fields = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    assert (fields["NoNewPrivs"], fields["Seccomp"], fields["CapAmb"]) == ("1", "2", "0" * 16)
    assert int(fields["CapEff"], 16).bit_count() == 11

    user.nsunit("set", name, "MemoryMax=48M")
    assert (group / "memory.max").read_text() == f"{48 << 20}\n"
    assert user.exec(name, "cat /sys/fs/cgroup/memory.max") == f"{48 << 20}\n"
    done = user.nsunit("set", name, "IOWeight=50", check=False)
    assert f"root runs 'nsunit delegate {USER} cpu io memory pids'" in done.stderr
    user.nsunit("restart", name)
    assert user.exec(name, "ls / | grep made").split() == ["app-made", "root-made"]
    user.nsunit("stop", name)
    assert upper.exists()
    user.nsunit("rm", name)


def test_credentials_of_the_users_own(user):
    store = user.home / ".config/credstore"
    user.run("mkdir", "-p", store)
    (store / "pin").write_text("1234\n")
    (user.home / "token").write_text("abc\n")
    lines = ("Volatile=yes", "Secret=pin:target=/etc/pin:mode=0444", "[Service]")
    name = user.define("secretive", *lines, f"LoadCredential=token:{user.home}/token")
    user.nsunit("start", name)
    script = "cd /run/host/credentials; stat -c '%a %u' . *; cat token; stat -c '%a %u' /etc/pin; cat /etc/pin"
    assert user.exec(name, script).splitlines() == ["500 0", "400 0", "400 0", "abc", "444 0", "1234"]
    user.nsunit("stop", name)
    user.nsunit("rm", name, check=False)


def test_the_other_verbs_look_at_the_users_systemd(user, run):
    name = user.define("looked-at", "Volatile=yes")
    user.nsunit("start", name)
    unit = "nsunit-looked-at.service"
    (process, *_) = json.loads(user.nsunit("ps", name, "--json").stdout)
    assert (process["uid"], process["inside_uid"], process["unit"]) == (user.uid, 0, unit)
    usages = json.loads(user.nsunit("stats", "--json").stdout)["usages"]
    assert [item["name"] for item in usages] == ["nsunit.slice", name]
    assert usages[1]["control_group"].startswith(f"/user.slice/user-{user.uid}.slice/{user.unit}/nsunit.slice/")
    shown = user.nsunit("status", name, "--lines=0").stdout
    assert f"0 inside is {user.uid} outside, 1-65536 are {user.subordinate}-" in shown
    assert " user:" in shown
    assert "systemd" in user.nsunit("logs", name, "--lines=5").stdout
    done = user.run("nsunit", "start", name, check=False)
    assert done.returncode == 1
    assert "with --user" in done.stderr
    assert run("nsunit", "--user", "list", check=False).returncode == 2
    user.nsunit("stop", name, "--now")
    # What was refused is in the journal of the user's unit, too.
    user.define(name, "Layer=/nowhere")
    said = user.nsunit("start", name, check=False).stderr.splitlines()[0].removeprefix("nsunit: ")
    run("journalctl", "--sync")
    assert said in user.nsunit("status", name, check=False).stdout
    assert said in user.nsunit("logs", name).stdout
    user.nsunit("rm", name)


@pytest.mark.machine("controllers")
def test_groups_and_changes(user, run):
    definitions = user.home / ".config/nsunit"
    name = user.define("member", "Volatile=yes", "Slice=shop", "[Slice]", "TasksMax=30")
    (definitions / "shop.slice.nsunit").write_text("[Slice]\nTasksMax=60\n")
    user.nsunit("start", "shop.slice")
    group = user.cgroup / "nsunit-shop.slice"
    own = group / "nsunit-shop-member.slice"
    limits = [(place / "pids.max").read_text() for place in (group, own)]
    assert limits == ["60\n", "30\n"]
    user.nsunit("set", "shop.slice", "TasksMax=25")
    assert (group / "pids.max").read_text() == "25\n"
    shown = "tail -n 1 /proc/self/cgroup; cat /sys/fs/cgroup/pids.max"
    assert user.exec(name, shown) == "0::/\n25\n"
    user.run("systemctl", "--user", "set-property", "--runtime", "nsunit-shop.slice", "TasksMax=15")
    wait_until(lambda: user.exec(name, shown) == "0::/\n15\n")
    user.run("systemctl", "--user", "revert", "nsunit-shop.slice")
    (definitions / "shop.slice.nsunit").unlink()
    user.nsunit("edit", "--force", "--stdin", "shop.slice", input="[Slice]\nTasksMax=40\n")
    refused = user.nsunit("edit", "--stdin", name, input="", check=False).stderr
    path = f"{definitions}/{name}.nsunit"  # it is the test that has made it
    assert refused.startswith(f"nsunit: '{path}' belongs to 'root', so it is not yours to change\n  hint: ")
    run("chown", f"{USER}:", path)
    text = (definitions / f"{name}.nsunit").read_text()
    user.nsunit("edit", "--stdin", name, input=text.replace("TasksMax=30", "TasksMax=20"))
    assert user.nsunit("apply", "shop.slice", name).returncode == 0
    assert [(place / "pids.max").read_text() for place in (group, own)] == ["40\n", "20\n"]
    assert user.exec(name, shown) == "0::/\n20\n"
    shown = user.nsunit("top", "--batch", "--iterations=1", "--raw", "shop.slice").stdout
    assert str(own).removeprefix("/sys/fs/cgroup") in shown
    user.nsunit("stop", "shop.slice", "--now")
    user.nsunit("rm", name)
    (definitions / "shop.slice.nsunit").unlink()


def foreground(user, script, *properties, **options):
    lines = [f"--property={line}" for line in (f"Layer={user.layer}", *properties)]
    return user.nsunit("run", *lines, "--", "/bin/sh", "-c", script, **options)


@pytest.mark.machine("controllers")
def test_run_in_the_foreground(user):
    done = foreground(user, "id -u; cat /proc/self/cgroup; exit 7", check=False)
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.split() == ["0", "0::/"]
    terminal = user.nsunit("run", "-t", f"--property=Layer={user.layer}", "--", "tty")
    assert terminal.stdout.strip() == "/dev/pts/0"


@pytest.fixture
def roots_own():
    node = Path("/dev/nsunit-roots-own")
    os.mknod(node, 0o020600, os.makedev(1, 5))
    yield node
    node.unlink()


def test_a_device(user, roots_own):
    """The user may open the host's node, or the definition is refused."""
    done = foreground(user, "head -c 2 /dev/more | od -An -tx1", "Device=/dev/zero:/dev/more")
    assert done.stdout.split() == ["00", "00"]
    done = foreground(user, "true", f"Device={roots_own}:r", check=False)
    assert f"Device=: '{roots_own}' cannot be opened by user {user.uid}, without the groups" in done.stderr


@pytest.mark.machine("controllers")
def test_a_limit_bites(user):
    done = foreground(user, "dd if=/dev/zero of=/dev/shm/x bs=1M count=60", "MemoryMax=24M", check=False)
    assert done.returncode == 137


@pytest.mark.machine("controllers")
def test_a_limit_that_was_not_delegated(user, run):
    """It is refused with the line that mends it, and that line does."""
    name = user.define("io", "Volatile=yes", "[Slice]", "IOWeight=50", "[Service]", "IPAddressDeny=any")
    done = user.nsunit("start", name, check=False)
    assert done.returncode == 1
    line = f"nsunit delegate {USER} cpu io memory pids"
    assert done.stderr.splitlines() == [
        f"nsunit: io: [Slice] IOWeight= needs the controller 'io', which was not delegated to {USER}",
        f"  hint: root runs '{line}', then {USER} logs in anew",
        "nsunit: io: [Service] IPAddressDeny= cannot be enforced by a user's systemd",
        "  hint: leave it out, or have root run the container as one of the system's",
    ]
    user.define("io", "Volatile=yes", "[Slice]", "IOWeight=50")
    user.define("boot", "Volatile=yes")
    assert user.nsunit("enable", "boot").stderr == ""
    run(*line.split(), "--now")  # starts the user's systemd anew, and with it what is enabled
    user.run("systemctl", "--user", "start", "nsunit-boot")  # waits where that has not ended yet
    assert user.exec("boot", "id -u") == "0\n"
    user.nsunit("start", name)
    assert (user.cgroup / "nsunit-io.slice/io.weight").read_text().startswith("default 50\n")
    user.nsunit("stop", name)
    user.nsunit("disable", "--now", "boot")
    assert list((user.home / ".config/systemd/user").iterdir()) == []
    user.nsunit("rm", "boot", name)


def test_a_single_id(user):
    """Without subordinate ids there is one user inside, and that is said."""
    kept = Path("/etc/subgid").read_text()
    Path("/etc/subgid").write_text("")
    try:
        done = foreground(user, "true", "User=7", check=False)
        assert done.returncode == 125
        assert "Failed to drop privileges: Invalid argument" in done.stderr
        name = user.define("single")
        done = user.nsunit("start", name)
        assert (
            done.stderr
            == f"nsunit: single: only user 0 and group 0 exist in it, since /etc/subgid has no ids for {USER}\n"
        )
        shown = user.exec(name, "cat /proc/self/uid_map /proc/self/setgroups; id -u; touch /x")
        assert shown.split() == ["0", str(user.uid), "1", "deny", "0"]
        user.nsunit("stop", name)
        user.nsunit("rm", name)
    finally:
        Path("/etc/subgid").write_text(kept)


TAKE_ROOT = {
    "Link=other\nNetwork=bridge": "[Container] Link= takes root",
    "Tunnel=other:80": "[Container] Tunnel= takes root",
    "Network=bridge": "[Container] Network=bridge is for containers of the system",
    "Activation=fds\nPublishPort=8080:80": "[Container] Activation= is for containers of the system",
    "Network=container:other": "[Container] namespaces of others can be joined by root only",
    "TimeOffset=boottime 1d": "[Container] TimeOffset= takes root",
}


def test_volumes(user):
    """They are the user's own, and owners inside are subordinate ids."""
    user.run("mkdir", "-p", user.layer / "data")
    user.run("sh", "-c", f"echo said >{user.layer}/data/file; chmod 2750 {user.layer}/data")
    name = user.define("web", "Volume=stays:/data /own")
    user.nsunit("start", name)
    user.exec(name, "chown 33:34 /data /own; echo more >/data/more; chmod 600 /data/more; chown 33 /data/more")
    volumes = user.containers.parent / "volumes"
    status = os.stat(volumes / "stays/data")
    assert (status.st_uid, status.st_gid) == (user.subordinate + 32, user.subordinate + 33)
    assert os.stat(user.containers / "web/volumes/own/data").st_uid == user.subordinate + 32
    other = user.define("other", "Volume=stays:/here:ro")
    user.nsunit("start", other)
    assert user.exec(other, "cat /here/*; stat -c %u:%g:%a /here") == "said\nmore\n33:34:2750\n"
    shown = json.loads(user.nsunit("volume", "list", "--json").stdout)
    assert [(item["name"], item["containers"]) for item in shown] == [("stays", [other, name]), ("web:/own", [name])]
    for words in (("volume", "export", "stays", "/tmp/x"), ("volume", "import", "more", "/dev/null"), ("mount", name)):
        done = user.nsunit(*words, check=False)
        assert done.returncode == 2
        assert "exec" in done.stderr
    user.nsunit("stop", "--now", name, other)
    user.nsunit("rm", name, other)
    user.nsunit("volume", "rm", "--force", "stays")
    assert os.listdir(volumes) == []


def test_what_takes_root(user):
    """It is refused by `verify` as by `start`, with what a user can do instead; `ns` looks at the user's containers."""
    for lines, said in TAKE_ROOT.items():
        name = user.define("refused", *lines.split("\n"))
        for verb in ("verify", "start"):
            done = user.nsunit(verb, name, check=False)
            assert done.returncode == 1
            assert f"refused: {said}" in done.stderr
            assert "  hint: " in done.stderr
    directory = user.home / ".config/nsunit"
    (directory / "refused.nsunit").unlink()
    (directory / "refused.pod.nsunit").write_text("[Pod]\n")
    for verb in ("verify", "start"):
        assert "refused.pod: a pod takes root" in user.nsunit(verb, "refused.pod", check=False).stderr
    (directory / "refused.pod.nsunit").unlink()
    name = user.define("seen", "Volatile=yes")
    user.nsunit("start", name)
    rows = json.loads(user.nsunit("ns", "list", name, "--json").stdout)
    assert {row["kind"] for row in rows if row["state"] == "used"} >= {"net", "mnt", "pid", "user"}
    assert user.nsunit("ns", "same", name, "host", "net", check=False).returncode == 1
    for words in (("ns", "pin", name, "net"), ("ns", "unpin", name), ("enter", name, "net"), ("capture", name)):
        done = user.nsunit(*words, check=False)
        assert "for containers of the system" in done.stderr
        assert "  hint: " in done.stderr
    user.nsunit("stop", name, "--now")
    user.nsunit("rm", name)


def test_sources_of_others(user):
    """Root's files can be read and belong to nobody; a link is only followed where it is root's."""
    properties = ("--property=Layer=/srv/roots/busybox", "--property=ReadOnly=yes")
    done = user.nsunit("run", *properties, "--", "/bin/stat", "-c", "%u", "/", "/bin/busybox")
    assert done.stdout.split() == ["0", "65534"]
    link = user.home / "link"
    link.symlink_to(user.layer)
    done = user.nsunit("run", f"--property=Layer={link}", "--", "true", check=False)
    assert done.returncode == 0  # it is root's
    os.chown(link, user.uid, user.uid, follow_symlinks=False)
    done = user.nsunit("run", f"--property=Layer={link}", "--", "true", check=False)
    assert "Failed to mount the overlay of 1 layers" in done.stderr
    assert f"the symbolic link '{link}' belongs to user {user.uid}, not to root" in done.stderr


def test_whole_file_systems_in_layers_of_others(user):
    command = ("-pLayer=/srv/roots/debian", "-pVolatile=yes", "-pNesting=yes", "--", "ls", "/run/host")
    done = user.nsunit("run", *command, check=False)
    assert done.returncode == 125
    assert "Failed to mount a whole proc on '/run/host/proc': Permission denied\n  hint: " in done.stderr
    assert done.stderr.endswith("add Tmpfs=/run\n")
    assert user.nsunit("run", "-pTmpfs=/run", *command).stdout.split() == ["proc", "sys"]


def test_doctor(user):
    findings = {item["subject"]: item for item in json.loads(user.nsunit("doctor", "--json", check=False).stdout)}
    assert findings["user namespace"]["state"] == "ok"
    assert findings["subordinate ids"]["text"] == f"65536 users and 65536 groups for {USER}"
    assert findings["linger"]["state"] == "ok"
    assert findings["network"]["text"] == "'/usr/bin/pasta'"
    assert "memory" in findings["controllers"]["text"]


SERVER = """
import socket
far, loopback = (socket.create_server((address, 7001)) for address in ("198.51.100.1", "127.0.0.1"))
print("listening", flush=True)
caller = far.accept()[0]
caller.sendall(b"hello")
while caller.recv(1000):  # the pasta of Debian 12 stumbles over a server that is the first to close
    pass
loopback.setblocking(False)
loopback.accept()
"""


# Two servers that say one word each to whoever comes.
WORDS = """
import socket, threading
tcp = socket.create_server(("", 80))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("", 53))
def answer():
    while True:
        udp.sendto(b"udp", udp.recvfrom(10)[1])
threading.Thread(target=answer).start()
while True:
    caller = tcp.accept()[0]
    caller.sendall(b"tcp")
    caller.recv(10)  # the pasta of Debian 12 stumbles over a server that is the first to close
    caller.close()
"""


def ask(kind, *where):
    """What a server on this host answers, or the error."""
    with socket.socket(socket.AF_INET, kind) as asker:
        asker.settimeout(5)
        try:
            asker.connect(where)
            asker.sendall(b"?")
            return asker.recv(10)
        except OSError as error:
            return error


def assert_published(user):
    """Ports of the host lead into a container of pasta's; what cannot be had is told before the start."""
    program = user.home / "words.py"
    program.write_text(WORDS)
    lines = ("Volatile=yes", "Network=pasta", "DNS=192.0.2.53", f"BindReadOnly={program}:/words.py")
    lines += ("Layer=", "Layer=/srv/roots/debian", "Exec=/usr/bin/python3 /words.py", "Init=yes")
    name = user.define("serving", *lines, "PublishPort=127.0.0.1:18080:80 15353:53/udp")
    user.nsunit("start", name)
    assert user.exec(name, "cat /etc/resolv.conf") == "nameserver 192.0.2.53\n"
    # pasta listens before the program does.
    deadline, answers = time.monotonic() + 60, []
    while answers != [b"tcp", b"udp"] and time.monotonic() < deadline:
        answers = [ask(socket.SOCK_STREAM, "127.0.0.1", 18080), ask(socket.SOCK_DGRAM, "198.51.100.1", 15353)]
    assert answers == [b"tcp", b"udp"]
    assert user.nsunit("port", name).stdout == "80/tcp -> 127.0.0.1:18080\n53/udp -> 0.0.0.0:15353 [::]:15353\n"
    assert "Ports: 127.0.0.1:18080/tcp→80 15353/udp→53\n" in user.nsunit("status", name).stdout
    busy = user.define("busy", "Volatile=yes", "Network=pasta", "PublishPort=18080:80")
    done = user.nsunit("start", busy, check=False)
    assert "busy: PublishPort=: 18080/tcp is in use on the host" in done.stderr
    low = user.define("low", "Volatile=yes", "Network=pasta", "PublishPort=80:80")
    done = user.nsunit("start", low, check=False)
    assert "only root may listen on ports below 1024, and here is 80" in done.stderr
    assert "sysctl net.ipv4.ip_unprivileged_port_start=80" in done.stderr
    user.nsunit("stop", name)
    user.nsunit("rm", name)


def test_pasta_connects(user, run):
    """The host's addresses can be reached but for its loopback; pasta ends with the container."""
    for command in (
        "link add up0 type veth peer name up1",
        "link set up1 up",
        "address add 192.0.2.2/24 dev up0",
        "link set up0 up",
        "route add default via 192.0.2.1",
        "link add far0 type veth peer name far1",
        "link set far1 up",
        "address add 198.51.100.1/32 dev far0",
        "link set far0 up",
    ):
        run("ip", *command.split())
    server = subprocess.Popen(["python3", "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "listening\n"
        # A layer that is root's, without a file that a resolv.conf could be mounted on.
        lines = ("Volatile=yes", "Network=pasta", "User=1000", "Layer=", "Layer=/srv/roots/busybox")
        name = user.define("net", *lines)
        user.nsunit("start", name)
        script = "for to in 192.0.2.1 127.0.0.1 198.51.100.1; do timeout 5 nc $to 7001 </dev/null | head -c 5; done"
        assert user.exec(name, script) == "hello"
        assert "BlockingIOError" in server.communicate(timeout=60)[1]  # nobody has come to the loopback address
        commands = [item["command"] for item in json.loads(user.nsunit("ps", name, "--json").stdout)]
        assert [command.split()[0] for command in commands].count("pasta") == 1
        user.nsunit("stop", name)
        user.nsunit("rm", name)
        assert_published(user)
        assert "default via 192.0.2.1" in foreground(user, "ip route", "Network=pasta").stdout
        assert run("pgrep", "-x", "pasta", check=False).returncode == 1
    finally:
        server.kill()
        run("ip", "link", "delete", "up0")
        run("ip", "link", "delete", "far0")


# Answers each question for an IPv4 address with the same one.
NAME_SERVER = """\
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.53", 53))
print("listening", flush=True)
while True:
    question, asker = server.recvfrom(512)
    answer = bytes((0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 99))
    server.sendto(question[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0" + question[12:] + answer, asker)
"""


@pytest.fixture
def way_out(run):
    """A default route, by a link to a network namespace."""
    run(
        "ip netns add beyond && ip link add up0 type veth peer name eth0 netns beyond && ip -n beyond link set eth0 up"
        " && ip addr add 192.0.2.2/24 dev up0 && ip link set up0 up && ip route add default via 192.0.2.1"
    )
    yield
    run("ip link delete up0; ip netns delete beyond", check=False)


def test_pasta_asks_a_name_server_of_the_hosts_loopback(user, way_out):
    """Nothing else there can be reached."""
    resolver, before = Path("/etc/resolv.conf"), Path("/etc/resolv.conf").read_text()
    with subprocess.Popen(["python3", "-c", NAME_SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout.readline() == "listening\n"
            resolver.write_text("nameserver 127.0.0.53\noptions edns0 trust-ad\n")
            script = "cat /etc/resolv.conf; nslookup -type=a site.example | tail -n 2"
            lines = foreground(user, script, "Network=pasta", "Volatile=yes").stdout.split("\n")
            assert lines[:2] == ["nameserver 169.254.1.1", "options edns0"]
            assert "Address: 192.0.2.99" in lines
        finally:
            resolver.write_text(before)
            server.kill()


@pytest.mark.machine("controllers")
def test_a_container_of_the_system_with_the_users_ids(user, containers, workplace):
    """`[Service] User=`: the system's systemd runs it, and nothing in there is root outside."""
    os.chown(workplace, user.uid, user.uid)
    text = f"[Container]\nLayer=/srv/roots/busybox\nBind={workplace}:/data\nExec=/bin/sleep 1000\n"
    container = containers.start(text + "[Service]\nUser=lea\n[Slice]\nMemoryMax=24M\n")
    assert container.status()["Uid"].split() == [str(user.uid)] * 4
    lines = container.exec("cat", "/proc/1/uid_map").stdout.splitlines()
    assert [line.split() for line in lines] == [["0", str(user.uid), "1"], ["1", str(user.subordinate), "65536"]]
    container.exec("sh", "-c", "cd /data; touch root-made app-made; chown 1000:1000 app-made")
    made = [os.stat(workplace / name).st_uid for name in ("root-made", "app-made")]
    assert made == [user.uid, user.subordinate + 999]
    # It is the user's to kill, and not to look into: what the definition mounts was opened by root.
    assert user.run("ls", f"/proc/{container.pid}/root/", check=False).returncode != 0
    assert container.exec("sh", "-c", "tail /dev/zero", check=False).returncode == 137
    assert container.show("ActiveState") == {"ActiveState": "active"}
    user.run("kill", "-KILL", str(container.pid))
    wait_until(lambda: container.show("ActiveState") == {"ActiveState": "failed"}, "its end")


def test_streams_by_name(user):
    """Those of a session, and of a payload with Output=pipe, whose lines are in the journal as the unit's."""
    script = "echo by name >/dev/stdout; stat -Lc {}u /dev/stdout"
    payload = f'Exec=/bin/sh -c "{script.format("%%")}; exec sleep 1000"'
    name = user.define("streams", "Output=pipe", payload)
    user.nsunit("start", name)
    assert user.exec(name, script.format("%"), "--uid=5") == "by name\n5\n"
    words = ("journalctl", "-o", "cat", "-t", name, f"_SYSTEMD_USER_UNIT=nsunit-{name}.service")
    wait_until(lambda: user._run(*words).stdout.endswith("by name\n0\n"), "the payload's lines")
    # Over a restart while somebody else was given the pipe, which ends the carrier of the run before.
    (status,) = json.loads(user.nsunit("status", name, "--json").stdout)
    with open(f"/proc/{status['state']['pid']}/fd/1", "w"):
        user.run("systemctl", "--user", "restart", f"nsunit-{name}.service")
        assert user.exec(name, script.format("%"), "--uid=5") == "by name\n5\n"
    user.nsunit("rm", "--force", name)


def test_a_check_of_its_health(user):
    """Also: it is ready by that, and killed for it; all in the user's own systemd."""
    health = 'Health=/bin/sh -c "id -u; ls /tmp/well"'
    keys = (health, "HealthInterval=200ms", "HealthRetries=1", "HealthOnFailure=restart", "Notify=healthy")
    lines = (
        "Volatile=yes",
        "Exec=/bin/sh -c 'touch /tmp/well; trap exit TERM; while :; do sleep 1000 & wait $!; done'",
    )
    name = user.define("checked", *lines, *keys)
    user.nsunit("start", name)
    (status,) = json.loads(user.nsunit("status", name, "--json").stdout)
    assert status["health"]["status"] == "healthy"
    assert status["health"]["results"][-1]["output"] == "0\n/tmp/well\n"
    first = status["state"]["pid"]
    user.exec(name, "rm /tmp/well")

    def is_another():
        (found,) = json.loads(user.nsunit("list", name, "--json").stdout)
        return found["pid"] not in (None, first) and found["health"] == "healthy"

    wait_until(is_another, "another run")
    user.nsunit("wait", "--condition=healthy", name)
    user.nsunit("stop", name)
    user.nsunit("rm", name)


def test_files_in_and_out_and_backup(user):
    """By the ids of the container, which are the user's subordinate ones on the host."""
    name = user.define("kept")
    place = user.home / "place"
    user.run("mkdir", "-p", f"{place}/tree")
    (place / "tree/file").write_text("content\n")
    user.nsunit("start", name)
    user.exec(
        name, "rm /etc/group; mkdir -p /data; echo 7 > /data/seven; chown 7:8 /data/seven; rm -r /root; mkdir /root"
    )
    user.nsunit("cp", f"{place}/tree", f"{name}:/data")
    assert user.exec(name, "stat -c %u:%g /data/tree/file /data/seven").split() == ["0:0", "7:8"]
    user.nsunit("stop", "--now", name)
    user.nsunit("cp", f"{place}/tree/file", f"{name}:/data/stopped")
    user.nsunit("cp", f"{name}:/data", f"{place}/back")
    assert (place / "back/stopped").read_text() == "content\n"
    assert (place / "back/seven").stat().st_uid == user.uid
    user.nsunit("export", name, f"{place}/kept.tar")
    user.nsunit("clone", name, "copied")
    user.nsunit("rename", "copied", "moved")
    user.nsunit("rm", "--definition", name)
    assert user.nsunit("import", f"{place}/kept.tar").stdout == "kept\n"
    for item in (name, "moved"):
        user.nsunit("start", item)
        shown = user.exec(item, "ls /etc/group 2>&1; stat -c %u:%g /data/seven; cat /data/stopped; ls -A /root")
        assert shown.splitlines()[1:] == ["7:8", "content"]
        assert "No such file" in shown
        user.nsunit("stop", "--now", item)
        user.nsunit("rm", "--definition", item)
    done = user.nsunit("import", "/etc/passwd", check=False)
    assert (done.returncode, "/etc/passwd: it is no tar archive" in done.stderr) == (1, True)
