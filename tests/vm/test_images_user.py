"""Images of a user without privileges: a store of their own, whose files belong to the user's ids."""

import copy
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import oci
import oci_cases
import pytest
from registry import registry
from rootless import User, nothing_left, user
from test_images import busybox
from written_images import BASE, DIFFERENCES, MARKS, read_layout

ANYWHERE = pytest.mark.anywhere("the store of a user: files of nsunit's own, ids and overlayfs")

__all__ = ["nothing_left", "user"]  # fixtures


class Own:
    """The store of *user*."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.path = user.home / ".local/share/nsunit/images"
        self.count = 0

    def layout(self, layers, **config) -> Path:
        """A layout in the user's home."""
        self.count += 1
        place = self.user.home / f"layout-{self.count}"
        oci.Layout(place).image([oci.archive(layer) for layer in layers], **config)
        return place

    def bring(self, layers, **config) -> str:
        """An image of *layers*, and its name."""
        place = self.layout(layers, **config)
        name = f"localhost/own{self.count}:latest"
        self.user.nsunit("image", "import", str(place), "--name", name)
        return name

    def lowers(self, name: str) -> list[Path]:
        text = (self.path / "names" / name.replace("/", "+")).read_text()
        line = next(line for line in text.split("\n") if line.startswith("layers\0"))
        return [self.path / "layers" / chain / "root" for chain in line.split("\0")[1:]]

    def inside(self, identity: int) -> int:
        """The id that the user's containers have for one of the host's."""
        return 0 if identity == self.user.uid else identity - self.user.subordinate + 1

    def merged(self, name: str) -> dict[bytes, tuple[object, ...]]:
        """What the layers of an image show, with the owners that containers see."""
        return self.overlay(self.lowers(name))

    def overlay(self, layers: list[Path]) -> dict[bytes, tuple[object, ...]]:
        """What *layers* show, the topmost first."""
        place = self.user.home / "merged"
        place.mkdir(exist_ok=True)
        if len(layers) == 1:
            layers.append(place)
        links = Path(tempfile.mkdtemp(dir=self.user.home))
        for number, layer in enumerate(layers):
            (links / str(number)).symlink_to(layer)  # mount(8) takes 255 characters
        options = "userxattr,lowerdir=" + ":".join(map(str, range(len(layers))))
        subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", place], check=True, cwd=links)
        try:
            found = oci.listing(place)
        finally:
            subprocess.run(["umount", place], check=True)
        return {path: (*item[:2], *map(self.inside, item[2:4]), *item[4:]) for path, item in found.items()}


@pytest.fixture(scope="module")
def own(user) -> Iterator[Own]:
    yield Own(user)


def within(entry):
    """An entry of a layer, with owners that a user has."""
    info = copy.copy(entry[0])
    info.uid, info.gid = min(info.uid, 60_000), min(info.gid, 60_000)
    return info, entry[1]


@ANYWHERE
def test_a_merged_root_is_the_same_for_a_user(own):
    """All that is tried for the system; but devices, which a user cannot make, are left out and told."""
    for case, meant in oci_cases.CASES.items():
        layers = [[within(entry) for entry in layer] for layer in meant]
        wanted = {path: item for path, item in oci.expected(oci.merged(layers)).items() if item[0] != "c"}
        assert (case, oci.differences(wanted, own.merged(own.bring(layers)))) == (case, [])
    assert own.user.nsunit("image", "check").stdout == "nothing is wrong\n"
    device = own.layout([[oci.file("f"), oci.entry("null", oci.tarfile.CHRTYPE, devmajor=1, devminor=3)]])
    done = own.user.nsunit("image", "import", str(device))
    assert "warning: 'null' is left out: devices can be made by root only" in done.stderr
    foreign = own.layout([[oci.file("f", uid=70_000)]])
    done = own.user.nsunit("image", "import", str(foreign), check=False)
    assert "entry 'f': it belongs to 70000, and you have ids up to 65536\n" in done.stderr
    own.user.nsunit("image", "prune", "--all", "--force")
    assert [os.listdir(own.path / place) for place in ("layers", "images", "staging")] == [[], [], []]


def test_a_users_container_of_an_image(own, user, run):
    """It has the image's user and command, keeps what it writes, and its layers stay as long as it has them."""
    script = 'echo "$0 $(id -u):$(id -g) $PWD $(stat -c %u:%g /etc/own)" >/srv/report; exec sleep 9999'
    layers = [busybox(oci.directory("srv", mode=0o777)), [oci.file("etc/own", "1", uid=33, gid=34)]]
    name = own.bring(layers, Entrypoint=["/bin/sh", "-c", script], User="web", WorkingDir="/work/deep")
    directory = user.home / ".config/nsunit"
    user.run("mkdir", "-p", directory)
    (directory / "own.nsunit").write_text(f"[Container]\nImage={name}\n")
    user.nsunit("start", "own")
    report = "while ! [ -s /srv/report ]; do sleep 0.1; done; cat /srv/report"
    assert user.exec("own", report) == "/bin/sh 33:34 /work/deep 33:34\n"
    (listed,) = json.loads(user.nsunit("image", "list", "--json").stdout)
    assert (listed["names"][0], listed["containers"]) == (name, ["own"])
    used = user.nsunit("image", "rm", name, check=False)
    assert "is used by own" in used.stderr
    layer = own.lowers(name)[0]
    user.nsunit("image", "prune", "--all", "--force")
    assert layer.exists()
    assert run("nsunit", "image", "inspect", name, check=False).returncode == 3
    user.nsunit("stop", "own")
    user.nsunit("rm", "own")
    user.nsunit("image", "rm", name)
    assert not layer.exists()
    (user.layer / "note").touch()
    os.chown(user.layer / "note", user.subordinate + 32, user.subordinate + 33)
    user.nsunit("image", "import", str(user.layer), "--name", "localhost/of-directory")
    seen = user.nsunit("run", "-p", "Image=of-directory", "--", "/bin/stat", "-c", "%u:%g", "/note")
    assert seen.stdout == "33:34\n"
    user.nsunit("image", "rm", "of-directory")


def test_a_user_fetches_an_image(own, user, workplace):
    """With the user's own credentials, in a unit that can write to nothing else."""
    place = workplace / "registry-of-a-user"
    place.mkdir()
    with registry(place, 5056) as remote:
        full = remote.push(f"oci:{own.layout([busybox()], Cmd=['/bin/pwd'])}:latest", "own:1")
        refused = user.nsunit("run", "-p", f"Image={full}", check=False)
        assert "authentication required" in refused.stderr
        login = ["skopeo", "login", "--username", "web", "--password-stdin", remote.host]
        subprocess.run([*user.words, *login], input=b"secret", check=True, capture_output=True)
        assert user.nsunit("run", "-p", f"Image={full}").stdout == "/\n"
        assert user.nsunit("image", "check").stdout == "nothing is wrong\n"
    assert os.listdir(own.path / "staging") == []


@ANYWHERE
def test_what_a_users_container_has_written_goes_out(own, user, workplace):
    """`diff`, `commit`, `image export` and `image push`, of all ways to change a root, with the ids that are inside."""
    base = own.bring([BASE, [oci.file("etc/second", "2")]], Cmd=["/bin/sh"])
    user.run("mkdir", "-p", user.home / ".config/nsunit")
    (user.home / ".config/nsunit/writes.nsunit").write_text(
        f"[Container]\nImage={base}\nTmpfs=/run\nExec=/bin/sh /srv/writes\n"
    )
    user.nsunit("start", "writes")
    user.exec("writes", "while ! [ -s /srv/report ]; do sleep 0.1; done")
    (state,) = json.loads(user.nsunit("list", "--json").stdout)
    pid = state["pid"]
    entered = ("nsenter", f"--user=/proc/{pid}/ns/user", "--setuid=0", "--setgid=0")
    subprocess.run([*entered, sys.executable, "-c", MARKS.format(root=f"/proc/{pid}/root")], check=True)
    told = user.nsunit("diff", "writes").stdout
    assert sorted(told.splitlines()) == sorted(DIFFERENCES.splitlines())

    done = user.nsunit("commit", "writes", "localhost/written", "-c", "CMD id -u")
    assert [line.partition("' is left out")[0] for line in done.stderr.splitlines()] == [
        "nsunit: warning: '/srv/.wh.hidden",
        "nsunit: warning: '/srv/socket",
    ]
    wanted = own.overlay([user.containers / "writes/overlay/upper", *own.lowers(base)])
    for path in (b"srv/.wh.hidden", b"srv/socket"):
        del wanted[path]
    found = own.merged("localhost/written:latest")
    assert oci.differences(wanted, found) == []
    assert found[b"srv/shared"][2:4] == (65000, 65001)
    assert user.nsunit("run", "-p", "Image=written").stdout == "0\n"
    user.nsunit("rm", "--force", "writes")

    place = user.home / "exported"
    user.nsunit("image", "export", "written", f"oci:{place}:x")
    assert oci.differences(found, oci.expected(oci.merged(read_layout(place, "x")[0]))) == []
    own.user.nsunit("image", "import", f"oci:{place}:x", "--name", "localhost/again")
    assert user.nsunit("image", "diff", "written", "again").stdout == ""
    assert "C /was-file" in user.nsunit("image", "diff", base, "written").stdout.splitlines()
    user.nsunit("image", "export", "again", f"docker-archive:{user.home}/again.tar")
    user.nsunit("image", "export", "again", f"tar:{user.home}/root.tar")
    user.nsunit("image", "import", f"tar:{user.home}/root.tar", "--name", "localhost/root")
    assert oci.differences(found, own.merged("localhost/root:latest")) == []
    with registry(workplace, 5057) as remote:
        login = ["skopeo", "login", "--username", "web", "--password-stdin", remote.host]
        subprocess.run([*user.words, *login], input=b"secret", check=True, capture_output=True)
        user.nsunit("image", "push", "again", f"{remote.host}/again:1")
        user.nsunit("image", "pull", f"{remote.host}/again:1")
    user.nsunit("image", "branch", "bad", "written")
    bad = user.nsunit("image", "bisect", base, "bad", "--", "/bin/sh", "-c", "test -e /gone").stdout
    assert "the first bad layer, after 0 tries" in bad
    assert len(user.nsunit("image", "log", "bad").stdout.splitlines()) == 4
    user.nsunit("image", "revert", "bad")
    assert user.nsunit("image", "diff", "bad", base).stdout == ""
    user.nsunit("image", "rm", "written", "again", "root", "bad", f"{remote.host}/again:1", base)
    user.nsunit("image", "prune", "--all", "--force")
    assert [os.listdir(own.path / name) for name in ("layers", "images", "staging")] == [[], [], []]


@ANYWHERE
def test_files_and_versions_of_a_users_container(own, user):
    """`create`, `cp`, `update` and `rollback` are as for the system; what takes root is refused with a way out."""
    user.nsunit("image", "prune", "--all", "--force")
    keep = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 99 & wait $!; done"]
    first = own.bring([busybox(oci.directory("srv", mode=0o777))], Cmd=keep)
    user.nsunit("create", "box", "--image", first, "Hostname=own")
    user.nsunit("start", "box")
    (user.home / "note").write_text("from outside\n")
    user.nsunit("cp", str(user.home / "note"), "box:/srv/note")
    assert user.exec("box", "stat -c %u:%g /srv/note; cat /srv/note; chown 33:34 /srv/note") == "0:0\nfrom outside\n"
    second = own.layout([busybox(oci.directory("srv", mode=0o777)), [oci.file("etc/later", "2")]], Cmd=keep)
    user.nsunit("image", "import", str(second), "--name", first)
    user.nsunit("update", "box")
    assert user.exec("box", "cat /etc/later; stat -c %u:%g /srv/note 2>&1 | tail -n 1").startswith("2")
    user.nsunit("rollback", "box")
    assert user.exec("box", "stat -c %u:%g /srv/note; ls /etc/later 2>/dev/null; true") == "33:34\n"
    user.nsunit("stop", "box")
    user.nsunit("cp", "box:/srv/note", str(user.home / "back"))
    status = (user.home / "back").stat()
    assert (status.st_uid, (user.home / "back").read_text()) == (user.uid, "from outside\n")
    refused = {
        ("mount", "box"): "have 'nsunit --user cp' fetch files, or 'nsunit --user exec' look for you",
        ("create", "other", "--template", "busybox"): "use --image, or have root do it",
        ("volume", "export", "data", str(user.home / "v.tar")): "have 'nsunit --user exec' run tar in a container",
        ("volume", "import", "data", str(user.home / "back")): "have 'nsunit --user exec' run tar in a container",
    }
    for words, hint in refused.items():
        done = user.nsunit(*words, check=False)
        assert (done.returncode, hint in done.stderr) == (2, True), done.stderr
    user.nsunit("rm", "--definition", "box")
    user.nsunit("image", "prune", "--all", "--force")
    assert [os.listdir(own.path / name) for name in ("layers", "images", "staging")] == [[], [], []]


@ANYWHERE
def test_a_user_deploys(own, user, run):
    """By a directory, and its layers are those of the system's store, whose marks are others, as well."""
    name = own.bring([[within(entry) for entry in BASE], [oci.file(".wh.gone"), oci.file("old/.wh..wh..opq")]])
    directory, disk = user.home / ".config/nsunit", user.home / "disk"
    user.run("mkdir", "-p", directory)
    (directory / "mine.nsunit").write_text(f"[Container]\nImage={name}\nExec=/bin/sleep 9999\n")
    before = own.merged(name)
    assert b"/old/a" not in before and b"/gone" not in before
    user.nsunit("deploy", "mine", f"{disk}/")
    user.nsunit("rm", "--force", "--definition", "mine")
    user.nsunit("image", "prune", "--all", "--force")
    assert os.listdir(own.path / "layers") == []
    assert user.nsunit("deploy", f"{disk}/").stdout.startswith(f"mine: started, {disk}: 2 of 2 layers sent, ")
    assert own.merged(name) == before
    assert user.nsunit("image", "check").stdout == "nothing is wrong\n"
    user.nsunit("rm", "--force", "--definition", "mine")
    run("nsunit", "deploy", f"{disk}/")
    assert run("nsunit", "image", "check").stdout == "nothing is wrong\n"
    run("nsunit", "rm", "--force", "--definition", "mine")
    run("nsunit", "image", "rm", name)
    user.nsunit("image", "prune", "--all", "--force")
