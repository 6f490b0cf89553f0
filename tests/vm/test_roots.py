"""Roots: a directory, layers, what is written and where it lands."""

import os
import shutil
import stat
import subprocess

import pytest

ANYWHERE = pytest.mark.anywhere("mounts of the kernel's")

BUSYBOX = "/srv/roots/busybox"
DEBIAN = "/srv/roots/debian"
# Tells what process 1 finds: files of the topmost layer, how many layers there are, and who owns things.
LOOK = (
    """cat /top; ls /layer | wc -l; stat -c %u:%g /top /bin/ /etc/passwd; [ -e /etc/debian_version ] && echo debian"""
)


def definition(*roots, script="true", **keys):
    """A container that runs *script*, whose output is its report, and then sleeps."""
    payload = f"{{ {script}; echo end; }} >/tmp/report 2>&1; exec sleep 1000".replace("%", "%%")
    lines = ["[Container]", f"Exec=/bin/sh -c '{payload}'", *(f"Layer={layer}" for layer in roots)]
    return "\n".join((*lines, *(f"{key}={value}" for key, value in keys.items()), ""))


def tree(path):
    """Everything in a directory that a write could change."""
    found = {}
    for directory, _, files in os.walk(path):
        for name in (".", *files):
            entry = os.lstat(f"{directory}/{name}")
            found[f"{directory}/{name}"] = (entry.st_mode, entry.st_uid, entry.st_gid, entry.st_size, entry.st_mtime_ns)
    return found


def is_whiteout(path):
    entry = os.lstat(path)
    return stat.S_ISCHR(entry.st_mode) and entry.st_rdev == 0


@pytest.fixture(scope="module")
def layers(workplace):
    """Return 60 small layers, the topmost first."""
    made = []
    for number in range(1, 61):
        layer = workplace / f"layer-{number}"
        (layer / "layer").mkdir(parents=True)
        (layer / "layer" / str(number)).write_text(f"{number}\n")
        (layer / "top").write_text(f"{number}\n")
        made.append(str(layer))
    return made


@pytest.mark.parametrize("base", [BUSYBOX, DEBIAN])
@pytest.mark.parametrize("count", [1, 2, 60])
def test_layers(containers, layers, base, count):
    """A base with *count* - 1 layers on it; with one layer it is the base alone."""
    own = layers[: count - 1]
    container = containers.start(definition(*own, base, script=LOOK if own else "stat -c %u:%g /bin/ /etc/passwd"))
    lines = container.report().splitlines()
    owners = lines[2:5] if own else lines[:2]
    assert owners == ["0:0"] * len(owners)  # the files of every layer belong to the container's root
    if own:
        assert lines[:2] == ["1", str(count - 1)]
        assert (lines[-1] == "debian") is (base == DEBIAN)
    assert os.stat(f"{base}/etc/passwd").st_uid == 0
    first, outside, size = container.proc("uid_map").split()
    assert (first, size) == ("0", "65536")
    assert int(outside) >= 524288
    # Host's view of the same file: the container's root, which is nobody on the host.
    assert os.stat(container.root / "etc/passwd").st_uid == int(outside)


def test_writes_land_in_the_upper_layer_and_are_kept(containers, layers, workplace, nsunit):
    base = workplace / "base"
    shutil.copytree(BUSYBOX, base, symlinks=True)
    (base / "data").mkdir()
    (base / "data/kept").write_text("of the layer\n")
    (base / "data/removed").write_text("of the layer\n")
    (base / "gone").mkdir()
    (base / "gone/file").write_text("")
    before = tree(base) | tree(layers[0])
    script = (
        "ls /data /gone 2>/dev/null; cat /data/kept; echo new >/data/new; echo changed >/data/kept; "
        "rm -rf /data/removed /gone; chown 1000:1000 /data/new; sync"
    )
    container = containers.start(definition(layers[0], base, script=script))
    assert container.report().split() == ["/data:", "kept", "removed", "/gone:", "file", "of", "the", "layer"]
    upper = container.upper
    assert (upper / "data/new").read_text() == "new\n"
    assert (upper / "data/kept").read_text() == "changed\n"
    assert is_whiteout(upper / "data/removed")
    assert is_whiteout(upper / "gone")
    # Ids are not shifted on disk: what belongs to 1000 in the container belongs to 1000 in the upper layer.
    assert (os.stat(upper / "data/new").st_uid, os.stat(upper / "data/new").st_gid) == (1000, 1000)
    assert os.stat(upper / "data").st_uid == 0
    assert tree(base) | tree(layers[0]) == before

    nsunit("stop", container.name)
    assert is_whiteout(upper / "gone")
    (upper / "tmp/report").unlink()  # of the first time
    nsunit("start", container.name)
    assert container.report().split() == ["/data:", "kept", "new", "changed"]

    nsunit("stop", container.name)
    nsunit("rm", container.name)
    assert not container.state.exists()
    nsunit("start", container.name)
    assert container.report().split() == ["/data:", "kept", "removed", "/gone:", "file", "of", "the", "layer"]
    assert tree(base) | tree(layers[0]) == before


@ANYWHERE
def test_a_directory_as_the_root_is_written_to(containers, workplace):
    root = workplace / "private/root"
    root.parent.mkdir(mode=0o700)
    shutil.copytree(BUSYBOX, root, symlinks=True)
    text = definition(script="echo new >/new; chown 1000:4 /new; stat -c %u:%g /new /bin/", Rootfs=root)
    container = containers.start(text)
    assert container.report().split() == ["1000:4", "0:0"]
    assert (root / "new").read_text() == "new\n"
    assert (os.stat(root / "new").st_uid, os.stat(root / "new").st_gid) == (1000, 4)
    assert not container.upper.exists()


@ANYWHERE
def test_a_root_that_is_written_to_is_out_of_reach_for_users(containers, nsunit, workplace):
    root = workplace / "within-reach/root"
    shutil.copytree(BUSYBOX, root, symlinks=True)
    script = "cp /bin/busybox /set-id; chmod 4755 /set-id"
    name = containers.define(definition(script=script, Rootfs=root))
    done = nsunit("start", name, check=False)
    assert done.returncode == 1
    assert f"Rootfs=: '{root}' is to be written to, and users of the host can enter it" in done.stderr
    assert "move it below /var/lib/machines" in done.stderr
    root.parent.chmod(0o700)
    nsunit("start", name)
    containers.of(name).report()
    assert (root / "set-id").stat().st_mode & 0o4000
    with pytest.raises(PermissionError):
        subprocess.run([root / "set-id", "true"], user=1000, check=False)


@ANYWHERE
@pytest.mark.parametrize("root", [f"Rootfs={BUSYBOX}", f"Layer={BUSYBOX}"])
def test_a_read_only_root(containers, root):
    before = tree(BUSYBOX)
    key, path = root.split("=")
    script = "touch /new; touch /etc/passwd; touch /run/new && touch /dev/shm/new && echo writable"
    container = containers.start(definition(script=script, ReadOnly="yes", **{key: path}))
    assert container.report().splitlines() == [
        "touch: /new: Read-only file system",
        "touch: /etc/passwd: Read-only file system",
        "writable",
    ]
    assert "ro" in container.proc("mountinfo").splitlines()[0].split()[5].split(",")
    assert not container.upper.exists()
    assert tree(BUSYBOX) == before


@ANYWHERE
@pytest.mark.parametrize("root", [f"Rootfs={BUSYBOX}", f"Layer={BUSYBOX}"])
def test_a_volatile_root(containers, nsunit, root):
    before = tree(BUSYBOX)
    key, path = root.split("=")
    script = "ls /new; rm /etc/passwd; echo new >/new; cat /new"
    container = containers.start(definition(script=script, Volatile="yes", **{key: path}))
    expected = ["ls: /new: No such file or directory", "new"]
    assert container.report().splitlines() == expected
    assert not container.upper.exists()
    nsunit("restart", container.name)
    assert container.report().splitlines() == expected
    assert tree(BUSYBOX) == before


@ANYWHERE
def test_ten_containers_share_one_base(containers, nsunit):
    before = tree(BUSYBOX)
    text = definition(BUSYBOX, script="echo $(hostname) >/who; rm /etc/group; cat /who")
    names = [containers.define(text) for _ in range(10)]
    nsunit("start", *names)
    found = [containers.of(name) for name in names]
    assert [container.report() for container in found] == [f"{name}\n" for name in names]
    ranges = {container.proc("uid_map").split()[1] for container in found}
    assert len(ranges) == 10
    assert [(container.upper / "who").read_text() for container in found] == [f"{name}\n" for name in names]
    assert all(is_whiteout(container.upper / "etc/group") for container in found)
    assert tree(BUSYBOX) == before


@ANYWHERE
def test_layers_may_hold_whiteouts_and_opaque_directories(containers, workplace):
    """What `podman` and `overlayfs` itself leave in a layer hides what lies below it."""
    lower, upper = workplace / "lower", workplace / "upper"
    for path in ("dir/below", "file"):
        (lower / path).parent.mkdir(parents=True, exist_ok=True)
        (lower / path).write_text("")
    (upper / "dir").mkdir(parents=True)
    os.setxattr(upper / "dir", "trusted.overlay.opaque", b"y")
    (upper / "dir/above").write_text("")
    os.mknod(upper / "file", stat.S_IFCHR, 0)
    container = containers.start(definition(upper, lower, BUSYBOX, script="ls -d /dir/* /file", Volatile="yes"))
    assert container.report().splitlines() == ["ls: /file: No such file or directory", "/dir/above"]
