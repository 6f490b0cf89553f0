"""Images that mean harm, or are damaged: nothing of the host's is touched, and nothing of them is left."""

import gzip
import hashlib
import json
import os
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import oci
import pytest
from oci import directory, entry, file, hard, link

ANYWHERE = pytest.mark.anywhere("what nsunit reads is refused before systemd hears of it")

pytestmark = pytest.mark.usefixtures("real_system")
STORE = Path("/var/lib/nsunit/images")
UP = "../" * 12


@pytest.fixture(scope="module")
def canary(workplace: Path) -> Iterator[Path]:
    place = workplace / "canary"
    place.mkdir()
    (place / "secret").write_text("alive")
    yield place


def state(canary: Path) -> tuple[object, ...]:
    """What must be the same after an image was refused: the canary, the store, and systemd's units."""
    status = [os.stat(path) for path in (canary, canary / "secret")]
    seen = [(item.st_mode, item.st_uid, item.st_nlink, item.st_mtime_ns) for item in status]
    stored = [
        sorted(path.name for path in (STORE / part).glob("*")) for part in ("layers", "images", "names", "staging")
    ]
    return (*seen, sorted(os.listdir(canary)), (canary / "secret").read_text(), stored)


def pax(name: str, records: dict[str, str], **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, pax_headers=records, **fields)


def raw_header(name: bytes, size: bytes, kind: bytes = b"0") -> bytes:
    """A tar header as nobody writes it."""
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108], block[108:116], block[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    block[124:136], block[136:148], block[148:156] = size, b"00000000000\0", b" " * 8
    block[156:157], block[257:265] = kind, b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


NEGATIVE = b"\xff" * 8 + struct.pack(">i", -1024)
DEEP = "/".join("d" * 300)

LONG_NAME = raw_header(b"././@LongLink", b"00000000002\0", b"L") + b"a\0" + bytes(510)

# What a layer has, and what is said of it.
REFUSED: dict[str, tuple[bytes, str]] = {
    "a hard link to the host": (oci.archive([hard("x", UP + "etc/passwd")]), "there is no '../"),
    "a hard link to a later entry": (oci.archive([hard("x", "y"), file("y")]), "there is no 'y'"),
    "a hard link to a directory": (oci.archive([directory("d"), hard("x", "d")]), "'d' is a directory"),
    "the root as a link": (oci.archive([link("./", "/etc")]), "the root can only be a directory"),
    "the root as a file": (oci.archive([file("a/..", "x")]), "the root can only be a directory"),
    "a whiteout of nothing": (oci.archive([file("d/.wh.")]), "removes nothing that can be named"),
    "a whiteout of the parent": (oci.archive([file("d/.wh...")]), "removes nothing that can be named"),
    "below a file": (oci.archive([file("f"), file("f/x")]), "'f' is no directory"),
    "a loop of links": (oci.archive([link("a", "b"), link("b", "a"), file("a/x")]), "too many links"),
    "a name of 300 bytes": (oci.archive([file("n" * 300)]), "File name too long"),
    "a path of 5000 bytes": (oci.archive([file("p" * 200 + ("/" + "p" * 200) * 24)]), "4095 are the most"),
    "300 directories deep": (oci.archive([file(DEEP)]), "256 are the most"),
    "a NUL in a name": (oci.archive([pax("x", {"path": "a\0b"})]), "has a NUL"),
    "a user out of range": (oci.archive([pax("x", {"uid": "4294967295"})]), "not the number of a user"),
    "an unknown kind": (oci.archive([entry("x", b"Z")]), "there is no kind of file 'Z'"),
    "a negative size": (raw_header(b"x", NEGATIVE) + b"\0" * 2048, "negative"),
    "a time that is none": (oci.archive([pax("x", {"mtime": "never"})]), ""),
    "a header of two megabytes": (oci.archive([pax("x", {"comment": "c" * (2 << 20)})]), "more than 1 MiB"),
    "a thousand headers of one entry": (LONG_NAME * 2000 + oci.archive([file("x")]), "no tar archive"),
    "cut off in a file": (oci.archive([file("x", "y" * 4000)])[:1536], "ends within a file"),
    "cut off in a header": (oci.archive([file("x"), file("y")])[:700], "damaged"),
    "no header behind a file": (oci.archive([file("x")])[:512] + b"garbage!" * 64 + b"\0" * 1024, "damaged"),
    "something behind the end": (oci.archive([file("x")]) + b"more" * 128, "something stands behind its end"),
    "no archive": (b"just text" * 100, "no tar archive"),
    "a sparse map that lies": (oci.archive([pax("x", {"GNU.sparse.map": "0,9", "GNU.sparse.size": "5"})]), "sparse"),
}


@ANYWHERE
@pytest.mark.parametrize("case", REFUSED)
def test_a_hostile_layer_leaves_nothing(workplace, canary, run, case):
    layer, said = REFUSED[case]
    place = workplace / "hostile" / case.replace(" ", "-")
    oci.Layout(place).image([oci.archive([directory("tmp")]), layer])
    before = state(canary)
    done = run("nsunit", "image", "import", f"oci:{place}", check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert "internal error" not in done.stderr
    assert state(canary) == before


def test_what_leads_out_stays_inside(workplace, canary, run):
    """By `..`, by absolute names, by links in each part of a path, whatever the entry would do there."""
    target = str(canary)
    layer = [
        *[file(f"{UP}{target}/secret", "overwritten", mode=0o777, uid=1000), file(f"{target}/new", "x")],
        *[link("out", target), file("out/secret", "overwritten"), directory("out", mode=0o777, uid=1000)],
        *[link("a", "/proc/self/root"), link("b", f"a{target}"), file("b/three", "x"), file("b/.wh.secret")],
        *[link("up", f"{UP}{UP}{target}"), file("up/four"), file("up/.wh..wh..opq"), hard("up/five", "up/secret")],
        *[link("s", f"{target}/secret"), hard("t", "s"), file("t", "x"), file("s", "x", mode=0o4755)],
        *[link("fd", "/proc/self/fd/3"), file("fd/six"), entry("up/node", tarfile.FIFOTYPE)],
    ]
    # Names so long that realpath(3) gives up (CVE-2025-4517), and a link that another one goes through.
    step, steps = "d" * 200, "abcdefghijklmnop"
    path = ""
    for letter in steps:
        layer += [directory(f"{path}{step}"), link(f"{path}{letter}", step)]
        path += f"{step}/"
    escape = "/".join(steps) + "/" + "l" * 200
    layer += [
        link(escape, "../" * len(steps)),
        link("escape", f"{escape}/../../../../..{target}"),
        file("escape/seven"),
    ]
    place = workplace / "inside"
    oci.Layout(place).image([oci.archive(layer)])
    before = state(canary)
    run("nsunit", "image", "import", str(place))
    assert state(canary)[:4] == before[:4]
    root = STORE / "layers" / hashlib.sha256(oci.archive(layer)).hexdigest() / "root"
    assert (root / target.removeprefix("/") / "new").read_text() == "x"
    run("nsunit", "image", "rm", "localhost/inside")


@ANYWHERE
def test_what_means_something_to_the_host_is_left_out(workplace, run):
    capability = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
    elsewhere = struct.pack("<6I", 0x03000001, 1 << 10, 0, 0, 0, 1000)
    attributes = {
        "trusted.overlay.opaque": b"y",
        "trusted.overlay.redirect": b"/etc",
        "user.overlay.opaque": b"y",
        "security.selinux": b"x",
        "user.kept": b"1",
        "security.capability": capability,
    }
    records = {f"SCHILY.xattr.{name}": value.decode("utf-8", "surrogateescape") for name, value in attributes.items()}
    foreign = {"SCHILY.xattr.security.capability": elsewhere.decode("utf-8", "surrogateescape")}
    layer = [
        *[pax("file", records), pax("dir", records, kind=tarfile.DIRTYPE), pax("foreign", foreign)],
        entry("zero", tarfile.CHRTYPE, devmajor=0, devminor=0),
    ]
    place = workplace / "attributes"
    oci.Layout(place).image([oci.archive([directory("dir")]), oci.archive(layer)])
    done = run("nsunit", "image", "import", str(place))
    assert "'user.overlay.opaque' is left out" in done.stderr
    assert "'zero' is left out" in done.stderr
    chain = hashlib.sha256(
        f"sha256:{hashlib.sha256(oci.archive([directory('dir')])).hexdigest()} "
        f"sha256:{hashlib.sha256(oci.archive(layer)).hexdigest()}".encode()
    ).hexdigest()
    root = STORE / "layers" / chain / "root"
    own = ("trusted.overlay.origin", "trusted.overlay.impure")  # what the kernel has put there
    for name in ("file", "dir"):
        found = {key for key in os.listxattr(root / name) if key not in own and not key.startswith("security.selinux")}
        assert found == {"user.kept", "security.capability"}
    assert os.getxattr(root / "file", "security.capability") == capability
    assert "security.capability" not in os.listxattr(root / "foreign")
    assert not os.path.lexists(root / "zero")
    run("nsunit", "image", "rm", "localhost/attributes")


def spoil(layout: Path, kind: str) -> str:
    """Damage one thing in a layout, and return what is said of that."""
    index = json.loads((layout / "index.json").read_text())
    blobs = layout / "blobs/sha256"
    manifest_blob = blobs / index["manifests"][0]["digest"][7:]
    manifest = json.loads(manifest_blob.read_text())
    layer = blobs / manifest["layers"][0]["digest"][7:]
    config = blobs / manifest["config"]["digest"][7:]
    flipped: Callable[[bytes], bytes] = lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]  # noqa: E731

    def remake(change: Callable[[dict[str, object]], object]) -> None:
        change(manifest)
        content = json.dumps(manifest).encode()
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        index["manifests"][0] |= {"digest": f"sha256:{digest}", "size": len(content)}
        (layout / "index.json").write_text(json.dumps(index))

    def remake_index(**changes: object) -> None:
        index["manifests"][0] |= changes
        (layout / "index.json").write_text(json.dumps(index))

    if kind == "a manifest with another digest":
        manifest_blob.write_bytes(manifest_blob.read_bytes().replace(b'"schemaVersion": 2', b'"schemaVersion": 1'))
        return "does not have its digest"
    if kind == "a config with another digest":
        config.write_bytes(config.read_bytes().replace(b"amd64", b"amd65"))
        return "does not have its digest"
    if kind == "a config of another size":
        config.write_bytes(config.read_bytes() + b" ")
        return "bytes, and should have"
    if kind == "a layer of another size":
        layer.write_bytes(layer.read_bytes()[:-1])
        return "bytes, and should have"
    if kind == "a layer with another digest":
        # The time in gzip's header: what is inside is the same.
        content = bytearray(layer.read_bytes())
        content[4] ^= 1
        layer.write_bytes(bytes(content))
        return "does not have its digest"
    if kind == "a damaged layer":
        layer.write_bytes(flipped(layer.read_bytes()))
        return "cannot be decompressed"
    if kind == "a layer that is a link":
        layer.rename(layout / "elsewhere")
        layer.symlink_to(layout / "elsewhere")
        return "Too many levels of symbolic links"
    if kind == "a layer that is a FIFO":
        layer.unlink()
        os.mkfifo(layer)
        return "not a regular file"
    if kind == "no layer":
        layer.unlink()
        return "No such file"
    if kind == "a digest that is a path":
        remake(lambda document: document["layers"][0].update(digest="sha256:../../../../etc/passwd"))
        return "is not a sha256 digest"
    if kind == "an unknown kind of layer":
        remake(lambda document: document["layers"][0].update(mediaType="application/x-wasm"))
        return "is not a layer of files"
    if kind == "a manifest that is an index as well":
        remake(lambda document: document.update(manifests=[]))
        return "is not the manifest of an image"
    if kind == "two kinds of one manifest":
        remake_index(mediaType="application/vnd.oci.image.index.v1+json")
        return "a manifest says that it is"
    if kind == "fewer layers than the config tells of":
        remake(lambda document: document.update(layers=[]))
        return "its config tells of 1 layers, its manifest of 0"
    if kind == "too many layers":
        remake(lambda document: document.update(layers=document["layers"] * 501))
        return "500 are the most"
    if kind == "not JSON":
        (layout / "index.json").write_text("[" * 100_000)
        return "it is not JSON"
    if kind == "not an object":
        (layout / "index.json").write_text("[]")
        return "it is not a JSON object"
    if kind == "a document that is too long":
        (layout / "index.json").write_text(" " * (5 << 20))
        return "bytes are more than"
    raise AssertionError(kind)


@ANYWHERE
@pytest.mark.parametrize(
    "kind",
    [
        *["a manifest with another digest", "a config with another digest", "a config of another size"],
        *["a layer of another size", "a layer with another digest", "a damaged layer", "a layer that is a link"],
        *["a layer that is a FIFO", "no layer", "a digest that is a path", "an unknown kind of layer"],
        *["a manifest that is an index as well", "two kinds of one manifest", "fewer layers than the config tells of"],
        *["too many layers", "not JSON", "not an object", "a document that is too long"],
    ],
)
def test_a_damaged_layout_leaves_nothing(workplace, canary, run, kind):
    place = workplace / "spoiled" / kind.replace(" ", "-")
    oci.Layout(place).image([oci.archive([file("x", "y" * 2000)])])
    said = spoil(place, kind)
    before = state(canary)
    done = run("nsunit", "image", "import", f"oci:{place}", check=False)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert "internal error" not in done.stderr
    assert state(canary) == before


@ANYWHERE
def test_what_a_layer_is_not_what_its_config_says(workplace, canary, run):
    place = workplace / "other"
    oci.Layout(place).image([oci.archive([file("x")])], compress=(lambda _: oci.archive([file("y")]), oci.LAYER))
    before = state(canary)
    done = run("nsunit", "image", "import", str(place), check=False)
    assert "its decompressed content is not what the config says" in done.stderr
    assert state(canary) == before


@ANYWHERE
def test_what_grows_out_of_proportion_ends(workplace, canary, run):
    """300 MB of zeros in 300 kB, and a file that says it has a terabyte."""
    packer = zlib.compressobj(9, wbits=31)
    header, _ = file("zeros")
    header.size = 400 << 20
    packed = packer.compress(header.tobuf()) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(300))
    (workplace / "bomb.tar.gz").write_bytes(packed + packer.flush())
    before = state(canary)
    done = run("nsunit", "image", "import", f"tar:{workplace}/bomb.tar.gz", check=False)
    assert "it would grow to more than 200 times its size" in done.stderr
    sparse = pax("huge", {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 40), "GNU.sparse.name": "huge"})
    sparse[0].size = 1
    (workplace / "sparse.tar").write_bytes(oci.archive([(sparse[0], b"x")]))
    assert state(canary) == before
    run("nsunit", "image", "import", str(workplace / "sparse.tar"))
    root = STORE / "layers" / hashlib.sha256((workplace / "sparse.tar").read_bytes()).hexdigest() / "root"
    assert (os.stat(root / "huge").st_size, os.stat(root / "huge").st_blocks <= 16) == (1 << 40, True)
    run("nsunit", "image", "rm", "localhost/sparse")


@ANYWHERE
def test_more_than_one_stream_counts_and_garbage_does_not(workplace, canary, run):
    content = oci.archive([file("x", "1"), file("y", "2")])
    halves = gzip.compress(content[:700]) + gzip.compress(content[700:])
    (workplace / "halves.tar.gz").write_bytes(halves)
    run("nsunit", "image", "import", str(workplace / "halves.tar.gz"))
    assert (STORE / "layers" / hashlib.sha256(content).hexdigest() / "root/y").read_text() == "2"
    run("nsunit", "image", "rm", "localhost/halves")
    before = state(canary)
    (workplace / "tail.tar.gz").write_bytes(halves + b"garbage")
    done = run("nsunit", "image", "import", f"tar:{workplace}/tail.tar.gz", check=False)
    assert "cannot be decompressed" in done.stderr
    assert state(canary) == before


@ANYWHERE
def test_io_of_nothing_and_of_other_kinds(workplace, run):
    (workplace / "empty").write_bytes(b"")
    os.mkfifo(workplace / "fifo")
    for source, said in (
        (f"tar:{workplace}/empty", "it is empty"),
        (f"tar:{workplace}/fifo", "not a regular file"),
        (f"oci:{workplace}/empty", "is no directory"),
        (str(workplace), "is no directory with an image"),
        (f"{workplace}/missing", "does not exist"),
        ("http://nginx", "is not where an image can be imported from"),
    ):
        done = run("nsunit", "image", "import", source, check=False)
        assert (done.returncode in (1, 2), said in done.stderr) == (True, True), done.stderr
