"""Images on their way out: what containers have written, layers as others read them, and chains of layers."""

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import uuid

import oci
import oci_cases
import pytest
from test_images import STORE, busybox, image_id, images, lowers, merged_listing  # noqa: F401 — images is a fixture

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
def base(images):  # noqa: F811
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


def test_diff_shows_what_overlayfs_holds(writer, run):
    assert sorted(run("nsunit", "diff", writer.name).stdout.splitlines()) == sorted(DIFFERENCES.splitlines())
    assert {"kind": "D", "path": "/gone"} in json.loads(run("nsunit", "diff", writer.name, "--json").stdout)


def test_a_commit_has_all_that_was_written(writer, images, base, run):  # noqa: F811
    name = images.name()
    done = run(
        *("nsunit", "commit", writer.name, name, "--message=first light", "--author=me", "-c", 'CMD ["id", "-u"]'),
        *("-c", "ENV A=1 B='two words'", "-c", "USER=web", "-c", "EXPOSE 80 53/udp", "-c", "LABEL c d", "--json"),
    )
    assert json.loads(done.stdout)["fetched"] == 1
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
        content = gzip.decompress(blob(item))
        assert oci.digest(content) == diff
        with tarfile.open(fileobj=io.BytesIO(content), errors="surrogateescape") as tar:
            layers.append([(info, tar.extractfile(info).read() if info.isreg() else b"") for info in tar])
    return layers, config


@pytest.mark.parametrize("case", oci_cases.CASES)
def test_what_is_exported_means_the_same(images, run, case):  # noqa: F811
    layers = oci_cases.CASES[case]
    name, place = images.image(layers), images.place / uuid.uuid4().hex[:8]
    run("nsunit", "image", "export", name, f"oci:{place}:x")
    wanted = oci.expected(oci.merged(layers))
    assert oci.differences(wanted, oci.expected(oci.merged(read_layout(place, "x")[0]))) == []
    sent = images.name()
    run("nsunit", "image", "import", f"oci:{place}:x", "--name", sent)
    again = json.loads(run("nsunit", "image", "export", sent, f"oci:{place}:y", "--json").stdout)
    assert (again["id"], again["same"]) == (image_id(sent), again["layers"])  # packed here, so it keeps its digests
    assert oci.differences(wanted, merged_listing(sent, images.place / "merged")) == []
