"""What containers have written becomes a layer of an image."""

import hashlib
import json
import os
import stat
import struct
import subprocess
import uuid

import oci
import pytest
from test_images import STORE, busybox, image_id, images, lowers, merged_listing
from waiting import wait_until
from written_images import DIFFERENCES, base, checked, writer

ANYWHERE = pytest.mark.anywhere("what nsunit reads of overlayfs, and writes into its store and archives")

__all__ = ["base", "images", "writer"]  # fixtures
pytestmark = pytest.mark.usefixtures("real_system")
WRONG = [
    (["commit", "{name}", "BAD NAME"], "'BAD NAME' is not a name for an image"),
    (["commit", "{name}", "x", "-c", "RUN x"], "'RUN x' is no change of an image"),
    (["commit", "{name}", "x", "-c", "EXPOSE 0"], "'EXPOSE 0': '0' is not a port"),
    (["commit", "{name}", "x", "-c", 'CMD ["a", 1]'], "it is no list of texts"),
    (["commit", "{name}", "x", "-c", "ENV =x"], "it is not NAME=VALUE"),
    (["commit", "{name}", "x", "-c", "USER a b"], "config: User: 'a b' is not a "),
    (["commit", "nobody", "x"], "nobody"),
    (["commit", "{volatile}", "x"], "nothing of what it writes is kept, by Volatile="),
    (["commit", "{name}", "x"], "it has written nothing on its image"),
    (["image", "export", "{base}", "zip:/x"], "'zip:/x' is not where an image can be put"),
    (["image", "export", "{base}", "oci:/nowhere/x"], "there is no directory '/nowhere'"),
    (["image", "export", "{base}", "oci:/etc/fstab:a"], "'/etc/fstab' is no directory"),
    (["image", "export", "{base}", "oci:/etc:a"], "the directory '/etc' has something else in it"),
    (["image", "export", "{base}", "oci:/tmp/x:a b"], "'a b' is not a tag"),
    (["image", "export", "{base}", "oci-archive:/etc/fstab"], "'/etc/fstab' is there already"),
    (["image", "export", "{base}", "dir:/etc"], "the directory '/etc' is not empty"),
    (["image", "export", "{base}", "oci:/tmp/x:a", "--compression=lzma"], "'lzma' is no compression of layers"),
    (["image", "export", "{base}", "docker-archive:/tmp/x", "--compression=gzip"], "are not compressed"),
    (["image", "push", "{base}", "docker://A B"], "'A B' is not where an image can be sent to"),
    (["image", "push", "{base}"], "is a name of this host's, and of no registry"),
    (["image", "log", "nothing"], "there is no image 'nothing'"),
]


@ANYWHERE
def test_diff_shows_what_overlayfs_holds(writer, run):
    assert sorted(run("nsunit", "diff", writer.name).stdout.splitlines()) == sorted(DIFFERENCES.splitlines())
    assert {"kind": "D", "path": "/gone"} in checked("diff", run("nsunit", "diff", writer.name, "--json"))


def test_a_commit_has_all_that_was_written(writer, images, base, run):
    name = images.name()
    done = run(
        *("nsunit", "commit", writer.name, name, "--message=first light", "--author=me", "-c", 'CMD ["id", "-u"]'),
        *("-c", "ENV A=1 B='two words'", "-c", "USER=web", "-c", "EXPOSE 80 53/udp", "-c", "LABEL c d", "--json"),
    )
    assert checked("commit", done)["fetched"] == 1
    assert done.stderr.splitlines() == [
        "nsunit: warning: '/srv/.wh.hidden' is left out: in an image its name would mean that a file was removed",
        "nsunit: warning: '/srv/socket' is left out: it is a socket, which whoever listens on it makes anew",
    ]
    assert "frozen 0" in (writer.cgroup / "cgroup.events").read_text()
    wanted = oci.overlay([writer.upper, *lowers(base)], images.place / "merged")
    for path in (b"srv/.wh.hidden", b"srv/socket"):
        del wanted[path]
    assert oci.differences(wanted, merged_listing(name, images.place / "merged")) == []
    top = lowers(name)[0]
    assert os.getxattr(top / "srv/marked", "security.capability")[:4] == struct.pack("<I", 0x02000001)
    assert os.stat(top / "srv/sparse").st_blocks < 100
    assert lowers(name)[1:] == lowers(base)
    document = json.loads((STORE / "config" / image_id(name)).read_text())
    assert document["config"] == {
        "Cmd": ["id", "-u"],
        "Env": ["LANG=C", "A=1", "B=two words"],
        "User": "web",
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Labels": {"a": "b", "c": "d"},
    }
    told = document["history"][-1]
    assert (told["author"], told["comment"], told["created_by"]) == ("me", "first light", "/bin/sh /srv/writes")
    assert run("nsunit", "run", "-p", f"Image={name}").stdout == "33\n"


def ticks(container):
    """How far its loop has come, while nothing stops it."""
    return os.stat(container.root / "run/ticks").st_size


@ANYWHERE
def test_a_container_is_still_while_it_is_read_and_goes_on_whatever_is_killed(writer, images, base, run):
    # A while to read.
    large = writer.upper / "large"
    name = images.name()
    with open(large, "wb") as file:
        file.truncate(1)
        for place in range(1, 100):
            os.pwrite(file.fileno(), b"x", place << 20)
    events = writer.cgroup / "cgroup.events"
    command = ["nsunit", "commit", writer.name, name]
    try:
        process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
        wait_until(lambda: "frozen 1" in events.read_text(), "the container to be frozen")
        packing = "systemctl list-units 'nsunit-pack-*'"
        wait_until(lambda: "Pack layers for nsunit" in run(packing).stdout, "what it is frozen for")
        process.kill()
        process.wait()
        wait_until(lambda: "frozen 0" in events.read_text(), "the container to be thawed")
        before = ticks(writer)
        wait_until(lambda: ticks(writer) > before, "the container to go on")
        assert run("nsunit", "image", "inspect", name, check=False).returncode == 3
        wait_until(lambda: not run("systemctl list-units --no-legend 'nsunit-pack-*'").stdout, "the unit to be gone")
        process = subprocess.Popen([*command, "--no-pause"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            assert "frozen 0" in events.read_text()
        assert process.returncode == 0
    finally:
        large.unlink()
        run("nsunit", "resume", writer.name)
    assert os.listdir(STORE / "staging") == []
    run("nsunit", "pause", writer.name)
    run(*command)
    assert "frozen 1" in events.read_text()  # as it was
    run("nsunit", "resume", writer.name)
    assert len(lowers(name)) == len(lowers(base)) + 1


@ANYWHERE
def test_a_container_of_layers_or_of_a_directory_becomes_an_image(images, containers, run, base):
    place = images.place / uuid.uuid4().hex[:8]
    lower, upper, whole = place / "lower", place / "upper", place / "whole"
    place.mkdir(mode=0o700)
    run("cp", "-a", "/srv/roots/busybox", str(lower))
    (lower / "srv").mkdir(exist_ok=True)
    (lower / "srv/a").write_text("below")
    (upper / "srv").mkdir(parents=True)
    os.mknod(upper / "srv/a", stat.S_IFCHR, 0)
    run("cp", "-a", str(lower), str(whole))
    text = "Exec=/bin/sh -c 'echo end >/srv/b; exec sleep 9999'\nEnvironment=A=b\nStopSignal=KILL\n"
    container = containers.start(f"[Container]\nLayer={upper}\nLayer={lower}\n{text}")
    container.report("srv/b")
    run("nsunit", "stop", container.name)
    name = images.name()
    run("nsunit", "commit", container.name, name)
    assert len(lowers(name)) == 3
    wanted = oci.overlay([container.upper, upper, lower], place)
    assert oci.differences(wanted, merged_listing(name, place)) == []
    shown = run("nsunit", "run", "-p", f"Image={name}", "/bin/sh", "-c", "echo $A $(ls /srv)").stdout
    assert shown == "b b\n"
    # A Layer= of its own on an image's.
    mixed = containers.start(
        f"[Container]\nImage={base}\nLayer={upper}\nExec=/bin/sh -c 'echo end >/srv/b; exec sleep 9'"
    )
    mixed.report("srv/b")
    run("nsunit", "commit", mixed.name, name)
    assert oci.differences(oci.overlay([mixed.upper, upper, *lowers(base)], place), merged_listing(name, place)) == []
    # Owners on the disk that are the container's on the host.
    owned = containers.start(f"[Container]\nRootfs={whole}\nOwnership=chown\n{text}")
    owned.report("srv/b")
    assert os.stat(whole).st_uid >= 65536
    assert "so nothing tells what" in run("nsunit", "diff", owned.name, check=False).stderr
    run("nsunit", "commit", owned.name, name)
    assert len(lowers(name)) == 1
    found = merged_listing(name, place)
    assert {entry[2] for entry in found.values()} == {0}
    assert found[b"srv/a"][5] == hashlib.sha256(b"below").hexdigest()


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_what_a_start_makes_to_mount_on_is_nothing_that_was_written(images, containers, run):
    """As podman has it: no mount point, wherever the root has none, is shown or goes into an image."""
    place = images.place / uuid.uuid4().hex[:8]
    (place / "data").mkdir(parents=True)
    (place / "secret").write_text("hidden")
    bare = [entry for entry in busybox() if entry[0].name.rstrip("/") not in ("dev", "proc", "run", "sys")]
    name = images.image([bare])
    text = (
        f"[Container]\nImage={name}\nNetwork=bridge\nBind={place}/data:/srv/deep/data\nVolume=kept:/var/kept\n"
        "Secret=key\nTmpfs=/scratch\nExec=/bin/sh -c 'echo 1 >/own; echo end >/srv/deep/own; exec sleep 9999'\n"
        f"[Service]\nLoadCredential=key:{place}/secret\n"
    )
    container = containers.start(text)
    container.report("srv/deep/own")
    changed = ["C /srv", "A /own", "A /srv/deep", "A /srv/deep/own"]
    assert sorted(run("nsunit", "diff", container.name).stdout.splitlines()) == sorted(changed)
    run("nsunit", "stop", container.name)
    assert sorted(run("nsunit", "diff", container.name).stdout.splitlines()) == sorted(changed)
    new = images.name()
    run("nsunit", "commit", container.name, new)
    assert {path for path in lowers(new)[0].rglob("*") if not path.is_dir()} == {
        lowers(new)[0] / path for path in ("own", "srv/deep/own")
    }
    assert not (lowers(new)[0] / "proc").exists()


@ANYWHERE
def test_a_name_goes_back_to_what_was_committed_before(writer, base, images, run):
    name, other = images.name(), images.name()
    run("nsunit", "commit", writer.name, name, "-c", "CMD one")
    assert image_id(name) != image_id(base)
    run("nsunit", "image", "revert", name)
    assert image_id(name) == image_id(base)
    run("nsunit", "image", "branch", other, name, "--back", "1")
    assert lowers(other) == lowers(base)[1:]


@ANYWHERE
def test_what_cannot_be(define, base, run):
    names = {
        "name": define(f"[Container]\nImage={base}\n"),
        "volatile": define(f"[Container]\nImage={base}\nVolatile=yes\n"),
        "base": base,
    }
    for words, said in WRONG:
        failed = run("nsunit", *(word.format(**names) if word[0] == "{" else word for word in words), check=False)
        assert failed.returncode and said in failed.stderr
        assert failed.stdout == ""
    assert os.listdir(STORE / "staging") == []
