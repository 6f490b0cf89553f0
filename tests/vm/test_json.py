"""What is printed with `--json` is what nsunit-json(7) and its schema say."""

import json
import subprocess
import tarfile
import uuid
from pathlib import Path

import oci
import pytest
from schema import mistakes
from waiting import wait_until

SCHEMA = json.loads(Path("/usr/share/nsunit/schema.json").read_text())
BASE = "[Container]\nLayer=/srv/roots/busybox\nExec=/bin/sleep 1000000\n"
CONTROLLED = "memory" in Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()
HOST_IDS = [{"inside": 0, "outside": 0, "count": 4294967295}]


class Scene:
    """Containers of many kinds, and what programs are told of them."""

    def __init__(self, containers, nsunit):
        self.nsunit = nsunit
        self.group = containers.define_group("[Slice]\nCPUWeight=50\n")
        ports = "PublishPort=18081:80\nPublishPort=127.0.0.1:15353:53/udp\n"
        limits = "[Slice]\nMemoryMax=100M\nTasksMax=50\n"
        self.web = containers.member(self.group, f"{BASE}Volatile=yes\nNetwork=bridge\n{ports}{limits}")
        self.host = containers.of(containers.define(f"{BASE}PrivateUsers=no\nNetwork=host\n"))
        maps = "UIDMap=0 700000 1000\nGIDMap=0 800000 500\nGIDMap=500 900000 1\n"
        self.maps = containers.of(containers.define(BASE + maps + "Volatile=yes\n"))
        self.idle = containers.define(BASE)
        self.brief = containers.define(BASE.replace("sleep 1000000", "false"))
        self.wrong = containers.define(BASE + "MemoryMacks=1\n")
        self.pod = containers.own(f"p{uuid.uuid4().hex[:8]}.pod")
        file = Path(f"/etc/nsunit/{self.pod}.nsunit")
        containers.files.append(file)
        file.write_text("[Pod]\nNetwork=bridge\n")
        self.seen = set()

    def ask(self, *words, status=(0,)):
        """What a verb prints with --json, after a look into the schema."""
        done = self.nsunit("--json", *words, check=False)
        assert done.returncode in status, (words, done.stdout, done.stderr)
        found = json.loads(done.stdout)
        self.check(" ".join(words), found)
        return found

    def check(self, line, found):
        """See that it is as it is described, for the longest beginning of *line* that is."""
        described = [verb for verb in SCHEMA["properties"] if f"{line} ".startswith(f"{verb} ")]
        verb = "show GROUP.slice" if line.endswith(".slice") and line.startswith("show") else max(described, key=len)
        verb = "import KIND" if line.startswith(("import quadlet", "import run", "import compose")) else verb
        self.seen.add(verb)
        assert mistakes(found, SCHEMA["properties"][verb], SCHEMA["$defs"]) == [], line


@pytest.fixture(scope="module")
def scene(shared, nsunit):
    return Scene(shared, nsunit)


@pytest.mark.kernel("nftables")
@pytest.mark.timeout(900)
def test_all_of_it(scene, shared, tmp_path):
    """One test, as the verbs tell of each other's doing."""
    web, name = scene.web, scene.web.name
    follower = subprocess.Popen(["nsunit", "events"], stdout=subprocess.PIPE, text=True)
    try:
        events = [json.loads(follower.stdout.readline())]
        for started in (name, scene.host.name, scene.maps.name, scene.pod):  # one by one: a machine may be slow
            assert scene.ask("start", started)[0]["state"] == "started"
        while events[-1].get("container") != name:
            events.append(json.loads(follower.stdout.readline()))
    finally:
        follower.kill()
        follower.wait()
    for event in events:
        scene.check("events", event)
    (problem,) = scene.ask("start", scene.wrong, status=(1,))[0]["error"]["problems"]
    assert (problem["path"], problem["line"]) == (f"/etc/nsunit/{scene.wrong}.nsunit", 4)
    assert scene.ask("verify", scene.wrong, status=(1,)) == [problem]

    looks_into_what_it_is(scene, web)
    looks_at_what_it_uses(scene, name)
    looks_at_networks_and_namespaces(scene, name)
    changes_it(scene, name)
    scene.ask("doctor", status=(0, 1))
    scene.ask("doctor", "--check", status=(0, 1))
    scene.ask("doctor", "--repair")
    assert scene.ask("version")["schema"] == SCHEMA["version"]
    scene.ask("delegate", "--check", "nobody")
    scene.ask("cgroup", "list", "--controllers")
    scene.ask("cgroup", "list")
    if CONTROLLED:
        has_control_groups(scene, name)
    is_over(scene, name)
    is_moved(scene, shared, tmp_path)
    of_others(scene, tmp_path)
    of_images(scene, tmp_path)
    of_volumes(scene, tmp_path)
    # Others print what these do; see test_build.py, test_create.py, test_deploy.py, test_images*.py and test_update.py.
    elsewhere = {f"image {verb}" for verb in ("pull", "push", "bisect", "diff", "revert")}
    elsewhere |= {"build", "commit", "create", "deploy", "diff", "update", "rollback"}
    assert SCHEMA["properties"].keys() - scene.seen == elsewhere | (set() if CONTROLLED else {"reclaim", "cgroup get"})


def looks_into_what_it_is(scene, web):
    shown = scene.ask("show", web.name)
    assert shown["root"] == {"kind": "overlay", "path": None, "layers": ["/srv/roots/busybox"], "upper": None}
    start = int(web.proc("uid_map").split()[1])
    assert shown["ids"]["users"] == shown["ids"]["groups"] == [{"inside": 0, "outside": start, "count": 65536}]
    assert shown["namespaces"]["pid"] == (Path(f"/proc/{web.pid}/ns/pid")).stat().st_ino
    ports = [(port["address"], port["host"], port["container"], port["protocol"]) for port in shown["ports"]]
    assert ports == [("", 18081, 80, "tcp"), ("127.0.0.1", 15353, 53, "udp")]
    assert shown["setup"][-1]["operation"] == "exec"
    host, maps, pod = (scene.ask("show", name) for name in (scene.host.name, scene.maps.name, scene.pod))
    assert host["ids"] == {"users": HOST_IDS, "groups": HOST_IDS, "reserved": False}
    assert "net" not in host["namespaces"]
    assert host["root"]["upper"] == f"/var/lib/nsunit/containers/{scene.host.name}/overlay"
    assert maps["ids"]["users"] == [{"inside": 0, "outside": 700000, "count": 1000}]
    assert [entry["outside"] for entry in maps["ids"]["groups"]] == [800000, 900000]
    assert (pod["root"], pod["ids"]["users"][0]["count"]) == (None, 65536)
    idle = scene.ask("show", scene.idle)
    assert (idle["root"], idle["ids"], idle["namespaces"], idle["setup"]) == (None, None, {}, [])
    assert scene.ask("show", f"{scene.group}.slice")["members"] == [web.name]
    assert scene.ask("status", web.name)[0]["ids"] == shown["ids"]
    (listed,) = [item for item in scene.ask("list") if item["name"] == web.name]
    assert (listed["addresses"], listed["ports"]) == (shown["addresses"], shown["ports"])
    assert [item["addresses"] for item in scene.ask("list", "--all") if item["name"] == scene.idle] == [[]]
    for words in (["--all"], ["--names"], ["--tree"], ["--tree", "--names"], ["--oci"]):
        scene.ask("list", *words)
    for name in (web.name, scene.pod, f"{scene.group}.slice"):
        scene.ask("render", name)
        scene.ask("render", "--unit-files", name)


def looks_at_what_it_uses(scene, name):
    assert name in [item["name"] for item in scene.ask("stats")["usages"]]
    assert scene.ask("ps", name)[0]["inside_pid"] == 1
    for what in ([name], [name, "MemoryMax"], [f"{scene.group}.slice"]):
        scene.ask("why", *what)
    assert scene.ask("analyze", name)[0]["name"] == name


def looks_at_networks_and_namespaces(scene, name):
    assert scene.ask("network", "inspect", "bridge")[0]["bridge"] == "nsunit0"
    for words in (["network", "list"], ["network", "repair"], ["network", "check"], ["network", "prune"]):
        scene.ask(*words)
    assert scene.ask("port", name)[0]["ports"][0]["host"] == 18081
    scene.ask("ns", "list")
    scene.ask("ns", "same", name, scene.host.name, status=(1,))
    assert scene.ask("ns", "pin", name, "uts")["path"].endswith(f"{name}/uts")
    assert scene.ask("ns", "unpin", name)["kinds"] == ["uts"]


def changes_it(scene, name):
    scene.ask("plan", name, scene.idle)
    assert scene.ask("set", name, "TasksMax=60")[0]["new"] == "60"
    assert scene.ask("plan", name)[0]["name"] == name
    scene.ask("apply", name)
    scene.ask("dropin", name, "TasksMax=70")
    scene.ask("dropin", "--remove", name)
    (file,) = scene.ask("cat", scene.idle)
    assert file == {"path": f"/etc/nsunit/{scene.idle}.nsunit", "text": Path(file["path"]).read_text()}
    for verb in ("enable", "disable"):
        assert scene.ask(verb, scene.idle)[0]["error"] is None


def has_control_groups(scene, name):
    scene.ask("reclaim", name, "4K", status=(0, 1))
    group = f"c{uuid.uuid4().hex[:8]}"
    scene.nsunit("cgroup", "create", "-g", f"memory:{group}")
    try:
        assert group in [item["path"] for item in scene.ask("cgroup", "list")]
        assert scene.ask("cgroup", "get", "-r", "cgroup.type", group) == {group: {"cgroup.type": "domain"}}
    finally:
        scene.nsunit("cgroup", "delete", "-g", f"memory:{group}")


def is_over(scene, name):
    scene.ask("restart", name)
    scene.ask("stop", name)
    assert scene.ask("wait", name)[0]["ended"]["active_state"] == "gone"
    (ending,) = scene.ask("start", "--wait", scene.brief, status=(1,))
    assert (ending["ended"]["exec_main_code"], ending["ended"]["exec_main_status"]) == (1, 1)
    wait_until(lambda: scene.ask("show", name)["ids"]["reserved"], "its ids are kept")
    assert scene.ask("rm", scene.idle)[0]["error"] is None


def is_moved(scene, containers, place):
    """A container of its own becomes another, and comes back."""
    name, other, last = (containers.own(f"m{uuid.uuid4().hex[:8]}") for _ in range(3))
    containers.define(BASE, name)
    containers.files += [Path(f"/etc/nsunit/{item}.nsunit") for item in (other, last)]
    scene.nsunit("export", name, str(place / "moved.tar"))
    assert scene.ask("clone", name, other)[0] == {
        **scene.ask("rename", name, last)[0],
        "name": other,
        "state": "cloned",
    }
    assert scene.ask("import", str(place / "moved.tar"))[0]["name"] == name
    Path(f"/etc/nsunit/{last}.nsunit").unlink()
    scene.ask("prune", "--dry-run")
    scene.ask("prune", "--force")


def of_others(scene, place):
    folder = place / "others"
    folder.mkdir()
    name = f"j{uuid.uuid4().hex[:8]}"
    (folder / f"{name}.container").write_text("[Container]\nImage=localhost/no\nSeccompProfile=x\n")
    found = scene.ask("import", "quadlet", "--dry-run", str(folder))
    assert (found["definitions"][0]["name"], found["definitions"][0]["path"]) == (name, None)
    assert found["remarks"][0]["key"] == "SeccompProfile"
    (folder / "compose.yaml").write_text(f"name: {name}\nservices: {{a: {{image: localhost/no}}}}\n")
    assert scene.ask("up", str(folder), status=(1,))[0]["error"]
    assert scene.ask("down", str(folder)) == []


def of_images(scene, place):
    layout, name = place / "layout", f"localhost/j{uuid.uuid4().hex[:8]}:latest"
    oci.Layout(layout).image([oci.archive([oci.file("hello", name)])])
    found = scene.ask("image", "import", str(layout), "--name", name)
    assert (found["names"], found["layers"], found["fetched"]) == ([name], 1, 1)
    assert name in [item for image in scene.ask("image", "list") for item in image["names"]]
    assert scene.ask("image", "inspect", name)[0]["config"]
    scene.ask("image", "history", name)
    scene.ask("image", "log", name)
    scene.ask("image", "branch", name.replace("localhost/", "localhost/branch-"), name)
    scene.ask("image", "export", name, f"dir:{place}/exported")
    scene.ask("image", "df")
    scene.ask("image", "check")
    other = name.replace("localhost/", "localhost/more-")
    assert scene.ask("image", "tag", name, other) == [other]
    scene.ask("image", "rm", other, name.replace("localhost/", "localhost/branch-"))
    assert name in scene.ask("image", "rm", name)["names"]
    scene.ask("image", "prune")
    scene.ask("image", "prune", "--all", "--dry-run")


def of_volumes(scene, place):
    name, archive = f"j{uuid.uuid4().hex[:8]}", place / "empty.tar"
    assert scene.ask("volume", "create", name) == [name]
    assert scene.ask("volume", "inspect", name)[0]["filled"] is False
    assert scene.ask("volume", "rm", "--force", name) == [name]
    tarfile.open(archive, "w").close()
    assert scene.ask("volume", "import", name, str(archive)) == [name]
    assert name in [item["name"] for item in scene.ask("volume", "list")]
    assert scene.ask("volume", "prune") == []
    assert scene.ask("volume", "rm", "--force", name) == [name]
    mounted = scene.ask("mount", scene.idle)
    assert scene.ask("mount") == mounted
    assert scene.ask("umount", scene.idle) == mounted
