"""Images: what comes into the store, what its layers mean, and containers of them."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import oci
import oci_cases
import pytest

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
    """What the layers show by the kernel's overlayfs, in a mount namespace that goes with the program."""
    layers = lowers(name)
    if len(layers) == 1:
        return oci.listing(layers[0])
    links = place / uuid.uuid4().hex[:8]
    (links / "m").mkdir(parents=True)
    for number, layer in enumerate(layers):
        (links / str(number)).symlink_to(layer)  # mount(8) takes 255 characters
    options = "lowerdir=" + ":".join(map(str, range(len(layers))))
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", "m"], check=True, cwd=links)
    try:
        return oci.listing(links / "m")
    finally:
        subprocess.run(["umount", links / "m"], check=True)


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
    shown = json.loads(run("nsunit", "render", container.name).stdout)
    assert [item["arguments"] for item in shown["setup"] if item["operation"] == "user"] == [["web", "", []]]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "entry cmd"),
        ("Exec=own words", "entry own words"),
        ("Entrypoint=/bin/sh -c 'echo \"$@\"' x other", "other"),
        ("Entrypoint=/bin/sh -c 'echo \"$@\"' x other\nExec=own", "other own"),
    ],
)
def test_exec_replaces_cmd_and_entrypoint_replaces_entrypoint(images, containers, run, lines, said):
    config = {"Entrypoint": ["/bin/sh", "-c", 'echo "$@"', "x", "entry"], "Cmd": ["cmd"]}
    name = images.image([busybox()], **config)
    words = [word for line in lines.splitlines() for word in ("-p", line)]
    assert run("nsunit", "run", "-p", f"Image={name}", *words).stdout == f"{said}\n"


def test_the_verbs_on_the_store(images, containers, run):
    """Names, ids, what is shared, who uses what: list, tag, inspect, history, df, rm, prune."""
    base = busybox()
    first = images.image([base, [oci.file("one", "1" * 5000)]], Cmd=["/bin/sleep", "9999"], Volumes={"/data": {}})
    second = images.image([base, [oci.file("two")]], Cmd=["/bin/sleep", "9999"])
    assert lowers(first)[1] == lowers(second)[1]
    listed = {item["names"][0]: item for item in json.loads(run("nsunit", "image", "list", "--json").stdout)}
    assert [len(listed[name]["layers"]) for name in (first, second)] == [2, 2]
    other = images.name()
    run("nsunit", "image", "tag", image_id(first)[:12], other)
    assert image_id(other) == image_id(first)
    shown = run("nsunit", "image", "inspect", first).stdout
    assert other in shown
    assert "Volumes:     /data" in shown
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
    run("nsunit", "image", "prune", "--all")
    assert old[0].exists()
    assert (container.root / "old").exists()
    run("nsunit", "restart", container.name)
    assert (container.root / "new").exists()
    run("nsunit", "image", "prune")
    assert (old[0].exists(), new[0].exists()) == (False, True)
    run("nsunit", "stop", container.name)
    run("nsunit", "disable", container.name)


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
    container = containers.start(f"[Container]\nImage={good}\n")
    (lowers(good)[0] / "extra").touch()
    kept = run("nsunit", "image", "check", "--repair", check=False)
    assert (kept.returncode, f"'{container.name}' uses what is damaged" in kept.stdout) == (1, True)
    (lowers(good)[0] / "extra").unlink()
    os.utime(lowers(good)[0], (0, 0))
    assert run("nsunit", "image", "check").returncode == 0
