"""A root with busybox, and bundles of it for nsunit-oci."""

import json
import os
import shutil
import socket
import struct
import subprocess
import uuid
from pathlib import Path

import pytest

RUNTIME = "nsunit-oci"
ROOT = Path("/run/nsunit-oci")
CGROUPS = Path("/sys/fs/cgroup")
APPLETS = (
    "sh cat ls sleep id true test env ps hostname mount stat readlink sort grep touch mkdir rm nproc uname nc"
).split()


@pytest.fixture(scope="module")
def rootfs():
    """A root with busybox, where the root of a user namespace may go, too."""
    top = Path(f"/var/tmp/oci-{uuid.uuid4().hex[:8]}")
    top.mkdir(mode=0o755)
    for name in ("bin", "etc", "tmp", "proc", "sys", "dev", "work"):
        (top / name).mkdir(parents=True)
    (top / "bin/busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (top / "bin/busybox").chmod(0o755)
    for name in APPLETS:
        (top / "bin" / name).symlink_to("busybox")
    (top / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (top / "work/kept").write_text("kept\n")
    # A mount of its own: runc makes the one that the root is in private, and what is bound of it with it.
    (top / "source").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", top / "source"], check=True)
    subprocess.run(["mount", "--make-shared", top / "source"], check=True)
    (top / "source/file").write_text("root:x:0:0::/elsewhere:/bin/sh\n")
    (top / "source/below").mkdir()
    yield top
    subprocess.run(["umount", top / "source"], check=True)
    shutil.rmtree(top)


class Bundle:
    """A bundle of config.json as `runc spec` makes it, changed."""

    def __init__(self, path, rootfs):
        self.path = path
        self.id = f"t-{uuid.uuid4().hex[:8]}"
        path.mkdir(exist_ok=True)
        if not (path / "config.json").exists():
            subprocess.run(["runc", "spec", "--bundle", str(path)], check=True)
        self.config = json.loads((path / "config.json").read_text())
        self.config["root"] = {"path": str(rootfs), "readonly": True}
        self.config["process"] |= {"terminal": False, "args": ["sleep", "1000"]}
        self.save()

    def save(self):
        (self.path / "config.json").write_text(json.dumps(self.config))

    def call(self, *words, runtime=RUNTIME, check=True, **options):
        """Run the runtime; its standard streams are files, since the container keeps them."""
        out, err = self.path / "out", self.path / "err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            options = {"stdin": subprocess.DEVNULL, "cwd": self.path, "timeout": 60} | options
            done = subprocess.run([runtime, *words], stdout=stdout, stderr=stderr, check=False, **options)
        done.stdout, done.stderr = out.read_text(), err.read_text()
        if check and done.returncode:
            pytest.fail(f"{runtime} {words}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def state(self):
        return json.loads(self.call("state", self.id).stdout)

    def create(self, *options):
        """Make it; returns its process, which is this process's to wait for."""
        self.call("create", "--pid-file", "pid", *options, self.id)
        return int((self.path / "pid").read_text())

    def see(self, runtime):
        """What the payload of a run sees."""
        done = self.call("run", f"{self.id}-{runtime}", runtime=runtime, check=False)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def bundle(tmp_path, rootfs):
    made = Bundle(tmp_path / "bundle", rootfs)
    yield made
    made.call("delete", "--force", made.id)
    assert not (ROOT / made.id).exists()
    assert not list(CGROUPS.rglob(f"*{made.id}*"))


@pytest.fixture(autouse=True)
def subreaper():
    """As conmon and the shims of containerd are.

    Not longer than that: of a session that ends before its command, another test's, this process would have to wait for
    the command, and a PID namespace ends only when all in it have been waited for.
    """
    import ctypes

    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    yield
    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)


def broken(**changes):
    return lambda config: config.update(changes)


def in_linux(**changes):
    return lambda config: config["linux"].update(changes)


def in_process(**changes):
    return lambda config: config["process"].update(changes)


def mounts(lines):
    """Place, options and kind of each mount; what is hidden is said by each in its own way."""
    found = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        _, _, _, _, place, options, *propagation = before.split()
        kind = after.split()[0]
        words = set(options.split(","))
        if kind == "tmpfs" and "ro" in words:
            words -= {"nosuid", "nodev", "noexec"}
        if kind == "devtmpfs":
            propagation = []  # nodes of the host: here they are private
        found[place] = (kind, *sorted(words), *sorted(word.split(":")[0] for word in propagation))
    return found


USERS = {"uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]}
USERS["gidMappings"] = USERS["uidMappings"]


def users(config):
    config["linux"]["namespaces"].append({"type": "user"})
    config["linux"] |= USERS
    os.chmod(config["root"]["path"], 0o755)


def says(bundle, script, *options):
    """What a script in the container prints."""
    bundle.config["process"]["args"] = ["sh", "-c", script]
    bundle.save()
    return bundle.call(*options, "run", bundle.id).stdout


def line_of(terminal):
    """The next line of a terminal, given as its master, which may come piece by piece."""
    said = b""
    while not said.endswith(b"\n"):
        said += os.read(terminal, 1)
    return said.decode()


def received(listening):
    """The master of a terminal that comes over a console socket."""
    connection, _ = listening.accept()
    with connection:
        _, rights, _, _ = connection.recvmsg(64, socket.CMSG_SPACE(4))
    return struct.unpack("i", rights[0][2])[0]
