"""Images: what comes into the store, what its layers mean, and containers of them."""

import contextlib
import ctypes
import gzip
import json
import lzma
import os
import struct
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import oci
import oci_cases
import pytest
from waiting import wait_until

ANYWHERE = pytest.mark.anywhere("the store, tar archives and overlayfs: files of nsunit's own, and the kernel's")

pytestmark = pytest.mark.usefixtures("real_system")
STORE = Path("/var/lib/nsunit/images")


class Images:
    """Makes layouts for a test and imports them under names of its own."""

    def __init__(self, place: Path, run) -> None:
        self.place, self.run = place, run
        self.names: list[str] = []

    def name(self) -> str:
        self.names.append(f"localhost/t{uuid.uuid4().hex[:8]}:latest")
        return self.names[-1]

    def layout(self, layers, **options) -> Path:
        path = self.place / uuid.uuid4().hex[:8]
        oci.Layout(path).image([oci.archive(layer) for layer in layers], **options)
        return path

    def bring(self, source: str | Path, *words: str, **options):
        return self.run("nsunit", "image", "import", str(source), *words, **options)

    def image(self, layers, **options) -> str:
        name = self.name()
        self.bring(self.layout(layers, **options), "--name", name)
        return name


def image_id(name: str) -> str:
    return os.path.basename(os.readlink(STORE / "names" / name.replace("/", "+")))


def lowers(name: str) -> list[Path]:
    """The directories of the layers, as what a start reads has them, the topmost first."""
    lines = (STORE / "images" / image_id(name)).read_text().split("\n")
    chains = next(line for line in lines if line.startswith("layers\0")).split("\0")[1:]
    return [STORE / "layers" / chain / "root" for chain in chains]


@pytest.fixture(scope="module")
def images(workplace: Path, run) -> Iterator[Images]:
    made = Images(workplace, run)
    yield made


def merged_listing(name: str, place: Path) -> dict[bytes, tuple[object, ...]]:
    """What the layers show by the kernel's overlayfs."""
    return oci.overlay(lowers(name), place)


@ANYWHERE
@pytest.mark.parametrize("case", oci_cases.CASES)
def test_a_merged_root_shows_what_the_layers_mean(images, case):
    layers = oci_cases.CASES[case]
    found = merged_listing(images.image(layers), images.place / "merged")
    assert oci.differences(oci.expected(oci.merged(layers)), found) == []


def busybox(*entries):
    """The entries of a root with the tests' busybox and, after it, *entries*."""
    program = Path("/srv/roots/busybox/bin/busybox").resolve().read_bytes()
    found = [oci.directory(name) for name in ("bin", "etc", "srv", "tmp", "proc", "sys", "dev", "run")]
    found += [oci.entry("bin/busybox", data=program, mode=0o755)]
    found += [oci.hard(f"bin/{name}", "bin/busybox") for name in ("sh", "cat", "id", "sleep", "env", "stat", "pwd")]
    passwd = "root:x:0:0::/root:/bin/sh\nweb:x:33:34:Web:/srv/home:/bin/sh\n"
    return [*found, oci.file("etc/passwd", passwd), oci.file("etc/group", "web:x:34:\nmore:x:50:web\n"), *entries]


def test_a_container_runs_what_its_image_says(images, containers, run):
    config = {
        "Entrypoint": [
            "/bin/sh",
            "-c",
            'echo "$0 $@ $COLOR $(id -u):$(id -G) $PWD $HOME" >/srv/report; echo end >>/srv/report; exec sleep 9999',
        ],
        "Cmd": ["one two", "three"],
        "Env": ["COLOR=red", "LINES=a\nb", "BAD", "=x"],
        "User": "web",
        "WorkingDir": "/work/deep",
        "StopSignal": "SIGUSR1",
        "Labels": {"org.systemd.property.ExecStartPre": "x"},
    }
    name = images.image([busybox(oci.directory("srv", mode=0o777))], **config)
    container = containers.start(f"[Container]\nImage={name}\n")
    assert container.report("srv/report") == "one two three red 33:34 50 /work/deep /srv/home\n"
    assert container.show("KillSignal")["KillSignal"] == "10"
    deep = os.stat(container.root / "work/deep")
    assert deep.st_uid - os.stat(container.root / "work").st_uid == 33
    assert b"LINES=a\nb\0" in Path(f"/proc/{container.pid}/environ").read_bytes()
    shown = json.loads(run("nsunit", "render", "--json", container.name).stdout)
    assert [item["arguments"] for item in shown["setup"] if item["operation"] == "user"] == [["web", "", []]]
    said = {item["key"]: (item["value"], item["from"]) for item in shown["image"]["says"]}
    assert (shown["image"]["id"], said["Exec"], said["User"]) == (
        image_id(name),
        (["one two", "three"], "image"),
        ("web", "image"),
    )


BY_NAME = "echo said >/dev/stdout && end=opened || end=refused; echo $end >/srv/report; echo end >>/srv/report"


@pytest.mark.parametrize(("lines", "kind", "end"), [("", "pipe", "opened"), ("Output=journal\n", "socket", "refused")])
def test_a_program_of_an_image_can_open_its_output_by_name(images, containers, nsunit, lines, kind, end):
    """As those do that log to /dev/stdout; the definition may have it otherwise, and is told of what fails for it."""
    command = ["/bin/sh", "-c", f"{BY_NAME}; exec sleep 9999"]
    name = images.image([busybox(oci.directory("srv", mode=0o777))], Cmd=command, User="web")
    container = containers.start(f"[Container]\nImage={name}\n{lines}")
    assert container.report("srv/report") == f"{end}\n"
    assert os.readlink(f"/proc/{container.pid}/fd/1").partition(":")[0] == kind
    logged = lambda: nsunit("logs", "-o", "cat", container.name).stdout  # noqa: E731
    wait_until(lambda: ("said\n" in logged()) if kind == "pipe" else "can't create /dev/stdout" in logged(), "its word")
    hint = "Output=pipe" in nsunit("status", container.name).stdout
    assert hint == (kind == "socket")


@ANYWHERE
@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "entry cmd"),
        ("Exec=own words", "entry own words"),
        ("Exec=--own -w", "entry --own -w"),
        ("Entrypoint=/bin/sh -c 'echo \"$@\"' x other", "other"),
        ("Entrypoint=/bin/sh -c 'echo \"$@\"' x other\nExec=own", "other own"),
    ],
)
def test_exec_replaces_cmd_and_entrypoint_replaces_entrypoint(images, containers, run, lines, said):
    config = {"Entrypoint": ["/bin/sh", "-c", 'echo "$@"', "x", "entry"], "Cmd": ["cmd"]}
    name = images.image([busybox()], **config)
    words = [word for line in lines.splitlines() for word in ("-p", line)]
    assert run("nsunit", "run", "-p", f"Image={name}", *words).stdout == f"{said}\n"


@ANYWHERE
def test_the_verbs_on_the_store(images, containers, run):
    """Names, ids, what is shared, who uses what: list, tag, inspect, history, df, rm, prune."""
    base = busybox()
    of_first = {"created": "2026-03-01T10:20:30.5Z", "Cmd": ["/bin/sleep", "9999"], "Volumes": {"/data": {}}}
    first = images.image([base, [oci.file("one", "1" * 5000)]], **of_first)
    second = images.image([base, [oci.file("two")]], Cmd=["/bin/sleep", "9999"])
    assert lowers(first)[1] == lowers(second)[1]
    listed = {item["names"][0]: item for item in json.loads(run("nsunit", "image", "list", "--json").stdout)}
    assert [len(listed[name]["layers"]) for name in (first, second)] == [2, 2]
    assert [listed[name]["created"] for name in (first, second)] == ["2026-03-01T10:20:30.5Z", ""]
    table = [line.split("\t") for line in run("nsunit", "image", "list").stdout.splitlines()]
    assert {row[0]: row[2] for row in table}[first] == "2026-03-01T10:20:30"
    assert {row[0]: row[2] for row in table}[second] == "-"
    other = images.name()
    run("nsunit", "image", "tag", image_id(first)[:12], other)
    assert image_id(other) == image_id(first)
    short = f"short-{uuid.uuid4().hex[:8]}"
    assert run("nsunit", "image", "tag", first, f"{short}:2").stdout == f"localhost/{short}:2\n"
    assert run("nsunit", "image", "rm", f"{short}:2").stdout.splitlines()[0] == f"localhost/{short}:2"
    shown = run("nsunit", "image", "inspect", first).stdout
    assert other in shown
    assert "Volumes:      /data" in shown
    assert len(json.loads(run("nsunit", "image", "history", first, "--json").stdout)) == 2
    container = containers.start(f"[Container]\nImage={first}\n")
    used = run("nsunit", "image", "rm", first, other, check=False)
    assert f"is used by {container.name}" in used.stderr
    run("nsunit", "image", "rm", first)  # it has another name
    run("nsunit", "stop", container.name)
    assert run("nsunit", "image", "rm", other, check=False).returncode == 1
    kept = lowers(other)
    run("nsunit", "image", "rm", second)
    assert all(path.exists() for path in kept)
    run("nsunit", "rm", container.name)
    run("nsunit", "image", "rm", other)
    assert not kept[0].exists()
    assert os.listdir(STORE / "staging") == []
    assert json.loads(run("nsunit", "image", "df", "--json").stdout)["images"] == len(os.listdir(STORE / "images"))
    missing = run("nsunit", "image", "inspect", first, check=False)
    assert (missing.returncode, f"there is no image '{first}'" in missing.stderr) == (3, True)


def test_prune_asks_before_it_takes_what_has_a_name(images, run):
    name = images.image([busybox(), [oci.file(uuid.uuid4().hex)]], Cmd=["/bin/sleep", "9999"])
    asked = run("nsunit", "image", "prune", "--all", check=False)
    assert (asked.returncode, asked.stdout) == (2, "")
    assert asked.stderr.startswith("nsunit: image prune asks, and nobody can answer\n  hint: --dry-run shows what")
    would = run("nsunit", "image", "prune", "--all", "--dry-run").stdout.splitlines()
    assert name in would and would[-1].endswith("would be taken away")
    told = json.loads(run("nsunit", "image", "prune", "--all", "-n", "--json").stdout)
    for answer, status in (("n", 1), ("y", 0)):
        shell = f"sleep 1; echo {answer}"
        command = f"({shell}) | script -qec 'nsunit image prune --all' /dev/null"
        done = run("sh", "-c", command, check=False)
        assert name in done.stdout and "Remove them? [y/N]" in done.stdout
        assert (done.returncode, run("nsunit", "image", "inspect", name, check=False).returncode) == (
            status,
            0 if status else 3,
        )
    assert name in told["names"]


def test_an_enabled_and_a_running_container_keep_their_layers(images, define, containers, run):
    """Also those of a former image: what runs and what is written for the boot counts, not what a name leads to."""
    name = images.image([busybox(), [oci.file("old")]], Cmd=["/bin/sleep", "9999"])
    old = lowers(name)
    container = containers.of(define(f"[Container]\nImage={name}\nVolatile=yes\n"))
    run("nsunit", "enable", container.name)
    run("nsunit", "start", container.name)
    images.bring(images.layout([busybox(), [oci.file("new")]], Cmd=["/bin/sleep", "9999"]), "--name", name)
    new = lowers(name)
    assert old[0] != new[0]
    run("nsunit", "image", "prune", "--all", "--force")
    assert old[0].exists()
    assert (container.root / "old").exists()
    run("nsunit", "restart", container.name)
    assert (container.root / "new").exists()
    run("nsunit", "image", "prune")
    assert (old[0].exists(), new[0].exists()) == (False, True)
    run("nsunit", "stop", container.name)
    run("nsunit", "disable", container.name)


@ANYWHERE
def test_what_is_written_stays_with_its_image(images, containers, run):
    name = images.image([busybox(), [oci.file("old")]], Cmd=["/bin/sleep", "9999"])
    container = containers.start(f"[Container]\nImage={name}\n")
    container.exec("/bin/sh", "-c", ": >/written")
    run("nsunit", "stop", container.name)
    images.bring(images.layout([busybox(), [oci.file("new")]], Cmd=["/bin/sleep", "9999"]), "--name", name)
    started = run("nsunit", "start", container.name)
    assert "it stays on the image" in started.stderr
    assert [(container.root / file).exists() for file in ("old", "new", "written")] == [True, False, True]
    run("nsunit", "stop", container.name)
    run("nsunit", "rm", container.name)
    run("nsunit", "start", container.name)
    assert [(container.root / file).exists() for file in ("old", "new", "written")] == [False, True, False]


@ANYWHERE
def test_check_finds_what_was_changed_and_repair_takes_it_out(images, containers, run):
    good = images.image([busybox()], Cmd=["/bin/sleep", "9999"])
    bad = images.image([busybox(), [oci.file("a", "1"), oci.file("b", "2"), oci.link("l", "a")]])
    assert run("nsunit", "image", "check").stdout == "nothing is wrong\n"
    layer = lowers(bad)[0]
    (layer / "a").write_text("9")
    (layer / "b").unlink()
    (layer / "c").touch()
    found = run("nsunit", "image", "check", check=False)
    assert found.returncode == 1
    for said in ("'/a' was changed", "'/b' is missing", "'/c' was not there"):
        assert said in found.stdout
    run("nsunit", "image", "check", "--repair")
    assert not layer.exists()
    assert run("nsunit", "image", "check").stdout == "nothing is wrong\n"
    assert run("nsunit", "image", "inspect", bad, check=False).returncode == 3
    spoiled = images.image([busybox()], Cmd=["/bin/spoiled"])
    record = STORE / "images" / image_id(spoiled)
    record.write_bytes(b"")
    listed = run("nsunit", "image", "list")
    assert listed.stderr == f"nsunit: warning: the image '{record.name[:12]}' is damaged: see 'nsunit image check'\n"
    assert good in listed.stdout
    assert "all layers stay" in run("nsunit", "image", "prune").stderr
    run("nsunit", "image", "check", "--repair")
    assert not record.exists()
    container = containers.start(f"[Container]\nImage={good}\n")
    (lowers(good)[0] / "extra").touch()
    kept = run("nsunit", "image", "check", "--repair", check=False)
    assert (kept.returncode, f"'{container.name}' uses what is damaged" in kept.stdout) == (1, True)
    (lowers(good)[0] / "extra").unlink()
    os.utime(lowers(good)[0], (0, 0))
    assert run("nsunit", "image", "check").returncode == 0


def docker_archive(layers: list[bytes], names: list[str], **config) -> bytes:
    """What `docker save` has always written, with a link in place of a layer that is there twice."""
    document = {"os": "linux", "config": config, "rootfs": {"diff_ids": [oci.digest(layer) for layer in layers]}}
    content = json.dumps(document)
    files = [f"{number:064x}/layer.tar" for number in range(len(layers))]
    entries = [oci.file(f"{oci.digest(content.encode())[7:]}.json", content)]
    for number, layer in enumerate(layers):
        entries.append(oci.directory(files[number].partition("/")[0]))
        first = layers.index(layer)
        entries.append(
            oci.entry(files[number], data=layer) if first == number else oci.link(files[number], f"../{files[first]}")
        )
    manifest = [{"Config": f"{oci.digest(content.encode())[7:]}.json", "RepoTags": names, "Layers": files}]
    return oci.archive([*entries, oci.file("manifest.json", json.dumps(manifest))])


def packed(layout: Path) -> bytes:
    """An OCI layout as an archive, which is what skopeo calls oci-archive."""
    paths = sorted(path for path in layout.rglob("*") if path.is_file())
    return oci.archive([oci.entry(str(path.relative_to(layout)), data=path.read_bytes()) for path in paths])


def skopeo_directory(layout: Path, place: Path) -> Path:
    place.mkdir()
    for blob in (layout / "blobs/sha256").iterdir():
        (place / blob.name).write_bytes(blob.read_bytes())
    digest = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"][7:]
    (place / digest).rename(place / "manifest.json")
    (place / "version").write_text("Directory Transport Version: 1.1\n")
    return place


def by_library(content: bytes) -> bytes:
    """zstd by the library that the system has, with a skippable frame behind it as zstd:chunked has."""
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_compressBound.restype = library.ZSTD_compress.restype = ctypes.c_size_t
    room = ctypes.create_string_buffer(library.ZSTD_compressBound(ctypes.c_size_t(len(content))))
    size = library.ZSTD_compress(room, ctypes.c_size_t(len(room)), content, ctypes.c_size_t(len(content)), 3)
    return room.raw[:size] + b"\x5a\x2a\x4d\x18\x04\0\0\0more"


def test_every_transport_and_compression_brings_the_same(images, run):
    layers = [[oci.directory("a", mode=0o750), oci.file("a/x", "1" * 300_000)], [oci.file("a/y", "2")]]
    archives = [oci.archive(layer) for layer in layers]
    plain = images.layout(layers)
    names = ["localhost/from/docker:1", "localhost/from/docker:2"]
    files = {
        "a.oci.tar": packed(plain),
        "b.oci.tar.gz": gzip.compress(packed(plain)),
        "c.docker.tar": docker_archive([*archives, archives[0]], names),
        "d.docker.tar.xz": lzma.compress(docker_archive(archives, names)),
    }
    for file, content in files.items():
        (images.place / file).write_bytes(content)
    sources = [str(images.place / file) for file in files]
    sources += [
        f"oci-archive:{images.place}/a.oci.tar:latest",
        f"docker-archive:{images.place}/c.docker.tar:{names[1]}",
    ]
    sources += [str(skopeo_directory(plain, images.place / "by-skopeo"))]
    for pack, ending in ((lambda content: content, ""), (lzma.compress, "+xz"), (by_library, "+zstd")):
        sources.append(f"oci:{images.layout(layers, compress=(pack, oci.LAYER + ending))}:latest")
    wanted = oci.expected(oci.merged(layers))
    for source in sources:
        run("nsunit", "image", "prune", "--all", "--force")
        name = images.name()
        images.bring(source, "--name", name)
        assert oci.differences(wanted, merged_listing(name, images.place / "merged")) == []
    told = json.loads(images.bring(f"docker-archive:{images.place}/c.docker.tar", "--json").stdout)
    assert told["names"] == names
    run("nsunit", "image", "rm", *names)


@ANYWHERE
def test_one_of_several_is_chosen(images, run):
    """By tag, by platform through an index; what does not choose is told what there is."""
    place = images.place / "several"
    layout = oci.Layout(place)
    for tag in ("one", "two"):
        layout.image([oci.archive([oci.file(tag)])], tag)
    done = images.bring(place, check=False)
    assert "it has more than one image" in done.stderr
    assert "it has one, two" in done.stderr
    assert "there is no image 'three' in it" in images.bring(f"{place}:three", check=False).stderr
    assert "localhost/several:two" in images.bring(f"{place}:two").stdout
    for machine, descriptor in zip(("s390x", "arm64"), layout.manifests, strict=True):
        descriptor["platform"] = {"os": "linux", "architecture": machine, "variant": "v8"}
    kind = "application/vnd.oci.image.index.v1+json"
    index = layout.blob(json.dumps({"mediaType": kind, "manifests": layout.manifests}).encode(), kind)
    layout.manifests = [index]
    layout.write()
    done = images.bring(place, "--platform", "linux/mips64le", check=False)
    assert "it has no image for 'linux/mips64le'" in done.stderr
    assert "linux/arm64/v8, linux/s390x/v8" in done.stderr
    name = images.name()
    images.bring(place, "--platform", "linux/arm64", "--name", name)
    assert (lowers(name)[0] / "two").exists()
    assert "is not a platform" in images.bring(place, "--platform", "arm", check=False).stderr
    run("nsunit", "image", "rm", "localhost/several:two")


@ANYWHERE
def test_what_is_valid_but_odd(images, run):
    """What registries have: statements beside images, layers in which nothing is, one image by two names."""
    place = images.place / "odd"
    layout = oci.Layout(place)
    archives = [b"", bytes(1024), oci.archive([oci.file("x", "here")]), bytes(1024)]
    for content in (b"{}", json.dumps({"_type": "https://in-toto.io/Statement/v0.1"}).encode()):
        blob = layout.blob(content, "application/vnd.in-toto+json")
        empty = layout.blob(b"{}", "application/vnd.oci.empty.v1+json")
        kind = "application/vnd.oci.image.manifest.v1+json"
        document = {"schemaVersion": 2, "mediaType": kind, "config": empty, "layers": [blob]}
        statement = layout.blob(json.dumps(document).encode(), kind)
        layout.manifests.append(statement | {"artifactType": "application/vnd.in-toto+json"})
    layout.manifests[1].pop("artifactType")
    layout.manifests[1]["platform"] = {"os": "unknown", "architecture": "unknown"}
    statements = list(layout.manifests)
    layout.image(archives, "docker.io/library/odd:1.27")
    image = layout.manifests.pop()
    kind = "application/vnd.oci.image.index.v1+json"
    document = {"schemaVersion": 2, "manifests": [*statements, {**image, "annotations": {}}]}
    inner = layout.blob(json.dumps(document).encode(), kind)
    outer = layout.blob(json.dumps({"mediaType": kind, "manifests": [inner]}).encode(), kind)
    named = [{**outer, "annotations": image["annotations"]}]
    named.append({**outer, "annotations": {"org.opencontainers.image.ref.name": "latest"}})
    layout.manifests = named
    layout.write()
    for source in (f"oci:{place}", f"oci:{place}:docker.io/library/odd:1.27", f"oci:{place}:1.27", f"{place}:latest"):
        name = images.name()
        images.bring(source, "--name", name)
        listing = merged_listing(name, images.place / "merged")
        assert sorted(listing) == [b"", b"x"], source
        assert len(lowers(name)) == len(archives)
    layout.manifests = statements[:1]
    layout.write()
    assert "is not a layer of files" in images.bring(place, check=False).stderr
    (images.place / "nothing.tar").touch()
    assert "nothing.tar: it is empty" in images.bring(images.place / "nothing.tar", check=False).stderr


@ANYWHERE
def test_nothing_inherits_what_its_layer_does_not_say(images):
    """The default ACL of a directory is for what programs make in it, not for the files of layers."""
    parts = ((1, 7, -1), (2, 7, 33), (4, 5, -1), (16, 7, -1), (32, 5, -1))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *part) for part in parts)
    default = {"SCHILY.xattr.system.posix_acl_default": acl.decode("utf-8", "surrogateescape")}
    first = [
        *[oci.directory("d", pax_headers=default), oci.file("d/f", "x", mode=0o640), oci.directory("d/s", mode=0o710)],
        oci.entry("d/p", tarfile.FIFOTYPE, mode=0o604),
    ]
    name = images.image([first, [oci.file("d/later", "x", mode=0o600), oci.file("d/s/below", mode=0o444)]])
    upper, lower = lowers(name)
    assert os.getxattr(lower / "d", "system.posix_acl_default") == acl
    modes = {lower / "d/f": 0o640, lower / "d/s": 0o710, lower / "d/p": 0o604}
    modes |= {upper / "d/later": 0o600, upper / "d/s/below": 0o444}
    for path, mode in modes.items():
        assert (path.stat().st_mode & 0o7777, [key for key in os.listxattr(path) if "acl" in key]) == (mode, []), path


@ANYWHERE
def test_two_imports_at_once_and_what_was_killed(images, run):
    """Both have it in the end; of one that is killed at any moment nothing is left but a whole image, or none."""
    layers = [[oci.file(f"{depth}-{number}", "x" * 9000) for number in range(200)] for depth in range(4)]
    place = images.layout(layers)
    wanted = oci.expected(oci.merged(layers))
    names = [images.name() for _ in range(3)]
    commands = [["nsunit", "image", "import", str(place), "--name", name] for name in names]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    for name in names:
        assert oci.differences(wanted, merged_listing(name, images.place / "merged")) == []
    for moment in range(4):
        run("nsunit", "image", "prune", "--all", "--force")
        killed = subprocess.Popen(commands[0], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            killed.wait(0.3 * (moment + 1))
        killed.kill()
        killed.wait()
        for chain in os.listdir(STORE / "layers"):
            assert {"root", "files", "layer"} == set(os.listdir(STORE / "layers" / chain))
        assert run("nsunit", "image", "check").returncode == 0
    wait_until(lambda: not units_that_unpack(run), "the last unit to end")
    run("nsunit", "image", "prune", "--all", "--force")
    assert os.listdir(STORE / "staging") == []
    run(*commands[0])
    assert oci.differences(wanted, merged_listing(names[0], images.place / "merged")) == []


def units_that_unpack(run) -> str:
    return run("systemctl list-units --all --plain --no-legend 'nsunit-unpack-*'").stdout


@ANYWHERE
def test_a_full_disk_leaves_nothing(images, run):
    place = images.layout([[oci.file("small")], [oci.file("large", "x" * (30 << 20))]])
    run("nsunit", "image", "prune", "--all", "--force")
    before = sorted(os.listdir(STORE / "layers"))
    run(f"mount -t tmpfs -o size=20M,mode=0700 tmpfs {STORE}/staging")
    try:
        done = images.bring(place, check=False)
        assert (done.returncode, "No space left on device" in done.stderr) == (1, True), done.stderr
        assert os.listdir(STORE / "staging") == []
    finally:
        run(f"umount {STORE}/staging")
    assert sorted(os.listdir(STORE / "layers")) == before


@ANYWHERE
def test_many_layers(images, containers, run):
    """More than mount(2) takes by their paths; a start reads of the image one small file."""
    layers = [
        busybox(),
        *([oci.file(f"layer-{number}", str(number)), oci.file("last", str(number))] for number in range(129)),
    ]
    name = images.image(layers, Cmd=["/bin/cat", "/layer-0", "/layer-128", "/last"])
    assert len(lowers(name)) == 130
    done = run("nsunit", "run", "-p", f"Image={name}")
    assert done.stdout == "0128128"


@ANYWHERE
def test_what_a_container_is_told_of_an_image_that_is_not_there(images, containers, define, run):
    name = define("[Container]\nImage=localhost/missing:1\n")
    for verb in ("start", "enable", "verify"):
        done = run("nsunit", verb, name, check=False)
        assert done.returncode in (1, 3)
        assert "[Container] Image=: there is no image 'localhost/missing:1'" in done.stderr + done.stdout
    done = run("nsunit", "render", "--json", name)
    assert f"warning: {name}: there is no image 'localhost/missing:1' in the store" in done.stderr
    shown = json.loads(done.stdout)
    assert shown["image"] == {"reference": "localhost/missing:1", "id": None, "says": []}
    assert shown["setup"][-1]["arguments"] == ["", ["the command of localhost/missing:1"]]
    nothing = images.image([busybox()])
    silent = define(f"[Container]\nImage={nothing}\n")
    done = run("nsunit", "start", silent, check=False)
    assert f"Exec= is missing, and the image '{nothing}' has no command" in done.stderr
    for container in (name, silent):
        assert not os.path.exists(f"/var/lib/nsunit/containers/{container}")
