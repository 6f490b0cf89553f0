"""Hostile input: descriptors, users, strings, names and terminals that must not get further than they may."""

import hashlib
import json
import os
import pty
import random
import select
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("words on a command line, or of the kernel's files")

BUSYBOX = "/srv/roots/busybox"
DEBIAN = "/srv/roots/debian"
VOLATILE = f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\n"
SLEEPER = VOLATILE + "Exec=/bin/sleep 1000\n"
SENTINEL = "sentinel-0f3a77"
TRANSIENT = Path("/run/systemd/transient")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", 'exec "$@"', "sh")


@pytest.fixture(scope="module")
def sleeper(shared):
    """Return a container with a Debian root that does nothing."""
    return shared.start(f"[Container]\nRootfs={DEBIAN}\nVolatile=yes\nExec=/bin/sleep 1000\nEnvironment=S={SENTINEL}\n")


@pytest.fixture
def leaky(run, tmp_path):
    """Run nsunit as a child of a shell that has descriptors 3 to 40 of a directory of the host, and hands them down."""
    (tmp_path / "secret").write_text("secret")
    opened = " ".join(f"{number}<{tmp_path}" for number in range(3, 41))
    return lambda *words, **options: run("bash", "-c", f'exec {opened}; exec nsunit "$@"', "sh", *words, **options)


def test_nothing_of_its_caller_is_left_in_a_program(run, sleeper):
    """Its keys, and how likely the kernel kills it for lack of memory: who is spared is held by no limit."""
    score = "/proc/self/oom_score_adj"
    for words in (("run", f"-pRootfs={BUSYBOX}", "-pVolatile=yes"), ("exec", sleeper.name)):
        command = f"echo 300 > {score}; exec strace -f -qq -e trace=keyctl nsunit {' '.join(words)} cat {score}"
        done = run("sh", "-c", command)
        assert done.stdout == "0\n", words
        assert "keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL) = " in done.stderr, words


# B1, B4: descriptors and working directories


def test_descriptors_of_the_caller_do_not_reach_a_program(sleeper, containers, leaky):
    for words in (("exec", sleeper.name), ("run", f"-pRootfs={BUSYBOX}")):
        listed = leaky(*words, "ls", "/proc/self/fd").stdout.split()
        assert [number for number in listed if int(number) > 3] == [], words  # 3 is ls's own
    name = containers.define(SLEEPER)
    leaky("start", name)
    assert sorted(os.listdir(f"/proc/{containers.of(name).pid}/fd")) == ["0", "1", "2"]


@ANYWHERE
@pytest.mark.parametrize("number", [3, 9, 40])
def test_working_directory_is_never_a_descriptor_of_the_host(sleeper, leaky, number):
    for words in (("exec", "-w", f"/proc/self/fd/{number}", sleeper.name), ("run", f"-pRootfs={BUSYBOX}")):
        where = (f"-pWorkingDirectory=/proc/self/fd/{number}",) if words[0] == "run" else ()
        result = leaky(*words, *where, "sh", "-c", "pwd; ls", check=False)
        assert "secret" not in result.stdout
        if result.returncode == 0:  # a descriptor of the set-up's own, inside
            assert result.stdout.splitlines()[0] in ("/", "/proc", "/sys", "/dev"), result.stdout
        else:
            assert (result.returncode, "Failed to change to the directory" in result.stderr) == (125, True)


def test_working_directory_of_a_service_is_never_a_descriptor_of_the_host(nsunit, containers):
    names = [
        containers.define(SLEEPER + f"WorkingDirectory=/proc/self/fd/{number}\n") for number in (3, 4, 5, 6, 8, 12)
    ]
    result = nsunit("start", *names, check=False, timeout=240)
    for name in names:
        if f"{name}: Failed to change to the directory '/proc/self/fd/" in result.stderr:
            continue
        assert os.readlink(f"/proc/{containers.of(name).pid}/cwd") in ("/", "/proc", "/sys", "/dev")


# B2: what a payload sees of the processes that come to it

WATCH = """\
import os, sys
own, seen = str(os.getpid()), set()
while not os.path.exists("/tmp/stop"):
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or pid == own:
            continue
        for what in ("exe", "cwd", "root"):
            try:
                seen.add(what + " " + os.readlink("/proc/" + pid + "/" + what))
            except OSError:
                pass
        try:
            for fd in os.listdir("/proc/" + pid + "/fd"):
                seen.add("fd " + os.readlink("/proc/" + pid + "/fd/" + fd))
            seen.add("environ " + str(b"NSUNIT" in open("/proc/" + pid + "/environ", "rb").read()))
        except OSError:
            pass
open("/tmp/report", "w").write("".join(line + "\\n" for line in sorted(seen)) + "end\\n")
os.pause() if hasattr(os, "pause") else __import__("signal").pause()
"""


@ANYWHERE
def test_payload_cannot_look_into_arriving_processes(run, nsunit, containers, workplace):
    (workplace / "watch.py").write_text(WATCH)
    container = containers.start(
        f"[Container]\nRootfs={DEBIAN}\nVolatile=yes\nCapability=+SYS_PTRACE\nExec=/usr/bin/python3 /watch.py\n"
        f"BindReadOnly={workplace}/watch.py:/watch.py\n"
    )
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: nsunit("exec", container.name, "/bin/true", check=False), range(12)))
    assert [result.returncode for result in results] == [0] * 12, results[0].stderr
    container.exec("touch", "/tmp/stop")
    seen = container.report().splitlines()
    # The kernel shows what has executed already; of the set-up process nothing at all.
    assert {line for line in seen if line.startswith("exe ")} <= {"exe /usr/bin/true", "exe /usr/bin/touch"}
    assert {line for line in seen if line.startswith(("cwd ", "root "))} <= {"cwd /root", "root /", "cwd /"}
    opened = {line.split()[1].split(":")[0] for line in seen if line.startswith("fd ")}
    known = ("/dev/null", "/usr/lib", "/etc", "/tmp/stop")  # the last is what touch makes
    assert {path for path in opened if path.startswith("/") and not path.startswith(known)} == set()


# B3: the set-up process's own interpreter

REOPEN = """\
#!/proc/self/exe
import os
exe = os.open("/proc/self/exe", os.O_RDONLY)
answers = []
for path in ("/proc/self/exe", "/proc/self/fd/%d" % exe, "/proc/1/exe"):
    try:
        os.close(os.open(path, os.O_WRONLY))
        answers.append("written")
    except OSError as error:
        answers.append(type(error).__name__)
child = os.fork()
if child == 0:
    import time
    time.sleep(1)
print(*answers, flush=True)
"""


@ANYWHERE
def test_interpreter_of_the_host_cannot_be_written_to(nsunit, sleeper, workplace):
    """A script that names /proc/self/exe as its interpreter runs the set-up's, which is the host's Python."""
    python = Path("/usr/bin/python3").resolve()
    before = hashlib.sha256(python.read_bytes()).hexdigest(), os.stat(python).st_mtime_ns
    layer = workplace / "reopen"
    layer.mkdir()
    (layer / "evil").write_text(REOPEN)
    (layer / "evil").chmod(0o755)
    result = nsunit("run", f"-pLayer={layer}", f"-pLayer={DEBIAN}", "/evil", check=False)
    assert "written" not in result.stdout
    (sleeper.root / "tmp/evil").write_text(REOPEN)
    (sleeper.root / "tmp/evil").chmod(0o755)
    session = nsunit("exec", sleeper.name, "/tmp/evil", check=False)
    assert "written" not in session.stdout
    assert "Error" in result.stdout + result.stderr, "it was not even tried"
    assert (hashlib.sha256(python.read_bytes()).hexdigest(), os.stat(python).st_mtime_ns) == before


# C1, C2: identity of the program and of sessions

FIELDS = "^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp|Groups|Uid|Gid):"


@pytest.mark.parametrize(
    ("keys", "identity", "groups", "capabilities"),
    [
        ("", "0", "", "00000000800405fb"),
        ("User=7\nGroup=8\nSupplementaryGroups=20 30\n", "7", "20 30", "0000000000000000"),
        ("Capability=-ALL +KILL\n", "0", "", "0000000000000020"),
    ],
)
def test_program_and_session_are_the_same_user(containers, keys, identity, groups, capabilities):
    container = containers.start(SLEEPER + keys)
    inside = container.exec("grep", "-E", FIELDS, "/proc/self/status", "/proc/1/status").stdout.splitlines()
    found = {}
    for line in inside:
        path, field, value = line.split(":", 2)
        found.setdefault(path, {})[field] = " ".join(value.split())
    session, program = found["/proc/self/status"], found["/proc/1/status"]
    assert session == program
    assert session["CapInh"] == session["CapAmb"] == "0" * 16
    assert session["CapPrm"] == session["CapEff"] == capabilities
    bound = capabilities if keys.startswith("Cap") else "00000000800405fb"
    assert session["CapBnd"] == bound
    assert (session["NoNewPrivs"], session["Seccomp"]) == ("1", "2")
    assert session["Uid"].split() == [identity] * 4
    assert session["Groups"] == groups


# C4-C7: the kernel, cgroups, devices


@ANYWHERE
def test_no_user_namespaces_inside(sleeper):
    script = "cat /proc/sys/user/max_user_namespaces; unshare -U true 2>&1; echo 5 > /proc/sys/user/max_user_namespaces"
    result = sleeper.exec("sh", "-c", script, check=False)
    assert result.stdout.startswith("0\n")
    assert "Operation not permitted" in result.stdout
    assert "Read-only file system" in result.stderr


@ANYWHERE
@pytest.mark.machine("controllers")
def test_cgroup_tree_cannot_be_written(containers):
    """Neither through the mount that is there nor through one of the payload's own."""
    container = containers.start(SLEEPER.replace(BUSYBOX, DEBIAN) + "Capability=+SYS_ADMIN\n[Slice]\nMemoryMax=100M\n")
    script = """
        stat -f -c %T /sys/fs/cgroup
        mount -t cgroup none /mnt && echo v1
        cd /sys/fs/cgroup; for f in memory.max cpu.max pids.max cgroup.procs; do echo 1 > $f; done
        mkdir /sys/fs/cgroup/sub; mount -o remount,rw /sys/fs/cgroup; mkdir /sys/fs/cgroup/sub
        mount -t cgroup2 none /mnt && cd /mnt && for f in memory.max cpu.max cgroup.procs; do echo 1 > $f; done
        mkdir /mnt/sub; echo 1 > /mnt/../cgroup.procs; ls /mnt | grep -c nsunit; exit 0
    """
    before = {name: container.limit(name) for name in ("memory.max", "cpu.max", "pids.max")}
    group = Path(f"/proc/{container.pid}/cgroup").read_text()
    result = container.exec("sh", "-c", script, check=False)
    assert result.stdout == "cgroup2fs\n0\n", result.stdout
    assert result.stderr.count("Read-only file system") >= 5, result.stderr
    assert result.stderr.count("Permission denied") >= 4, result.stderr
    assert {name: container.limit(name) for name in before} == before
    assert Path(f"/proc/{container.pid}/cgroup").read_text() == group
    assert not list(container.cgroup.rglob("sub"))


@pytest.fixture
def open_disk(scratch_disk):
    """Return a disk that everybody may read, as far as its mode goes: only device lists keep a container out."""
    mode = os.stat(scratch_disk).st_mode
    os.chmod(scratch_disk, 0o666)
    yield scratch_disk
    os.chmod(scratch_disk, mode)


@ANYWHERE
@pytest.mark.machine("a disk")
def test_disk_of_the_host_cannot_be_opened(run, nsunit, containers, open_disk):
    """Not by a node of the container's own, not by a bound one, and not after a reload either."""
    container = containers.start(SLEEPER + f"Bind={open_disk}:/dev/disk\nCapability=+MKNOD\n")
    attempt = "mknod /tmp/d b 254 16; head -c 1 /dev/disk; cat /dev/null /dev/zero | head -c 1 | wc -c"
    for _ in range(2):
        result = container.exec("sh", "-c", attempt, check=False)
        assert result.stdout == "1\n", result.stdout
        assert result.stderr.count("Operation not permitted") == 2, result.stderr
        run("systemctl", "daemon-reload")
    allowed = (f"-pBind={open_disk}:/dev/disk", f"-pService.DeviceAllow={open_disk} r")
    result = nsunit("run", f"-pRootfs={BUSYBOX}", *allowed, "sh", "-c", "head -c 1 /dev/disk | wc -c", check=False)
    assert result.stdout == "1\n", result.stderr


# E1: no string becomes a line of a unit


@pytest.fixture
def new_units():
    """Return a function that tells which keys the transient units of a name have."""

    def keys(prefix):
        found = {}
        for path in TRANSIENT.glob(f"{prefix}*"):
            try:
                lines = path.read_text().splitlines()
            except FileNotFoundError:  # its unit has just gone
                continue
            found[path.name] = {line.split("=")[0] for line in lines if "=" in line and not line.startswith("#")}
        return found

    return keys


def test_command_of_a_session_cannot_add_to_its_scope(run, sleeper, new_units):
    evil = "/tmp/sl\n[Scope]\nMemoryMax=64M\nCPUWeight=7\n"
    sleeper.exec("sh", "-c", 'cp "$(command -v sleep)" "$0"', evil)
    wait_until(lambda: new_units(f"nsunit-{sleeper.name}-exec-") == {}, "the end of that one's scope")
    process = subprocess.Popen(["nsunit", "exec", sleeper.name, evil, "5"])
    seen = {}
    while process.poll() is None:
        for unit, keys in new_units(f"nsunit-{sleeper.name}-exec-").items():
            seen.setdefault(unit, set()).update(keys)
        time.sleep(0.05)
    assert process.returncode == 0
    assert len(seen) == 1, "the scope was never seen"
    allowed = {"Description", "Slice", "CollectMode", "TimeoutStopSec", "SendSIGHUP", "DevicePolicy", "DeviceAllow"}
    assert set().union(*seen.values()) <= allowed | {"TasksMax"}  # of which the slice has the limit


EVIL = [
    "a\n[Service]\nExecStartPre=/bin/touch /srv/owned",
    "a\rb",
    "a\x1b[2Jb",
    "a\x85b",
    "a\u2028b",
    "a\x7fb",
]


@ANYWHERE
@pytest.mark.parametrize("text", EVIL, ids=ascii)
def test_control_characters_are_refused_on_the_command_line(nsunit, text):
    words = ("-pHostname=", "-pUnit.Description=", "-pWorkingDirectory=/", "-pEnvironment=A=")
    result = nsunit("run", f"-pRootfs={BUSYBOX}", *(word + text for word in words), "true", check=False)
    assert result.returncode == 125
    assert result.stderr.count("contains a control character") == len(words), result.stderr
    assert "\x1b" not in result.stderr
    assert "\n[Service]" not in result.stderr


# E2, E3, E4: strings arrive as they were


def test_strings_arrive_literally(run, nsunit, containers, workplace):
    """Arguments and variables with all that systemd, shells and unit files would make something of."""
    chosen = random.Random(2)
    alphabet = "ab $%{}\\'\";#=-,:~!*?[]|&<>()`@^äß€𝄞 "
    words = [
        "$HOME",
        "${PATH}",
        "$$",
        "'\"'",
        "\\",
        ";",
        "%H",
        "%%",
        "50%off",
        "-",
        "",
        " ",
        "~",
        "\\x2d",
        "#",
        "=",
        "a\\",
    ]
    words += ["".join(chosen.choices(alphabet, k=chosen.randrange(1, 30))) for _ in range(60)]
    show = "import json, os, sys; json.dump([sys.argv[1:], dict(os.environ)], open('/out/' + sys.argv[1], 'w'))"
    show += "; sys.argv[1] == 'service' and __import__('signal').pause()"  # a unit that has ended is forgotten
    out = workplace / "out"
    out.mkdir()
    out.chmod(0o777)
    command = ["/usr/bin/python3", "-c", show]
    value = "".join(word.replace('"', "") for word in words)

    def quoted(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'

    definition = f"[Container]\nRootfs={DEBIAN}\nVolatile=yes\nBind={out}:/out\n"
    line = " ".join(quoted(word) for word in (*command, "service", *words))
    name = containers.define(
        f"{definition}Exec={line}\nEnvironment={quoted('A=' + value)}\n[Unit]\nDescription=50%%off %%H $HOME\n"
    )
    subprocess.run(["nsunit", "start", name], check=False, timeout=60)
    assert containers.of(name).show("Description") == {"Description": "50%off %H $HOME"}
    nsunit(
        "run", f"-pRootfs={DEBIAN}", f"-pBind={out}:/out", f"-pEnvironment={quoted('A=' + value)}", "--",
        *command, "run", *words,
    )  # fmt: skip
    sleeper = containers.start(f"{definition}Exec=/bin/sleep 1000\n")
    sleeper.exec(*command, "exec", *words)
    nsunit("exec", "--setenv", f"A={value}", sleeper.name, *command, "setenv", *words)
    wait_until(lambda: (out / "service").exists() and (out / "service").read_text(), "the service's answer")
    for kind in ("service", "run", "exec", "setenv"):
        arguments, environment = json.loads((out / kind).read_text())
        assert arguments == [kind, *words]
        if kind != "exec":
            assert environment["A"] == value
        assert set(environment) - {"A", "LC_CTYPE"} == {"PATH", "HOME", "USER", "container"}


# E5: names


@ANYWHERE
@pytest.mark.parametrize(
    "name", ["../x", "-x", "a/b", ".", "..", "A", "x\n", "a b", "ä", "x%n", "x\\", "@", "a@b@c", ""]
)
def test_names_that_are_none(nsunit, name):
    result = nsunit("start", "--", name, check=False)
    assert result.returncode == 2
    assert "is not a container name" in result.stderr
    assert result.stderr.count("\n") == 2


def test_names_that_begin_alike_are_strangers(nsunit, containers):
    base = containers.define(SLEEPER)
    names = [base, *(containers.define(SLEEPER, f"{base}{rest}") for rest in ("-extra", "-exec-1", ".x", "x"))]
    nsunit("start", *names)
    nsunit("stop", base)
    nsunit("rm", base)
    listed = {item["name"]: item["active_state"] for item in json.loads(nsunit("list", "--json").stdout)}
    assert {name: listed.get(name) for name in names} == {base: None, **dict.fromkeys(names[1:], "active")}


# E6: units of somebody else


def test_unit_of_the_administrator_is_left_alone(run, nsunit, containers):
    name = containers.define(SLEEPER)
    container = containers.of(name)
    for unit, text in ((container.service, "[Service]\nExecStart=/bin/sleep 1001\n"), (container.slice, "[Slice]\n")):
        path = Path("/etc/systemd/system") / unit
        path.write_text(text)
        run("systemctl", "daemon-reload")
        try:
            result = nsunit("start", name, check=False)
            assert result.returncode == 1
            assert unit in result.stderr
            assert container.show("ActiveState")["ActiveState"] == "inactive"
            assert not container.state.exists()
        finally:
            path.unlink()
    run("systemctl", "daemon-reload")
    nsunit("start", name)


# E8: secrets


def test_environment_is_a_secret(run, nsunit, sleeper):
    assert sleeper.exec("sh", "-c", "echo $S").stdout == f"{SENTINEL}\n"
    for command in (
        ("systemctl", "show", sleeper.service, sleeper.slice),
        ("systemctl", "cat", sleeper.service),
        ("busctl", "--no-pager", "introspect", "org.freedesktop.systemd1", unit_path(sleeper.service)),
        ("sh", "-c", f"cat {TRANSIENT}/*"),
        ("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' ' '"),
        ("journalctl", "-u", sleeper.service),
        ("cat", f"/run/nsunit/containers/{sleeper.name}/plan"),
    ):
        shown = run(*NOBODY, *command, check=False)
        assert SENTINEL not in shown.stdout + shown.stderr, command
    assert SENTINEL in Path(f"/run/nsunit/containers/{sleeper.name}/plan").read_text()


def unit_path(unit):
    escaped = "".join(c if c.isalnum() else f"_{ord(c):02x}" for c in unit)
    return f"/org/freedesktop/systemd1/unit/{escaped}"


# F1, F2: the operator's terminal

PUSH = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSTI, b'x')"


def test_session_cannot_push_input_into_the_terminal(sleeper):
    """The payload has a terminal of its own, and the call is refused; the operator's has nothing to read afterwards."""
    child, master = pty.fork()
    if child == 0:
        os.execvp("nsunit", ["nsunit", "exec", "-t", sleeper.name, "sh", "-c", f'tty; python3 -c "{PUSH}"'])
    output = b""
    while True:
        try:
            chunk = os.read(master, 4096)
        except OSError:  # EIO: the session has ended
            break
        if not chunk:
            break
        output += chunk
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1, output
    assert output.startswith(b"/dev/pts/0\r\n"), output
    assert b"PermissionError" in output or b"Operation not permitted" in output, output
    assert select.select([master], [], [], 0)[0] == [] or b"x" not in output[-1:]


ESCAPES = "\x1b]52;c;b3duZWQ=\x07\x1b[2J\x1bP1$r\x9b31m"


def test_payload_cannot_drive_the_terminal_by_its_names(nsunit, containers, run):
    """Command lines, the status text and the log are made printable."""
    code = (
        f"import socket, os, signal; s = socket.socket(1, 2); s.connect(os.environ['NOTIFY_SOCKET']); e = {ESCAPES!r};"
    )
    code += "print(e, flush=True); s.send(('READY=1\\nSTATUS=Failed to ' + e).encode()); signal.pause()"
    command = f"/usr/bin/python3 -c {json.dumps('exec(' + ascii(code) + ')')} {json.dumps(ESCAPES, ensure_ascii=True)}"
    command = command.replace("\\u001b", "\\x1b").replace("\\u0007", "\\x07").replace("\\u009b", "\\u009b")
    definition = f"[Container]\nRootfs={DEBIAN}\nVolatile=yes\nNotify=yes\nExec={command}\n"
    name = containers.define(definition)
    started = nsunit("start", name, check=False)
    if started.returncode:  # control characters in Exec= are refused; the payload itself has its ways
        assert "control character" in started.stderr
        script = f"exec(bytes.fromhex('{code.encode().hex()}').decode())"
        name = containers.define(definition.replace(command, f'/usr/bin/python3 -c "{script}"'))
        nsunit("start", name)
    for words in (("status", name), ("list",), ("inspect", name), ("logs", name), ("status", "--json", name)):
        shown = nsunit(*words, check=False)
        assert not {"\x1b", "\x07", "\x9b"} & set(shown.stdout + shown.stderr), words


@ANYWHERE
def test_what_is_no_file_to_be_read(containers, nsunit, tmp_path):
    """Pipes, devices and what never ends: one line each, and nobody waits."""
    os.mkfifo(tmp_path / "pipe")
    text = "[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=/bin/true\n"
    for path, reason in (("/dev/zero", "is not a regular file"), (f"{tmp_path}/pipe", "is not a regular file")):
        name = containers.define(f"{text}EnvironmentFile={path}\n")
        done = nsunit("start", name, check=False)
        assert (done.returncode, done.stderr) == (1, f"nsunit: {path}: {reason}\n")
        link = containers.define("")
        os.unlink(f"/etc/nsunit/{link}.nsunit")
        os.symlink(path, f"/etc/nsunit/{link}.nsunit")
        for verb in ("start", "cat", "verify"):
            done = nsunit(verb, link, check=False)
            assert done.returncode == 1, (verb, done)
            assert reason in done.stderr + done.stdout, (verb, done)
            assert "Traceback" not in done.stderr
        assert nsunit("list", "--all").returncode == 0


MANY = 1100


@ANYWHERE
def test_more_mounts_than_descriptors(containers, nsunit):
    """The helper takes what the hard limit lets it have, the payload has its own; a failure is told all the same."""
    binds = "".join(f"Bind=/etc/hostname:/mnt/{number}\n" for number in range(MANY))
    text = f"[Container]\nRootfs=/srv/roots/busybox\nVolatile=yes\nExec=/bin/sleep 1000\n{binds}[Service]\n"
    container = containers.start(text + "LimitNOFILE=512:4096\n")
    assert container.exec("sh", "-c", "ls /mnt | wc -l; ulimit -n").stdout == f"{MANY}\n512\n"
    assert "Max open files            512                  4096" in container.proc("limits")
    nsunit("stop", "--now", container.name)
    done = nsunit("start", containers.define(text + "LimitNOFILE=512\n"), check=False)
    assert done.returncode == 1
    first, hint = done.stderr.splitlines()
    assert first.endswith("Too many open files") or "Too many open files (" in first, first
    assert "raise LimitNOFILE= of [Service]" in hint
