"""Hostile roots: what an image, a volume or a payload can put in the way must never reach the host.

Each test has a canary on the host that must be untouched.  The letters are those of the classes of holes that other
container programs had: symbolic links in place of mount points (A1-A6, A8), in volumes (A9) and in account files (A10).
"""

import os
import re
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest
from counts import count
from waiting import wait_until

pytestmark = pytest.mark.once("links, mounts and files of the kernel's; with all counts")

BUSYBOX = "/srv/roots/busybox"
DEBIAN = "/srv/roots/debian"
HOSTILE = count("HOSTILE")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture
def canary():
    """Return a directory of the host that nothing may touch, and see at the end that nothing did."""
    path = Path("/srv/canary")
    path.mkdir()
    (path / "ptmx").write_text("untouched")
    (path / "null").write_text("untouched")
    (path / "passwd").write_text("app:x:0:0::/:/bin/sh\n")
    os.chmod(path / "null", 0o640)
    before = snapshot(path)
    mounts = host_mounts()
    yield str(path)
    after, mounts_after = snapshot(path), host_mounts()
    shutil.rmtree(path)
    assert after == before
    assert mounts_after == mounts


def snapshot(path):
    """Return all that could have been changed of a tree."""
    found = {}
    for entry in (path, *sorted(path.rglob("*"))):
        status = os.lstat(entry)
        content = entry.read_text() if stat.S_ISREG(status.st_mode) else ""
        found[str(entry)] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, status.st_nlink, content)
    return found


def host_mounts():
    """Return the host's mounts, but for those of users' sessions, which end in their own time."""
    lines = Path("/proc/1/mountinfo").read_text().splitlines()
    return [line for line in lines if not line.split()[4].startswith("/run/user/")]


@pytest.fixture
def layer(workplace):
    """Return a function that makes a layer of links (name → target) to lay over a root."""
    made = []

    def maker(links=(), **files):
        path = workplace / f"hostile-{len(made)}-{time.monotonic_ns()}"
        path.mkdir()
        made.append(path)
        for name, target in dict(links).items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).symlink_to(target)
        for name, text in files.items():
            (path / name).write_text(text)
        return path

    yield maker
    for path in made:
        shutil.rmtree(path)


@pytest.fixture
def run_in(nsunit):
    """Run a command in the foreground in a root made of layers, the hostile one first: so often, and always alike."""

    def runner(layer, *command, base=BUSYBOX, options=(), **keys):
        layers = [f"-pLayer={path}" for path in (layer, base) if path]
        settings = [f"-p{key}={value}" for key, values in keys.items() for value in listed(values)]
        words = ("run", *layers, *settings, *options, "--", *command)
        first = nsunit(*words, check=False)
        for number in range(1, HOSTILE if layer else 1):
            again = nsunit(*words, check=False)
            assert (again.returncode, again.stdout) == (first.returncode, first.stdout), f"start {number}"
        return first

    return runner


def listed(value):
    return value if isinstance(value, (list, tuple)) else [value]


# A2, A3: a link in place of what the kernel's file systems are mounted on


@pytest.mark.parametrize(
    ("name", "target"),
    [("proc", "/srv/canary"), ("proc", "../srv/canary"), ("proc", "usr"), ("sys", "usr"), ("dev", "../srv/canary")],
)
def test_link_in_place_of_a_kernel_mount_point_is_refused(canary, layer, run_in, name, target):
    result = run_in(layer({name: target}), "true")
    assert result.returncode == 125
    assert (
        f"Failed to {'make' if name == 'dev' else 'mount'} /{name}: it must be an ordinary directory in the root"
        in (result.stderr)
    )
    assert result.stderr.count("\n") == 1


def test_file_in_place_of_dev_is_refused(layer, run_in):
    result = run_in(layer(dev="a file"), "true")
    assert (result.returncode, "it must be an ordinary directory" in result.stderr) == (125, True), result.stderr


def test_old_content_of_dev_is_hidden_and_kept(canary, layer, run_in):
    hostile = layer({"dev/ptmx": f"{canary}/ptmx", "dev/null": f"{canary}/null", "dev/console": f"{canary}/null"})
    result = run_in(hostile, "sh", "-c", "echo x >/dev/null; readlink /dev/ptmx; ls -l /dev/null; ls -a /dev")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("pts/ptmx\ncrw")
    assert "console" not in result.stdout
    assert os.readlink(hostile / "dev/null") == f"{canary}/null"


# A4: nothing is mounted on what nsunit sets up itself


def test_targets_in_kernel_file_systems_are_refused_by_the_definition(nsunit, define):
    targets = ["/proc", "/proc/self/attr", "/proc/../proc/sys", "//proc", "/sys/fs/cgroup", "/sys/", "/./proc/1"]
    lines = [f"Bind=/srv:{target}" for target in targets] + [f"Tmpfs={target}" for target in targets]
    name = define("\n".join(["[Container]", f"Rootfs={BUSYBOX}", "Exec=/bin/true", *lines, ""]))
    result = nsunit("start", name, check=False)
    refused = [
        line for line in result.stderr.splitlines() if re.search(r"is in /(proc|sys), which nsunit|'\.\.'", line)
    ]
    assert len(refused) == len(lines), result.stderr


@pytest.mark.parametrize(
    ("link", "target", "key"),
    [
        ("data", "/proc", "Bind"),
        ("data", "proc/self", "Tmpfs"),
        ("data", "/sys/fs", "Bind"),
        ("data", "/sys/fs/cgroup", "Tmpfs"),
        ("a/data", "../proc/1", "Bind"),
    ],
)
def test_targets_that_a_link_leads_there_are_refused(layer, run_in, link, target, key):
    hostile = layer({link: target})
    result = run_in(hostile, "true", **{key: f"/srv:/{link}" if key == "Bind" else f"/{link}"})
    assert result.returncode == 125
    assert "it lies in /proc or /sys" in result.stderr


# A5: masks do not depend on a /dev/null that can be replaced


def test_masks_hold_with_a_dev_of_the_users_own(canary, layer, run_in, workplace):
    dev = workplace / "own-dev"
    dev.mkdir()
    (dev / "null").symlink_to("/host/ptmx")
    binds = [f"{dev}:/dev", f"{canary}:/host"]
    result = run_in(None, "sh", "-c", "cat /proc/keys /proc/kallsyms | wc -c; cat /dev/null", Bind=binds)
    assert (result.returncode, result.stdout) == (0, "0\nuntouched"), result.stderr


# A6: a terminal comes from the container's own devpts or not at all


def test_terminal_is_refused_where_the_multiplexer_is_not_one(canary, nsunit, containers, workplace):
    dev = workplace / "tty-dev"
    (dev / "pts").mkdir(parents=True)
    (dev / "pts/ptmx").symlink_to("/host/ptmx")
    container = containers.start(
        f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=/bin/sleep 1000\nBind={dev}:/dev\nBind={canary}:/host\n"
    )
    result = container.exec("true", check=False)
    assert result.returncode == 0, result.stderr
    result = nsunit("exec", "-t", container.name, "true", check=False)
    assert result.returncode == 125
    assert "is not a terminal multiplexer" in result.stderr or "Permission denied" in result.stderr


# A1: a mount point swapped for a link while the container starts

SWAP = """\
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
os.makedirs("/vol/dir/target", exist_ok=True)
os.path.lexists("/vol/link") or os.symlink("../../../../../../../srv/canary", "/vol/link")
while True:
    if libc.renameat2(-100, b"/vol/dir", -100, b"/vol/link", 2):
        raise SystemExit(os.strerror(ctypes.get_errno()))
"""
VICTIMS = count("VICTIMS")


@pytest.mark.timeout(300 + VICTIMS * 2)
def test_swapping_a_mount_point_never_leads_out(canary, nsunit, containers, workplace, layer):
    """Every start either fails with the mount's name or has the mount once, inside."""
    volume, source = workplace / "volume", workplace / "source"
    volume.mkdir()
    source.mkdir()
    volume.chmod(0o777)
    (workplace / "swap.py").write_text(SWAP)
    swapper = containers.start(
        f"[Container]\nRootfs={DEBIAN}\nVolatile=yes\nBind={volume}:/vol\nBindReadOnly={workplace}/swap.py:/swap.py\n"
        "Exec=/usr/bin/python3 /swap.py\n"
    )
    victim = (
        f"[Container]\nRootfs={BUSYBOX}\nVolatile=yes\nExec=/bin/sleep 1000\n"
        f"Bind={volume}:/vol\nBind={source}:/vol/dir/target\n"
    )
    names = [containers.define(victim) for _ in range(VICTIMS)]
    wait_until(lambda: os.path.lexists(volume / "link"), "the swapper's first turn")
    result = nsunit("start", *names, check=False, timeout=240 + VICTIMS)
    assert swapper.show("ActiveState")["ActiveState"] == "active", "nobody swapped anything"
    started = 0
    for name in names:
        if containers.of(name).show("ActiveState")["ActiveState"] != "active":
            assert f"nsunit: {name}: Failed to bind '{source}' at '/vol/dir/target': " in result.stderr
            continue
        started += 1
        inside = containers.of(name).proc("mountinfo").splitlines()
        targets = [line.split()[4] for line in inside if line.split()[3].endswith(str(source).removeprefix("/var/tmp"))]
        assert len(targets) == 1
        assert targets[0] in ("/vol/dir/target", "/vol/link/target", "/srv/canary/target"), targets
    assert started + result.stderr.count("Failed to bind") == VICTIMS


# B3: the program that sets a container up is the host's Python, and /proc/self/exe leads to it

EXECUTED_BY_ITSELF = """\
#!/proc/self/exe
import os, sys, time
said = []
for attempt in (
    lambda: os.chmod("/proc/self/exe", 0o4755),
    lambda: os.open("/proc/self/exe", os.O_WRONLY | os.O_TRUNC),
):
    try:
        said.append(str(attempt()))
    except OSError as error:
        said.append(os.strerror(error.errno))
print(*said, sep=", ", flush=True)
if sys.argv[1:]:
    with open("/out/said", "w") as file:
        print(*said, sep=", ", file=file)
    time.sleep(1000)
"""


def test_the_hosts_root_inside_cannot_change_the_hosts_interpreter(nsunit, run_in, containers, workplace):
    """CVE-2019-5736, by start, exec and run; from a user namespace with other ids the file belongs to nobody."""
    interpreter = Path("/usr/bin/python3").resolve()
    before = interpreter.stat()
    evil, out = workplace / "evil", workplace / "out"
    evil.write_text(EXECUTED_BY_ITSELF)
    evil.chmod(0o755)
    out.mkdir()
    expected = "Read-only file system, Read-only file system\n"
    try:
        container = containers.start(
            f"[Container]\nRootfs={DEBIAN}\nVolatile=yes\nPrivateUsers=no\nBindReadOnly={evil}:/evil\nBind={out}:/out\n"
            "Exec=/evil wait\n"
        )
        said = wait_until(lambda: (out / "said").exists() and (out / "said").read_text(), "the payload's attempts")
        assert said == expected
        result = nsunit("exec", container.name, "/evil", check=False)
        assert (result.returncode, result.stdout) == (0, expected), result.stderr
        result = run_in(None, "/evil", base=DEBIAN, PrivateUsers="identity", BindReadOnly=f"{evil}:/evil")
        assert (result.returncode, result.stdout) == (0, expected), result.stderr
    finally:
        after = interpreter.stat()
        interpreter.chmod(stat.S_IMODE(before.st_mode))
    assert (after.st_mode, after.st_size, after.st_mtime_ns) == (before.st_mode, before.st_size, before.st_mtime_ns)


# A7 and imports: what the process that enters the root opens there


def test_nothing_of_the_root_is_opened_but_what_has_to_be(run, layer, workplace):
    """After the root was entered, no path is opened but the program's own; kernel parameters go through our procfs."""
    trace = workplace / "trace"
    calls = "openat,openat2,open,creat,pivot_root,execve,chdir"
    run(
        *("strace", "-f", "-qq", "-e", f"trace={calls}", "-o", str(trace)),
        *(
            "nsunit",
            "run",
            f"-pRootfs={DEBIAN}",
            "-pSysctl=net.ipv4.tcp_keepalive_time=999",
            "-pUser=daemon",
            "/bin/true",
        ),
    )
    lines = trace.read_text().splitlines()
    entered = next(number for number, line in enumerate(lines) if "pivot_root(" in line)
    payload = lines[entered].split()[0]
    own = [line.split(maxsplit=1)[1] for line in lines if line.split()[0] == payload]
    pivot = next(number for number, line in enumerate(own) if line.startswith("pivot_root("))
    execve = next(number for number, line in enumerate(own) if line.startswith("execve(") and line.endswith("= 0"))
    after = [line for line in own[pivot + 1 : execve] if not line.startswith(("chdir(", "execve("))]
    assert after == [], "\n".join(own)
    # Before, only by descriptors: an absolute path would be the host's, a name would be the root's unchecked.
    written = [line for line in own[:pivot] if re.search(r"O_WRONLY|O_RDWR|O_CREAT", line)]
    assert len(written) == 4, written  # user.max_user_namespaces and three of net.ipv4
    for line in written:
        assert re.match(r'openat2\(\d+, "sys/[a-z0-9_/]+", .*RESOLVE_NO_XDEV\|RESOLVE_NO_MAGICLINKS', line), line
        assert "RESOLVE_BENEATH" in line
    paths = [line for line in own[:pivot] if re.match(r'openat\(AT_FDCWD, "/', line)]
    assert [line for line in paths if not re.match(r'openat\(AT_FDCWD, "/", .*O_PATH', line)] == []


# A8: missing mount points and working directories behind links


def test_missing_mount_points_are_made_inside(canary, layer, run_in):
    hostile = layer({"a": "../../../../srv/canary", "file": f"{canary}/null", "dangling": f"{canary}/new"})
    binds = ["/etc:/a/b/c", "/etc/hostname:/a/b/file", "/etc/hostname:/dangling/file"]
    result = run_in(hostile, "sh", "-c", "ls -d /srv/canary/b/c/passwd /srv/canary/b/file; ls /srv", Bind=binds)
    assert result.returncode in (0, 125), result.stderr
    if result.returncode == 0:
        assert result.stdout == "/srv/canary/b/c/passwd\n/srv/canary/b/file\ncanary\n"
    else:
        assert "Failed to bind" in result.stderr


def test_file_bind_over_a_link_covers_the_link(canary, layer, run_in):
    result = run_in(layer({"file": f"{canary}/null"}), "sh", "-c", "cat /file", Bind="/etc/hostname:/file")
    assert (result.returncode, result.stdout) == (0, Path("/etc/hostname").read_text()), result.stderr


@pytest.mark.parametrize("target", ["/srv/canary", "/proc/self/fd/3", "/proc/1/root/nowhere"])
def test_working_directory_behind_a_link(canary, layer, run_in, target):
    result = run_in(layer({"wd": target}), "pwd", WorkingDirectory="/wd")
    assert result.returncode == 125, result.stdout
    assert "Failed to change to the directory '/wd'" in result.stderr


# A9: a volume that another container writes to


def test_links_in_a_source_are_followed_for_root_only(canary, run_in, containers, workplace):
    volume = workplace / "shared"
    volume.mkdir()
    volume.chmod(0o777)
    (workplace / "to-root").symlink_to(canary)  # the administrator's own link
    made = run_in(None, "ln", "-s", "/srv/canary", "/vol/sub", Bind=f"{volume}:/vol")
    assert made.returncode == 0, made.stderr
    assert os.lstat(volume / "sub").st_uid >= 65536
    for keys in ({"Bind": f"{volume}/sub:/x"}, {"Bind": f"{volume}/sub/null:/x"}):
        result = run_in(None, "true", **keys)
        assert result.returncode == 125
        assert f"the symbolic link '{volume}/sub' belongs to user" in result.stderr
    result = run_in(f"{volume}/sub", "true")
    assert (result.returncode, "belongs to user" in result.stderr) == (125, True)
    result = run_in(None, "ls", "/x", BindReadOnly=f"{workplace}/to-root:/x")
    assert (result.returncode, result.stdout) == (0, "null\npasswd\nptmx\n"), result.stderr


# A10: account files


def huge(path):
    with path.open("wb") as file:
        file.truncate(2 << 30)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: os.mkfifo(path), "not a regular file"),
        (lambda path: os.mkdir(path), "not a regular file"),
        (lambda path: path.symlink_to("/srv/canary/passwd"), "user 'app' is not in the container's /etc/passwd"),
        (lambda path: path.symlink_to("/proc/self/environ"), "app"),
        (huge, "larger than"),
        (
            lambda path: path.write_text("app:x:4294967296:0::/:\napp:x:-1:0::/:\napp:x::0::/:\n"),
            "user 'app' is not in",
        ),
    ],
    ids=["fifo", "directory", "link-out", "link-to-proc", "huge", "overflow"],
)
def test_hostile_passwd_never_gives_a_user(canary, layer, run_in, make, says):
    hostile = layer()
    (hostile / "etc").mkdir()
    make(hostile / "etc/passwd")
    begun = time.monotonic()
    result = run_in(hostile, "id", "-u", User="app")
    assert result.returncode == 125, result.stdout
    said, hint = result.stderr.splitlines()
    assert (says in said, hint.startswith("  hint: ")) == (True, True)
    assert time.monotonic() - begun < 60


def test_digits_are_never_a_name(layer, run_in, nsunit, containers):
    """Also for exec, whose user no definition has checked."""
    hostile = layer()
    (hostile / "etc").mkdir()
    tricky = ["4294967296", "4294967295", "99999999999", "-1", "+1", "1_0", "0x0", "\uff11", "1 "]
    lines = ["root:x:0:0::/root:/bin/sh", *(f"{name}:x:0:0::/:/bin/sh" for name in tricky), "one:x:1:7::/:/bin/sh"]
    (hostile / "etc/passwd").write_text("\n".join(lines) + "\n")
    container = containers.start(f"[Container]\nLayer={hostile}\nLayer={BUSYBOX}\nVolatile=yes\nExec=/bin/sleep 1000\n")
    for user in ("4294967296", "4294967295", "99999999999"):
        result = nsunit("exec", "--uid", user, container.name, "id", "-u", check=False)
        assert (result.returncode, result.stdout) == (125, ""), user
        assert f"user '{user}' is out of range" in result.stderr
    result = nsunit("exec", "--uid", "1", container.name, "sh", "-c", "id -u; id -g; echo $HOME", check=False)
    assert result.stdout == "1\n7\n/\n", result.stderr
    result = nsunit("exec", "--uid", ":1", container.name, "id", "-u", check=False)
    assert (result.returncode, result.stdout) == (125, ""), "a group alone is not a user"


# A11: what nsunit writes itself


def test_planted_links_at_what_nsunit_makes_in_the_root(canary, layer, run_in, containers):
    hostile = layer({"run/host": canary, "etc/hostname": f"{canary}/null", "etc/hosts": f"{canary}/new"})
    container = f"[Container]\nLayer={hostile}\nLayer={BUSYBOX}\nVolatile=yes\nNotify=yes\nExec=/bin/true\n"
    name = containers.define(container + "[Service]\nTimeoutStartSec=5\n")
    subprocess.run(["nsunit", "start", name], capture_output=True, check=False, timeout=60)  # whether it works or not
    assert run_in(hostile, "true", Init="yes").returncode == 0


# A13, A14: the mounts seen from both sides


def test_mounts_stay_inside(canary, run_in):
    script = (
        "set -e; root=$(stat -c %i /); [ $(stat -c %i /..) = $root ]; [ $(stat -c %i /proc/1/root/..) = $root ];"
        "mkdir -p /mnt /tmp; mount -t tmpfs inside /mnt; mount --bind /mnt /tmp; cat /proc/self/mountinfo; sleep 2"
    )
    mounts = host_mounts()
    process = subprocess.Popen(
        ["nsunit", "run", f"-pRootfs={BUSYBOX}", "-pCapability=+SYS_ADMIN", "sh", "-c", script],
        stdout=subprocess.PIPE,
        text=True,
    )
    first = process.stdout.readline()
    during = host_mounts()
    inside = [first, *process.stdout]
    assert process.wait(60) == 0
    assert during == mounts
    fields = [line.split() for line in inside]
    assert {line[4] for line in fields} >= {"/", "/proc", "/sys", "/sys/fs/cgroup", "/dev", "/dev/pts", "/mnt", "/tmp"}
    allowed = ("/proc", "/sys", "/dev", "/mnt", "/tmp")
    assert [line for line in fields if line[4] != "/" and not line[4].startswith(allowed)] == []
    assert [line for line in fields if "shared:" in " ".join(line)] == []
    types = {" ".join(line).split(" - ")[1].split()[0] for line in fields}
    assert types == {"overlay", "proc", "sysfs", "cgroup2", "tmpfs", "devpts", "mqueue", "devtmpfs"}, types


# A15


def test_read_only_binds_cover_what_is_mounted_below(run, run_in, workplace):
    tree = workplace / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub").chmod(0o777)
    tree.chmod(0o777)
    run("mount", "-t", "tmpfs", "-o", "mode=777", "below", str(tree / "sub"))
    try:
        script = "touch /t/new; touch /t/sub/new; grep ' /t[ /]' /proc/self/mountinfo"
        result = run_in(None, "sh", "-c", script, BindReadOnly=f"{tree}:/t")
    finally:
        run("umount", str(tree / "sub"))
    assert result.stderr.count("Read-only file system") == 2, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    assert all({"ro", "nosuid", "nodev"} <= set(line.split()[5].split(",")) for line in lines), lines


# A16


def test_nobody_reaches_what_containers_keep(run, containers):
    """A setuid program that a payload makes in its upper layer belongs to the host's root on the disk."""
    container = containers.start(f"[Container]\nLayer={BUSYBOX}\nExec=/bin/sleep 1000\n")
    container.exec("sh", "-c", "cp /bin/busybox /tmp/evil; chmod 4755 /tmp/evil")
    evil = container.upper / "tmp/evil"
    assert os.stat(evil).st_mode & stat.S_ISUID
    for path in (
        str(evil),
        str(container.upper),
        f"/run/nsunit/containers/{container.name}/plan",
        "/run/nsunit/seccomp",
    ):
        result = run(*NOBODY, "stat", path, check=False)
        assert (result.returncode, "Permission denied" in result.stderr) == (1, True), path
    assert run(*NOBODY, "sh", "-c", f"exec {evil} id", check=False).returncode == 126
    assert run(*NOBODY, "ls", f"/proc/{container.pid}/root/", check=False).returncode != 0
    for directory in ("/var/lib/nsunit", "/run/nsunit", "/run/nsunit/containers", "/run/nsunit/locks"):
        assert os.stat(directory).st_mode & 0o077 == 0, directory


# A deep tree in an upper layer can be removed


def test_upper_layer_nested_deeper_than_descriptors_go_is_removed(nsunit, containers):
    container = containers.start(f"[Container]\nLayer={DEBIAN}\nExec=/bin/sleep 1000\n")
    script = (
        "import os; os.chdir('/tmp'); os.symlink('/', 'l'); [(os.mkdir('d', 0), os.chdir('d')) for _ in range(1500)]"
    )
    container.exec("python3", "-c", script)
    nsunit("stop", container.name)
    nsunit("rm", container.name)
    assert not container.state.exists()
    assert Path("/bin").exists()
