"""nsunit-oci by hand: what there is of containers besides their programs, and what is told of them."""

import json
import os
import pwd
import subprocess
import uuid
from pathlib import Path

import pytest
from waiting import wait_until

pytestmark = pytest.mark.once("the kernel's processes and files, which systemd's version has no part in")

ROOT = Path("/run/nsunit-oci")
HOW_MANY = 5


class Bundle:
    """A bundle with busybox's root, of which containers are made; all of them are removed at the end."""

    def __init__(self, path):
        self.path = path
        self.id = f"l{uuid.uuid4().hex[:8]}"
        path.mkdir()
        self.call("spec")
        self.config = json.loads((path / "config.json").read_text())
        self.config["root"]["path"] = "/srv/roots/busybox"
        self.config["process"] |= {"terminal": False, "args": ["sleep", "1000"]}
        self.config["process"].pop("rlimits", None)

    def call(self, *words, check=True):
        """Run the runtime, whose output is no pipe: a container keeps it."""
        with (self.path / "out").open("w+b") as out:
            done = subprocess.run(
                ["nsunit-oci", *words],
                cwd=self.path,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=60,
                check=False,
            )
        said = (self.path / "out").read_text()
        assert not (check and done.returncode), said
        return said

    def run(self, name, *options):
        """Make a container and start it; returns its process."""
        (self.path / "config.json").write_text(json.dumps(self.config))
        self.call(*options, "create", "--pid-file", f"pid-{name}", f"{self.id}-{name}")
        self.call(*options, "start", f"{self.id}-{name}")
        return int((self.path / f"pid-{name}").read_text())


@pytest.fixture
def bundle(workplace):
    made = Bundle(workplace / uuid.uuid4().hex)
    yield made
    left = made.call("delete", "--force", "--regex", f"^{made.id}-", check=False)
    assert left == "" or "no container's id matches" in left
    assert list(ROOT.glob(f"{made.id}*")) == []


def processes():
    """The command lines of all processes there are, by number."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                found[int(entry.name)] = (entry / "cmdline").read_bytes()
            except OSError:
                continue  # it has just ended
    return found


@pytest.mark.parametrize("options", [(), ("--systemd-cgroup",)])
def test_nothing_of_it_stays_in_memory_beside_a_container(bundle, options):
    """No process but the container's own; and in /run, which is memory, what `state` and `delete` need."""
    before = processes()
    pids = [bundle.run(number, *options) for number in range(HOW_MANY)]
    alive = processes()
    assert [alive[pid] for pid in pids] == [b"sleep\0001000\0"] * HOW_MANY
    new = {pid: words for pid, words in alive.items() if pid not in before and pid not in pids}
    assert {pid: words for pid, words in new.items() if b"nsunit-oci" in words or bundle.id.encode() in words} == {}
    for number, pid in enumerate(pids):
        path = Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition("::")[2]
        assert Path(f"/sys/fs/cgroup{path}/cgroup.procs").read_text().split() == [str(pid)]
        kept = {entry.name: entry.stat().st_blocks * 512 for entry in (ROOT / f"{bundle.id}-{number}").iterdir()}
        assert kept.keys() == {"state.json", "config.json", "start", "reply", "started"}
        assert sum(kept.values()) <= 16384
        # Nor does it hold on to something of the runtime's: its descriptors are those it was given.
        assert sorted(os.listdir(f"/proc/{pid}/fd"), key=int) == ["0", "1", "2"]


def test_the_owner_is_told_by_name(bundle):
    bundle.run("0")
    (told,) = [entry for entry in json.loads(bundle.call("list", "--format", "json")) if bundle.id in entry["id"]]
    assert told["owner"] == pwd.getpwuid(os.getuid()).pw_name
    (line,) = [line for line in bundle.call("list").splitlines() if bundle.id in line]
    assert line.split()[-1] == told["owner"]


def test_state_of_one_that_a_regular_expression_matches(bundle):
    """Of one that has not ended, where there is one."""
    for number in range(3):
        bundle.run(number)
    for number, expected in ((0, "1"), (1, "2"), (2, "0")):
        bundle.call("kill", f"{bundle.id}-{number}", "KILL")
        wait_until(
            lambda at=number: json.loads(bundle.call("state", f"{bundle.id}-{at}"))["status"] == "stopped", "its end"
        )
        told = json.loads(bundle.call("state", "--regex", f"^{bundle.id}-[012]$"))
        assert told["id"] == f"{bundle.id}-{expected}"
    said = bundle.call("state", "--regex", "^no-such-", check=False)
    assert said == "--regex: no container's id matches '^no-such-'\n"


def test_hooks_need_not_read_a_state_of_any_size(bundle):
    """With what a pipe holds it is no matter; Kubernetes' annotations go up to 256 KiB."""
    bundle.config["annotations"] = {"org.example.big": "x" * 250_000}
    hook = {"path": "/bin/sh", "args": ["sh", "-c", "exec sleep 0.1"], "timeout": 30}
    counts = {"path": "/bin/sh", "args": ["sh", "-c", f"wc -c >{bundle.path}/counted"]}
    kinds = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
    bundle.config["hooks"] = {kind: [hook] for kind in kinds}
    bundle.config["hooks"]["createRuntime"] = [hook, counts]
    bundle.run("0")
    assert int((bundle.path / "counted").read_text()) > 250_000
    bundle.call("delete", "--force", f"{bundle.id}-0")


def test_what_the_kernel_refuses_is_told_with_its_place(bundle):
    bundle.config["process"]["oomScoreAdj"] = 1000
    bundle.config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 4294967295}] * 2
    bundle.config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 1}]
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    (bundle.path / "config.json").write_text(json.dumps(bundle.config))
    said = bundle.call("create", f"{bundle.id}-0", check=False)
    assert "uid_map" in said and "Invalid argument" in said


def test_what_another_user_has_made_is_not_used(bundle, workplace):
    """Slurm has root delete containers of users: of what they write there nothing is executed as root."""
    root, mark = workplace / "others", workplace / "executed"
    bundle.config["hooks"] = {"poststop": [{"path": "/bin/touch", "args": ["touch", str(mark)]}]}
    pid = bundle.run("0", "--root", str(root))
    container, said = root / f"{bundle.id}-0", "belongs to user 1234, who alone can use it"
    for path in (container, root):
        os.chown(path, 1234, 1234)
        for words in (["state"], ["kill", "--all"], ["delete", "--force"], ["delete", "--force", "--regex"], ["ps"]):
            assert said in bundle.call("--root", str(root), *words, container.name, check=False)
        assert b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert said in bundle.call("--root", str(root), "create", "another", check=False)
    assert not mark.exists()
    for path in (container, root):
        os.chown(path, 0, 0)
    bundle.call("--root", str(root), "delete", "--force", container.name)
    assert mark.exists()
