"""Images on their way out: what containers have written, layers as others read them, and chains of layers."""

import gzip
import hashlib
import io
import json
import os
import socket
import stat
import struct
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path

import oci
import oci_cases
import pytest
from schema import mistakes
from test_images import STORE, Images, busybox, image_id, lowers, merged_listing
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("what nsunit reads of overlayfs, and writes into its store and archives")

SCHEMA = json.loads(Path("/usr/share/nsunit/schema.json").read_text())
pytestmark = pytest.mark.usefixtures("real_system")
WRITES = """
umask 022
echo new >/srv/new; ln /srv/new /srv/hard; ln -s new /srv/link; mkfifo -m 620 /srv/fifo
echo suid >/srv/suid; chown 33:34 /srv/suid; chmod 6755 /srv/suid
mkdir /srv/shared; chown 65000:65001 /srv/shared; chmod 2770 /srv/shared
truncate -s 9M /srv/sparse; echo end >>/srv/sparse
rm -r /old; mkdir /old /old/deep; echo again >/old/deep/c
rm /gone /was-file; mkdir /was-file; echo in >/was-file/in
rm -r /was-directory; echo file >/was-directory
echo more >>/etc/conf
mkdir /elsewhere; mv /moved/in /elsewhere/in; rmdir /moved
touch -d "1999-12-31 23:59:59" /srv/old-time
echo x >/srv/.wh.hidden
echo end >/srv/report
trap "exit 0" TERM
while :; do echo tick >>/run/ticks; sleep 0.05; done
"""
TOOLS = ("mkfifo", "chmod", "chown", "ln", "mkdir", "rm", "mv", "rmdir", "touch", "truncate")
BASE = [
    *busybox(oci.directory("srv", mode=0o777), oci.directory("old", mode=0o750, uid=7), oci.file("old/a", "1")),
    *[oci.hard(f"bin/{name}", "bin/busybox") for name in TOOLS],
    *[oci.directory("old/deep"), oci.file("old/deep/b", "2"), oci.file("old/deep/c", "3"), oci.file("gone", "4")],
    *[oci.file("was-file", "5"), oci.directory("was-directory"), oci.file("was-directory/x", "6")],
    *[oci.file("etc/conf", "7"), oci.directory("moved"), oci.file("moved/in", "8"), oci.file("srv/writes", WRITES)],
]
MARKS = """
import os, socket, struct
path = "{root}/srv/marked"
open(path, "w").write("x")
os.setxattr(path, "user.mark", b"1")
os.setxattr(path, "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))
socket.socket(socket.AF_UNIX).bind("{root}/srv/socket")
"""
DIFFERENCES = """\
D /gone
C /etc
C /etc/conf
A /elsewhere
A /elsewhere/in
D /moved
C /old
D /old/a
C /old/deep
D /old/deep/b
C /old/deep/c
C /srv
A /srv/.wh.hidden
A /srv/fifo
A /srv/hard
A /srv/link
A /srv/marked
A /srv/new
A /srv/old-time
A /srv/report
A /srv/shared
A /srv/socket
A /srv/sparse
A /srv/suid
C /was-directory
C /was-file
A /was-file/in
"""


@pytest.fixture(scope="module")
def images(workplace, run):
    return Images(workplace, run)


@pytest.fixture(scope="module")
def base(images):
    return images.image([BASE, [oci.file("etc/second", "2")]], Cmd=["/bin/sh"], Env=["LANG=C"], Labels={"a": "b"})


@pytest.fixture(scope="module")
def writer(base, shared):
    """A container that has changed its root in all ways that there are, and goes on writing where it is not kept."""
    container = shared.start(f"[Container]\nImage={base}\nTmpfs=/run\nExec=/bin/sh /srv/writes\n")
    container.report("srv/report")
    # What takes more than a shell, with the ids that the program has.
    entered = ("nsenter", f"--user=/proc/{container.pid}/ns/user", "--setuid=0", "--setgid=0")
    subprocess.run([*entered, sys.executable, "-c", MARKS.format(root=container.root)], check=True)
    return container


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


def read_layout(path, tag):
    """The entries of the layers of an image in an OCI layout, and its config."""

    def blob(descriptor):
        content = (path / "blobs/sha256" / descriptor["digest"].removeprefix("sha256:")).read_bytes()
        assert oci.digest(content) == descriptor["digest"] and len(content) == descriptor["size"]
        return content

    index = json.loads((path / "index.json").read_text())
    found = [item for item in index["manifests"] if item["annotations"]["org.opencontainers.image.ref.name"] == tag]
    manifest = json.loads(blob(found[0]))
    config = json.loads(blob(manifest["config"]))
    layers = []
    for item, diff in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        content = blob(item)
        content = gzip.decompress(content) if item["mediaType"].endswith("gzip") else content
        assert oci.digest(content) == diff
        with tarfile.open(fileobj=io.BytesIO(content), errors="surrogateescape") as tar:
            layers.append([(info, tar.extractfile(info).read() if info.isreg() else b"") for info in tar])
    return layers, config


def checked(verb, done):
    """What *verb* has printed, as the schema has it."""
    document = json.loads(done.stdout)
    assert mistakes(document, SCHEMA["properties"][verb], SCHEMA["$defs"]) == []
    return document


def without_times(listing, paths=(b"",)):
    return {path: (*item[:4], None, *item[5:]) if path in paths else item for path, item in listing.items()}


@ANYWHERE
@pytest.mark.parametrize("case", oci_cases.CASES)
def test_what_is_exported_means_the_same(images, run, case):
    layers = oci_cases.CASES[case]
    name, place = images.image(layers), images.place / uuid.uuid4().hex[:8]
    run("nsunit", "image", "export", name, f"oci:{place}:x")
    wanted = oci.expected(oci.merged(layers))
    assert oci.differences(wanted, oci.expected(oci.merged(read_layout(place, "x")[0]))) == []
    if not any(".wh." in info.name for layer in layers for info, _ in layer):
        return  # to be cheap
    sent = images.name()
    run("nsunit", "image", "import", f"oci:{place}:x", "--name", sent)
    again = checked("image export", run("nsunit", "image", "export", sent, f"oci:{place}:y", "--json"))
    assert (again["id"], again["same"]) == (image_id(sent), again["layers"])  # packed here, so it keeps its digests
    assert oci.differences(wanted, merged_listing(sent, images.place / "merged")) == []


NODES, LONG = "nodes, times, owners, modes and attributes", "sparse, empty and long"


@ANYWHERE
def test_a_merged_root_is_one_tar(images, base, run):
    """`tar:` is what podman export gives, one archive of all layers, with attributes, holes and links as they are."""
    nodes, long = (images.image(oci_cases.CASES[name]) for name in (NODES, LONG))
    for name, more in ((nodes, ()), (long, ("--compression=gzip",)), (long, ("--compression=zstd",)), (base, ())):
        target = images.place / f"{uuid.uuid4().hex[:8]}.tar"
        done = checked("image export", run("nsunit", "image", "export", name, f"tar:{target}", *more, "--json"))
        assert (done["id"], done["to"]) == (image_id(name), f"tar:{target}")
        again = images.name()
        run("nsunit", "image", "import", f"tar:{target}", "--name", again)
        assert len(lowers(again)) == 1
        wanted = merged_listing(name, images.place / "merged")
        assert oci.differences(wanted, merged_listing(again, images.place / "merged")) == []
    refused = run("nsunit", "image", "export", base, f"tar:{target}", check=False)
    assert f"'{target}' is there already" in refused.stderr
    listed = subprocess.run(["tar", "-tf", target], capture_output=True, text=True, check=True).stdout.splitlines()
    assert "etc/second" in listed and not [path for path in listed if ".wh." in path]


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
def test_all_transports_have_the_same_image_and_the_same_bytes(writer, images, base, run):
    name, place = images.name(), images.place / uuid.uuid4().hex[:8]
    place.mkdir()
    run("nsunit", "commit", writer.name, name)
    wanted = merged_listing(name, place)
    tag = name.rpartition("/")[2].partition(":")[0]
    ids = set()
    for transport in (f"oci:{place}/layout:a", f"oci-archive:{place}/a.oci:x", f"dir:{place}/dir"):
        sent = checked("image export", run("nsunit", "image", "export", name, transport, "--json"))
        ids.add(sent["id"])
        shown = json.loads(run("skopeo", "inspect", "--config", transport).stdout)
        assert shown["config"] == json.loads((STORE / "config" / image_id(name)).read_text())["config"]
    docker = f"docker-archive:{place}/a.docker"
    ids.add(checked("image export", run("nsunit", "image", "export", name, docker, "--json"))["id"])
    assert len(ids) == 1
    for source in (docker, f"oci-archive:{place}/a.oci", f"dir:{place}/dir"):
        other = images.name()
        run("nsunit", "image", "import", source, "--name", other)
        assert image_id(other) in ids
        assert oci.differences(wanted, merged_listing(other, place)) == []
    run("nsunit", "image", "export", name, f"docker-archive:{place}/b.docker")
    assert (place / "a.docker").read_bytes() == (place / "b.docker").read_bytes()
    # A layout keeps what else is in it.
    run("nsunit", "image", "export", base, f"oci:{place}/layout:b")
    run("nsunit", "image", "export", name, f"oci:{place}/layout:b")
    index = json.loads((place / "layout/index.json").read_text())
    assert [list(item["annotations"].values()) for item in index["manifests"]] == [["a"], ["b"]]
    assert len({item["digest"] for item in index["manifests"]}) == 1
    # Compressed otherwise.
    for kind, first in (("zstd", b"\x28\xb5\x2f\xfd"), ("none", b"./")):
        other = images.name()
        run("nsunit", "image", "export", name, f"oci:{place}/{kind}:a", "--compression", kind)
        blobs = [path.read_bytes() for path in (place / kind / "blobs/sha256").iterdir()]
        assert sum(blob.startswith(first) for blob in blobs) == 3
        run("nsunit", "image", "import", f"oci:{place}/{kind}:a", "--name", other)
        assert image_id(other) in ids
    run("skopeo", "copy", f"oci:{place}/zstd:a", f"dir:{place}/copied")
    # Readers of others.
    run("umoci", "unpack", "--image", f"{place}/layout:a", f"{place}/umoci")
    assert oci.differences(wanted, oci.listing(place / "umoci/rootfs")) == []
    podman = ("podman", "--root", f"{place}/podman", "--runroot", f"{place}/run", "--storage-driver", "vfs")
    assert f"localhost/{tag}:latest" in run(f"nsunit image export {name} - | {' '.join(podman)} load").stdout
    mounted = run(*podman, "image", "mount", f"localhost/{tag}:latest").stdout.strip()
    assert oci.differences(without_times(wanted), oci.listing(Path(mounted))) == []  # it makes that itself
    run(*podman, "image", "umount", "--all")
    # By pipes, which cannot be sought.
    other = images.name()
    for target, source in (("tar:-", "tar:-"), ("oci-archive:-", "-"), ("-", "docker-archive:-")):
        run(f"nsunit image export {name} {target} | nsunit image import {source} --name {other}")
        assert oci.differences(wanted, merged_listing(other, place)) == [], target
    source = json.loads(run("nsunit", "image", "inspect", other, "--json").stdout)[0]["source"]
    assert source == "standard input"
    # Without room, and without a reader.
    run("mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", "/mnt")
    try:
        for target in ("oci:/mnt/x", "dir:/mnt/x", "docker-archive:/mnt/x", "tar:/mnt/x"):
            failed = run("nsunit", "image", "export", name, target, check=False)
            assert failed.stderr.startswith("nsunit: /mnt/x")
            assert "No space left on device" in failed.stderr
            assert os.listdir("/mnt") == []
        failed = run(f"nsunit image export {name} - > /mnt/x", check=False)
        assert failed.stderr == "nsunit: standard output: No space left on device\n"
    finally:
        run("umount", "/mnt")
    done = run("bash", "-c", f"nsunit image export {name} - | head -c 1; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout[1:], done.stderr) == ("141\n", "")


def test_terminals_have_no_images(base, run):
    for words in (f"image export {base} -", "image import -"):
        said = run(f"script -qec 'nsunit {words}' /dev/null </dev/null; true").stdout
        assert "terminal" in said and "hint: " in said


REGISTRY = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {place}/registry}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture(scope="module")
def registry(images, run):
    """A registry on loopback that skopeo may speak to without TLS; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = images.place / "registry.yml"
    settings.write_text(REGISTRY.format(place=images.place, port=address.rpartition(":")[2]))
    drop_in = Path("/etc/containers/registries.conf.d/nsunit-test-out.conf")
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
    process = subprocess.Popen(
        ["docker-registry", "serve", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_until(
        lambda: run("skopeo", "list-tags", f"docker://{address}/none", check=False).stderr.find("refused") < 0, "it"
    )
    yield address
    drop_in.unlink()
    process.kill()
    process.wait()


def test_an_image_goes_to_a_registry_and_comes_back(writer, registry, images, run):
    name = images.name()
    run("nsunit", "commit", writer.name, name)
    sent = checked("image push", run("nsunit", "image", "push", name, f"docker://{registry}/out/app:1", "--json"))
    assert sent["to"] == f"docker://{registry}/out/app:1"
    shown = json.loads(run("skopeo", "inspect", "--raw", sent["to"]).stdout)
    assert shown["config"]["digest"] == f"sha256:{sent['id']}"
    run("nsunit", "image", "pull", f"{registry}/out/app:1")
    images.names.append(f"{registry}/out/app:1")
    assert image_id(f"{registry}/out/app:1") == sent["id"]
    wanted = merged_listing(name, images.place / "merged")
    assert oci.differences(wanted, merged_listing(f"{registry}/out/app:1", images.place / "merged")) == []
    # As it is called, and to nobody.
    assert f"docker://{registry}/out/app:1" in run("nsunit", "image", "push", f"{registry}/out/app:1").stdout
    failed = run("nsunit", "image", "push", name, "127.0.0.1:1/x", check=False)
    assert failed.stderr.startswith("nsunit: '127.0.0.1:1/x:latest' cannot be sent: ")
    assert os.listdir(STORE / "staging") == []


@ANYWHERE
def test_what_buildah_has_made_comes_in_and_goes_back(images, base, run):
    place = images.place / uuid.uuid4().hex[:8]
    place.mkdir()
    run("nsunit", "image", "export", base, f"oci:{place}/in:x")
    buildah = ("buildah", "--root", f"{place}/buildah", "--runroot", f"{place}/run", "--storage-driver", "vfs")
    made = run(*buildah, "from", f"oci:{place}/in:x").stdout.strip()
    root = Path(run(*buildah, "mount", made).stdout.strip())
    (root / "srv/by-buildah").write_text("x")
    os.chown(root / "srv/by-buildah", 33, 34)
    (root / "gone").unlink()
    wanted = oci.listing(root)
    wanted = without_times(wanted, wanted.keys())  # in its archives times are whole seconds
    run(*buildah, "config", "--cmd", '["cat", "/srv/by-buildah"]', "--stop-signal", "USR1", made)
    run(*buildah, "commit", made, f"oci:{place}/out:y")
    run(*buildah, "rm", made)
    name = images.name()
    run("nsunit", "image", "import", f"oci:{place}/out:y", "--name", name)
    assert oci.differences(wanted, merged_listing(name, place)) == []
    assert run("nsunit", "run", "-p", f"Image={name}").stdout == "x"
    run("nsunit", "image", "export", name, f"oci:{place}/back:z")
    before, after = read_layout(place / "out", "y")[1], read_layout(place / "back", "z")[1]
    assert [before.get(key) for key in ("config", "history")] == [after.get(key) for key in ("config", "history")]
    assert oci.differences(wanted, oci.expected(oci.merged(read_layout(place / "back", "z")[0]))) == []


def identities(run):
    return {item["id"] for item in json.loads(run("nsunit", "image", "list", "--json").stdout)}


@ANYWHERE
def test_layers_are_as_git_has_commits(images, run):
    steps = [[oci.file(f"srv/{number}", str(number))] for number in range(5)]
    made = [{"created_by": f"step {number}", "created": f"2026-01-0{number + 1}T00:00:00Z"} for number in range(6)]
    made.insert(3, {"created_by": "an ENV", "empty_layer": True})
    good = images.image([busybox()])
    layout = images.layout([busybox(), *steps], history=made, Cmd=["/bin/sh"])
    bad = images.name()
    images.bring(layout, "--name", bad)
    log = checked("image log", run("nsunit", "image", "log", bad, "--json"))
    assert [item["by"] for item in log] == [f"step {number}" for number in range(5, -1, -1)]
    assert [bad in log[0]["names"], good in log[-1]["names"]] == [True, True]
    assert run("nsunit", "image", "log", "--no-headings", bad).stdout.count("\n") == 6
    # The file of the fourth layer makes it so, whatever cannot be told.
    before = identities(run)
    script = "test -e /srv/0 && ! test -e /srv/1 && exit 125; ! test -e /srv/3"
    found = run("nsunit", "image", "bisect", good, bad, "--", "/bin/sh", "-c", script)
    assert found.stdout.splitlines()[-1].endswith("step 4")
    assert f"{log[1]['layer'][:12]} is bad (1)" in found.stderr
    unknown = json.loads(
        run("nsunit", "image", "bisect", good, bad, "--json", "--", "/bin/sh", "-c", "exit 125").stdout
    )
    assert len(unknown["layers"]) == 5
    assert "status 200" in run("nsunit", "image", "bisect", good, bad, "sh", "-c", "exit 200", check=False).stderr
    assert "has no layers on top of" in run("nsunit", "image", "bisect", bad, good, "true", check=False).stderr
    assert identities(run) == before
    # Names move.
    branch = images.name()
    run("nsunit", "image", "branch", branch, bad)
    assert image_id(branch) == image_id(bad)
    checked("image revert", run("nsunit", "image", "revert", branch, "--back=3", "--json"))
    assert lowers(branch) == lowers(bad)[3:]
    document = json.loads((STORE / "config" / image_id(branch)).read_text())
    assert [item["created_by"] for item in document["history"]] == ["step 0", "step 1", "step 2", "an ENV"]
    assert run("nsunit", "image", "diff", branch, bad).stdout == "C /srv\nA /srv/2\nA /srv/3\nA /srv/4\n"
    assert run("nsunit", "image", "diff", bad, good).stdout == "".join(
        ["C /srv\n", *(f"D /srv/{n}\n" for n in range(5))]
    )
    run("nsunit", "image", "revert", branch, "-n", "2")
    failed = run("nsunit", "image", "revert", branch, check=False)
    assert failed.stderr.startswith("nsunit: of the image's 1 layers 1 cannot be taken off\n")
    assert "no name that can move" in run("nsunit", "image", "revert", image_id(bad), check=False).stderr


@ANYWHERE
def test_a_name_goes_back_to_what_was_committed_before(writer, base, images, run):
    name, other = images.name(), images.name()
    run("nsunit", "commit", writer.name, name, "-c", "CMD one")
    assert image_id(name) != image_id(base)
    run("nsunit", "image", "revert", name)
    assert image_id(name) == image_id(base)
    run("nsunit", "image", "branch", other, name, "--back", "1")
    assert lowers(other) == lowers(base)[1:]


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
