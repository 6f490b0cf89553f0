"""What the tests of whole containers share: a container that writes over its layers, and archives made by hand."""

import json
import os
import tarfile
from pathlib import Path

import pytest
from waiting import wait_until

DEFINITIONS = Path("/etc/nsunit")
STATE = Path("/var/lib/nsunit/containers")
INCOMING = Path("/var/lib/nsunit/incoming")
# A removed file and directory of the layer, a directory in the place of one, owners, attributes, a hole, a hard link.
WRITES = """
rm /etc/group; rm -rf /lower/gone; rm -rf /lower/other; mkdir /lower/other; echo new > /lower/other/new
mkdir -p /data; echo kept > /data/file; chown 33:44 /data/file; ln /data/file /data/same; chmod 4750 /data/file
ln -s /etc/passwd /data/link; mkfifo /data/pipe; truncate -s 64M /data/hole; echo end >> /data/hole
"""


@pytest.fixture
def text(workplace, program) -> str:
    """The lines of a definition of a container that writes over its layer, and then sleeps."""
    layer = workplace / "lower-layer"
    for directory in ("gone", "other"):
        (layer / "lower" / directory).mkdir(parents=True, exist_ok=True)
        (layer / "lower" / directory / "old").write_text("old\n")
    return program(f"[ -e /data ] || {{ {WRITES} }}\ntouch /ready\nexec sleep 1000000", f"Layer={layer}", "Volatile=no")


def seen(box) -> str:
    """What the container shows of what it has written."""
    script = (
        "cd /; for f in etc/group lower/gone lower/other data data/*; do stat -c '%n %F %a %u:%g %h %s %N' $f; done "
        "2>&1; ls -A /lower /lower/other; cat /data/file"
    )
    return box.exec("sh", "-c", script).stdout


def written(containers, text: str, **options):
    box = containers.start(text, **options)
    wait_until(lambda: (box.root / "ready").exists())
    os.setxattr(box.root / "data", "user.note", b"a\0b")
    return box


def forget(nsunit, name: str) -> None:
    nsunit("rm", "--force", "--definition", name)
    assert not (DEFINITIONS / f"{name}.nsunit").exists()
    assert not (DEFINITIONS / f"{name}.nsunit.d").exists()


def entry(name: str, content: bytes = b"", **fields) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def manifest(name: str, **fields) -> tuple[tarfile.TarInfo, bytes]:
    document = {"format": 1, "name": name, "enabled": False, "ids": None, "needs": [], "kept": [], "upper": True}
    return entry("nsunit-container.json", json.dumps({**document, **fields}).encode())


def definition(name: str, text: str = "[Container]\nLayer=/srv/roots/busybox\nExec=/bin/true\n"):
    return entry(f"definition/{name}.nsunit", text.encode())
