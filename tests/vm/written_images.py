"""Images with all that a container can do to its root: written, changed, removed and marked; and what others read."""

import gzip
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import oci
import pytest
from schema import mistakes
from test_images import busybox

SCHEMA = json.loads(Path("/usr/share/nsunit/schema.json").read_text())
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
