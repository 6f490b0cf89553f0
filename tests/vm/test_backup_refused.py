"""Archives of others, and what cannot be exported, imported, cloned or renamed."""

import io
import tarfile
from pathlib import Path

import pytest
from backups import DEFINITIONS, INCOMING, STATE, definition, entry, forget, manifest

pytestmark = pytest.mark.once("files and mounts of the kernel alone")
LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc"}
HOSTILE = {
    "nothing": ([], "it is empty"),
    "an image": ([entry("manifest.json")], "it begins with 'manifest.json'"),
    "no definition": ([manifest("h")], "has no definition of 'h'"),
    "another's definition": (
        [manifest("h"), definition("web")],
        "'definition/web.nsunit', which is no file of container",
    ),
    "a path as name": ([manifest("../h"), definition("h")], "makes no sense"),
    "a name that is none": ([manifest("h.pod"), definition("h")], "makes no sense"),
    "a later format": ([manifest("h", format=7), definition("h")], "the archive is of format 7"),
    "no JSON": ([entry("nsunit-container.json", b"{"), definition("h")], "makes no sense"),
    "a wrong definition": (
        [manifest("h"), definition("h", "[Container]\nVolatile=yes\nLayer=/x\nExec=/bin/true\nNoKey=1\n")],
        "h.nsunit:5",
    ),
    "a file beside": ([manifest("h"), definition("h"), entry("etc/passwd", b"x")], "does not belong in the archive"),
    "a unit of others": (
        [manifest("h"), definition("h"), entry("units/ssh.service.d/50-nsunit.conf", b"x")],
        "no file of container",
    ),
    "a way up": (
        [manifest("h"), definition("h"), entry("upper/../../etc/x", b"x")],
        "does not belong in the archive",
    ),
    "a link out": (
        [manifest("h"), definition("h"), entry("upper/l", **LINK), entry("upper/l/nsunit-hostile", b"x")],
        "",
    ),
    "a link to a host's file": (
        [manifest("h"), definition("h"), entry("upper/l", type=tarfile.LNKTYPE, linkname="/etc/passwd")],
        "to link to",
    ),
    "a definition as a link": (
        [manifest("h"), entry("definition/h.nsunit", **LINK)],
        "does not belong in the archive",
    ),
    "a file among volumes": (
        [manifest("h"), definition("h"), entry("volumes/x", b"x")],
        "does not belong in the archive",
    ),
    "a volume that is a link": (
        [manifest("h"), definition("h"), entry("volumes/x/data", **LINK)],
        "does not belong in the archive",
    ),
    "a link of a volume's to a host's file": (
        [manifest("h"), definition("h"), entry("volumes/x/data/l", type=tarfile.LNKTYPE, linkname="/etc/passwd")],
        "to link to",
    ),
    "a large definition": ([manifest("h"), definition("h", "#" * (2 << 20))], "it is no small file"),
    "a file cut short": ([manifest("h"), definition("h"), entry("upper/x", b"x" * 5000)], "it ends within a file"),
}
ROOT = "[Container]\nRootfs=/srv/roots/busybox\nExec=/bin/true\n"
REFUSED = [
    (("cp", "x.pod:/a", "b"), "it has no files of its own"),
    (("cp", "refused-host:/etc/passwd", "b"), "it has no root of its own"),
    (("export", "x.slice", "b"), "'x.slice' is no container"),
    (("export", "not-there", "b"), "is not defined"),
    (("export", "refused", "/nowhere/b"), "/nowhere/b"),
    (("import", "/nowhere/b"), "'/nowhere/b' does not exist"),
    (("import", "quadlets"), "standard input, or a kind: quadlet, "),
    (("import", "docker"), "nsunit import run -- docker run …"),
    (("import", "/etc"), "'/etc' is a directory"),
    (("import", "/etc/passwd"), "it is no tar archive"),
    (("clone", "refused", "refused"), "it is itself"),
    (("clone", "refused", "refused-host"), "a container of that name is defined"),
    (("clone", "refused", "refused@1"), "is defined by a template, or"),
    (("clone", "refused-root", "refused-2"), "it writes to the host's '/srv/roots/busybox'"),
    (("rename", "refused", "refused"), "has that name already"),
    (("rename", "refused", "x.pod"), "'x.pod' is no container"),
    (("rename", "refused@1", "refused-2"), "an instance's name is its template's and its own"),
    (("rename", "refused-vendor", "refused-2"), "is not to be changed"),
    (("rename", "refused", "refused-vendor"), "a container of that name is defined"),
]


@pytest.fixture
def place(tmp_path):
    """Where archives go."""
    return tmp_path


@pytest.mark.parametrize("case", HOSTILE)
def test_archives_of_others(containers, nsunit, place, case):
    """Nothing of them is ever outside of the staging directory, and nothing is left of what is refused."""
    containers.own("h")
    entries, said = HOSTILE[case]
    archive = place / "h.tar"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as file:
        for info, content in entries:
            file.addfile(info, io.BytesIO(content))
    if case == "a file cut short":
        with archive.open("r+b") as file:
            file.truncate(3 * 1024 + 2048)
    done = nsunit("import", str(archive), check=False)
    assert not Path("/etc/nsunit-hostile").exists()
    assert list(INCOMING.iterdir()) == []
    if said:
        assert done.returncode != 0
        assert said in done.stderr
        assert len(done.stderr.splitlines()) <= 2
        assert not (DEFINITIONS / "h.nsunit").exists()
        assert not Path("/var/lib/nsunit/containers/h").exists()
    else:
        assert (done.stderr, done.returncode) == ("", 0)
        forget(nsunit, "h")


def test_what_is_missing_here_is_told(containers, nsunit, place):
    containers.own("h")
    text = "[Container]\nImage=localhost/none:1\nBind=/nowhere-at-all:/x\nExec=/bin/true\n"
    identity = "a" * 64
    with tarfile.open(place / "h.tar", "w") as file:
        kept = [["image", f"localhost/none:1\n{identity}\n"]]
        for info, content in (
            manifest("h", kept=kept, enabled=True),
            definition("h", text),
            entry("upper", type=tarfile.DIRTYPE, mode=0o755),
        ):
            file.addfile(info, io.BytesIO(content))
    done = nsunit("import", str(place / "h.tar"))
    assert "'/nowhere-at-all' does not exist" in done.stderr
    assert "its image 'localhost/none:1' is not here: it is sha256:aaaaaaaaaaaa" in done.stderr
    assert "'nsunit enable h' does so here" in done.stderr
    forget(nsunit, "h")


@pytest.fixture(scope="module")
def refused(shared):
    """Containers of which not all can be done."""
    shared.define("[Container]\nLayer=/srv/roots/busybox\nExec=/bin/true\n", "refused")
    shared.define(ROOT, "refused-root")
    shared.define("[Container]\nMountNamespace=host\nPrivateUsers=no\nExec=/bin/true\n", "refused-host")
    vendor = Path("/usr/lib/nsunit/refused-vendor.nsunit")
    shared.files.append(vendor)
    vendor.parent.mkdir(exist_ok=True)
    vendor.write_text(f"{ROOT}Volatile=yes\n")


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_refusals(refused, nsunit, place, words, said):
    """In one line and a hint, with nothing left."""
    done = nsunit(*words, check=False, cwd=place)
    assert done.returncode != 0
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert list(place.iterdir()) == []
    assert list(INCOMING.iterdir()) == []
    assert not list(STATE.glob("refused*"))


def test_terminals_and_what_is_in_the_way(refused, nsunit, run, place):
    assert "an archive is nothing for a terminal" in run("script -qec 'nsunit export refused -' /dev/null; true").stdout
    assert "does not come from a terminal" in run("script -qec 'nsunit import -' /dev/null </dev/null; true").stdout
    (place / "null").symlink_to("/dev/null")
    nsunit("export", "refused", str(place / "null"))
    assert (place / "null").is_symlink() and Path("/dev/null").is_char_device()
    for target, said in (("/dev/full", "/dev/full"), ("- >/dev/full", "standard output")):
        done = run(f"nsunit export refused {target}", check=False)
        assert (done.returncode, done.stderr) == (1, f"nsunit: {said}: No space left on device\n")
    nsunit("export", "refused", str(place / "r.tar"))
    path = DEFINITIONS / "refused.nsunit"
    text = path.read_text()
    path.write_text(f"{text}# changed\n")
    done = nsunit("import", str(place / "r.tar"), check=False)
    assert f"refused: a container of that name is defined ('{path}')" in done.stderr
    nsunit("enable", "refused")
    done = nsunit("import", "--force", str(place / "r.tar"), check=False)
    assert "refused: a container of that name is enabled" in done.stderr
    nsunit("disable", "refused")
    nsunit("import", "--force", str(place / "r.tar"))
    assert path.read_text() == text
    nsunit("rm", "refused")
