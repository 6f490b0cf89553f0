"""Whole containers: exported, imported, cloned, renamed; and what is kept of those that nobody sees."""

import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest
from interrupting import interrupted
from waiting import wait_until

from nsunit.storage import files

pytestmark = pytest.mark.once("files and mounts of the kernel alone")
DEFINITIONS = Path("/etc/nsunit")
STATE = Path("/var/lib/nsunit/containers")
INCOMING = Path("/var/lib/nsunit/incoming")
# A removed file and directory of the layer, a directory in the place of one, owners, attributes, a hole, a hard link.
WRITES = """
rm /etc/group; rm -rf /lower/gone; rm -rf /lower/other; mkdir /lower/other; echo new > /lower/other/new
mkdir -p /data; echo kept > /data/file; chown 33:44 /data/file; ln /data/file /data/same; chmod 4750 /data/file
ln -s /etc/passwd /data/link; mkfifo /data/pipe; truncate -s 64M /data/hole; echo end >> /data/hole
"""


@pytest.fixture(scope="module")
def layer(workplace):
    """A layer with directories that a container changes."""
    path = workplace / "lower-layer"
    for directory in ("gone", "other"):
        (path / "lower" / directory).mkdir(parents=True)
        (path / "lower" / directory / "old").write_text("old\n")
    return path


@pytest.fixture
def text(layer, program):
    """The lines of a definition of a container that writes, and then sleeps."""
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


@pytest.fixture
def place(tmp_path):
    """Where archives go."""
    return tmp_path


def forget(nsunit, name: str) -> None:
    nsunit("rm", "--force", "--definition", name)
    assert not (DEFINITIONS / f"{name}.nsunit").exists()
    assert not (DEFINITIONS / f"{name}.nsunit.d").exists()


def test_export_and_import(containers, nsunit, text, place):
    box = written(containers, text, limits="[Service]\nTasksMax=99\n")
    nsunit("set", "--persist", box.name, "CPUWeight=77")
    before = seen(box)
    first = (box.state / "ids").read_text()
    archive = place / "a.tar"
    nsunit("export", box.name, str(archive))
    assert not box.show("FreezerState")["FreezerState"].startswith("frozen")
    assert oct(archive.stat().st_mode & 0o777) == "0o600"
    assert archive.stat().st_size < 1 << 20
    manifest = json.loads(
        subprocess.run(["tar", "-xOf", archive, "nsunit-container.json"], capture_output=True, check=True).stdout
    )
    assert manifest["name"] == box.name
    assert {"key": "Layer", "value": "/srv/roots/busybox"} in manifest["needs"]
    listed = subprocess.run(
        ["tar", "--numeric-owner", "-tvf", archive], capture_output=True, text=True, check=True
    ).stdout
    assert "33/44" in listed
    nsunit("stop", "--now", box.name)
    done = nsunit("import", str(archive), check=False)
    assert (done.returncode, "is the state of a container of that name" in done.stderr) == (1, True)
    forget(nsunit, box.name)
    taken = Path("/var/lib/nsunit/containers/taken")  # somebody else has its ids now
    taken.mkdir(mode=0o700)
    (taken / "ids").write_text(first)
    try:
        assert nsunit("import", str(archive)).stdout == f"{box.name}\n"
        nsunit("start", box.name)
        wait_until(lambda: (box.root / "ready").exists())
        assert seen(box) == before
        assert (box.state / "ids").read_text() != first
        assert os.getxattr(box.root / "data", "user.note") == b"a\0b"
        assert (box.upper / "data/hole").stat().st_blocks * 512 < 1 << 20
        assert box.show("TasksMax")["TasksMax"] == "99"
        assert box.show("CPUWeight", unit=box.slice)["CPUWeight"] == "77"
    finally:
        (taken / "ids").unlink()
        taken.rmdir()
    assert list(INCOMING.iterdir()) == []
    nsunit("stop", "--now", box.name)
    (box.upper / "data/later").write_text("later\n")
    nsunit("import", "--force", str(archive))
    assert not (box.upper / "data/later").exists()


def test_by_streams_and_compressed(containers, nsunit, run, text, place):
    box = written(containers, text)
    before = seen(box)
    run(f"nsunit export --no-pause {box.name} - | gzip > {place}/a.tar.gz")
    nsunit("stop", "--now", box.name)
    run(f"nsunit export {box.name} - > {place}/a.tar")
    for archive in ("a.tar.gz", "a.tar"):
        forget(nsunit, box.name)
        run(f"nsunit import - < {place}/{archive}" if "gz" in archive else f"cat {place}/{archive} | nsunit import -")
        nsunit("start", box.name)
        assert seen(box) == before
        nsunit("stop", "--now", box.name)


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


def test_volumes_without_a_name_go_along(containers, nsunit, program, place):
    """Databases keep there what they have, and an image may say so where the definition does not."""
    script = "echo first > /data/file; chown 33:44 /data/file; ln /data/file /data/same; mkdir -m 1777 /data/sub"
    lines = ("Volatile=yes", "Volume=/data", "Volume=/var/lib/more")
    box = containers.start(program("touch /ready; exec sleep 1000000", *lines))
    look = "cd /data; stat -c '%n %F %a %u:%g %h' . *; cat file /var/lib/more/more"
    box.exec("sh", "-c", f"{script}; echo more > /var/lib/more/more")
    before, archive = box.exec("sh", "-c", look).stdout, place / "box.tar"
    nsunit("export", box.name, str(archive))

    copy = containers.own(f"{box.name}-copy")
    containers.files.append(DEFINITIONS / f"{copy}.nsunit")
    assert "Volume=" not in nsunit("clone", box.name, copy).stderr
    nsunit("start", copy)
    assert containers.of(copy).exec("sh", "-c", look).stdout == before

    box.exec("sh", "-c", "echo later > /data/file; touch /data/other")
    nsunit("stop", "--now", box.name)
    nsunit("import", "--force", str(archive))
    nsunit("start", box.name)
    assert box.exec("sh", "-c", look).stdout == before
    nsunit("rm", "--force", "--definition", box.name)
    nsunit("import", str(archive))
    nsunit("start", box.name)
    assert box.exec("sh", "-c", look).stdout == before

    # What is not in the archive, as of an older nsunit, is kept.
    nsunit("stop", "--now", box.name)
    without = place / "without.tar"
    with tarfile.open(archive) as source, tarfile.open(without, "w", format=tarfile.PAX_FORMAT) as target:
        for info in source:
            if not info.name.startswith("volumes/data/"):
                target.addfile(info, source.extractfile(info) if info.isreg() else None)
    nsunit("import", "--force", str(without))
    nsunit("start", box.name)
    assert box.exec("sh", "-c", look).stdout == before
    assert list(INCOMING.iterdir()) == []


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


def test_killed_at_any_time(containers, nsunit, run, text, place):
    """An import or export that is killed leaves nothing that the next one does not take away, and nobody paused."""
    box = written(containers, text)
    box.exec("sh", "-c", "head -c 5000000 /dev/urandom > /data/big")
    archive, freezer = place / "a.tar", {"unit": box.slice}
    for number in (signal.SIGTERM, signal.SIGKILL):
        # Its reader takes nothing, so that it never ends by itself.
        with subprocess.Popen(
            ["nsunit", "export", box.name, "-"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        ) as export:
            wait_until(lambda: "frozen" in box.show("FreezerState", **freezer)["FreezerState"])
            export.send_signal(number)
            export.wait()
        wait_until(lambda: box.show("FreezerState", **freezer)["FreezerState"] == "running")
    left = place / ".a.tar.nsunit"
    left.write_text("of one that was killed")
    nsunit("export", box.name, str(archive))
    assert not left.exists()
    forget(nsunit, box.name)
    content = archive.read_bytes()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with subprocess.Popen(["nsunit", "import", "-"], stdin=subprocess.PIPE) as bring:
            bring.stdin.write(content[:3_000_000])
            wait_until(lambda: any(INCOMING.glob("*/archive")))
            bring.send_signal(number)
        with subprocess.Popen(["nsunit", "import", str(archive)], stdin=subprocess.DEVNULL) as bring:
            ended = bring.poll
            wait_until(lambda ended=ended: any(INCOMING.glob("*/overlay/upper/data")) or ended() is not None)
            bring.send_signal(number)
            bring.wait()
        if (DEFINITIONS / f"{box.name}.nsunit").exists():  # it was quicker, and then it is whole
            forget(nsunit, box.name)
    wait_until(lambda: not run("systemctl list-units --no-legend 'nsunit-unpack-*'").stdout)
    nsunit("import", "--force", str(archive))
    assert list(INCOMING.iterdir()) == []
    nsunit("start", box.name)
    assert (box.root / "data/big").stat().st_size == 5_000_000


def test_interrupted_in_the_moment_in_which_it_gets_its_name(containers, nsunit, text, place):
    """What was there is there again, whatever was already renamed."""
    box = written(containers, text)
    archive = str(place / "a.tar")
    nsunit("export", box.name, archive)
    nsunit("stop", "--now", box.name)
    later, volume = box.upper / "data/later", box.state / "volumes/own/data"
    later.write_text("later\n")
    volume.mkdir(parents=True)
    for where in ("restore:swap", "restore:_keep_volumes"):
        words = ("import", "--force", archive)
        done = interrupted(signal.SIGINT, "after", f"nsunit.features.transfer.{where}", *words)
        assert (done.returncode, later.exists(), volume.exists()) == (130, True, True), (where, done.stderr)
    shutil.rmtree(box.state / "volumes")
    new = f"{box.name}-new"
    for verb in ("clone", "rename"):
        done = interrupted(signal.SIGTERM, "after", "nsunit.storage.files:move", verb, box.name, new)
        assert (done.returncode, later.exists()) == (143, True), (verb, done.stderr)
        assert not (box.state.parent / new).exists(), verb
        assert not (DEFINITIONS / f"{new}.nsunit").exists(), verb
    assert list(INCOMING.iterdir()) == []
    nsunit("rename", box.name, new)
    forget(nsunit, new)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_clone_that_is_killed_takes_along_what_copies(containers, nsunit, run, text, place, number):
    box = written(containers, text)
    program = place / "cp"
    program.write_text(
        '#!/bin/sh\nfor to; do :; done\nmkdir "$to"; while mkdir "$to/$((n += 1))"; do sleep 0.01; done\n'
    )
    program.chmod(0o755)
    command, env = (
        ["nsunit", "clone", box.name, f"{box.name}-new"],
        {**os.environ, "PATH": f"{place}:{os.environ['PATH']}"},
    )
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as clone:
        wait_until(lambda: any(INCOMING.glob("*/state/overlay/upper/9")))
        clone.send_signal(number)
        assert clone.stderr.read() == b""
    assert clone.returncode == (143 if number == signal.SIGTERM else -9)
    wait_until(lambda: run("pgrep", "-f", f"{program} -a", check=False).returncode == 1)
    if number == signal.SIGTERM:
        assert list(INCOMING.iterdir()) == []
    program.unlink()
    nsunit("clone", box.name, f"{box.name}-new")
    assert list(INCOMING.iterdir()) == []
    forget(nsunit, f"{box.name}-new")


@pytest.mark.kernel("nftables")
def test_clone(containers, nsunit, text, workplace):
    bound = workplace / "for-two"
    bound.mkdir()
    box = written(
        containers,
        f"{text}PublishPort=127.0.0.1:9137:80\nBind={bound}:/shared\nNetwork=bridge\n",
        own="[Container]\nHostname=one\n",
    )
    nsunit("set", "--persist", box.name, "CPUWeight=55")
    before = seen(box)
    name = containers.own(f"{box.name}-two")
    containers.files += [DEFINITIONS / f"{name}.nsunit", DEFINITIONS / f"{name}.nsunit.d"]
    done = nsunit("clone", box.name, name)
    assert done.stdout == ""
    assert f"PublishPort=127.0.0.1:9137:80 is {box.name}'s, too" in done.stderr
    assert f"Hostname=one is {box.name}'s, too" in done.stderr
    assert f"Bind={bound}:/shared is shared with {box.name}" in done.stderr
    assert box.show("FreezerState", unit=box.slice)["FreezerState"] == "running"
    main = DEFINITIONS / f"{name}.nsunit"
    main.write_text(main.read_text().replace("9137", "9138"))
    nsunit("start", name)
    two = containers.of(name)
    assert seen(two) == before
    assert two.show("CPUWeight", unit=two.slice)["CPUWeight"] == "55"
    assert (two.state / "ids").read_text() != (box.state / "ids").read_text()
    addresses = [json.loads(nsunit("status", item, "--json").stdout)[0]["addresses"] for item in (box.name, name)]
    assert not set(addresses[0]) & set(addresses[1])
    done = nsunit("clone", box.name, name, check=False)
    assert (done.returncode, "runs" in done.stderr) == (1, True)
    done = nsunit("clone", "not-there", "anything", check=False)
    assert (done.returncode, "is not defined" in done.stderr) == (3, True)


def test_rename(containers, nsunit, run, text):
    box = written(containers, text, own="[Service]\nTasksMax=88\n")
    nsunit("set", "--persist", box.name, "CPUWeight=55")
    other = containers.define(f"[Container]\nLayer=/srv/roots/busybox\nExec=/bin/true\n[Unit]\nAfter={box.service}\n")
    before, ids = seen(box), (box.state / "ids").read_text()
    name = containers.own(f"{box.name}-new")
    containers.files += [DEFINITIONS / f"{name}.nsunit", DEFINITIONS / f"{name}.nsunit.d"]
    done = nsunit("rename", box.name, name, check=False)
    assert (done.returncode, "it is running" in done.stderr) == (1, True)
    nsunit("stop", "--now", box.name)
    nsunit("enable", box.name)
    definition = DEFINITIONS / f"{box.name}.nsunit"
    text = definition.read_text()
    definition.write_text(f"{text}[Container]\nNonsense=1\n")
    done = nsunit("rename", box.name, name, check=False)
    assert (done.returncode, "'Nonsense' is not a key" in done.stderr) == (1, True)
    assert run("systemctl", "is-enabled", box.service).stdout == "enabled\n"  # nothing could enable it again
    definition.write_text(text)
    done = nsunit("rename", box.name, name)
    assert done.stdout == ""
    assert f"{other}: its definition names '{box.name}'" in done.stderr
    assert run("systemctl", "is-enabled", containers.of(name).service).stdout == "enabled\n"
    assert not (DEFINITIONS / f"{box.name}.nsunit").exists()
    assert not box.state.exists()
    new = containers.of(name)
    run("systemctl", "start", new.service)
    assert (seen(new), (new.state / "ids").read_text()) == (before, ids)
    assert (new.show("TasksMax")["TasksMax"], new.show("CPUWeight", unit=new.slice)["CPUWeight"]) == ("88", "55")
    assert not run(f"ls -d /etc/systemd/system/*{box.name}.*", check=False).stdout
    nsunit("disable", "--now", name)
    # Killed after the first file: the same command does the rest.
    old = containers.own(f"{box.name}-old")
    (DEFINITIONS / f"{old}.nsunit").write_text((DEFINITIONS / f"{name}.nsunit").read_text())
    containers.files.append(DEFINITIONS / f"{old}.nsunit")
    containers.files.append(DEFINITIONS / f"{old}.nsunit.d")
    nsunit("rename", name, old)
    assert (containers.of(old).state / "ids").read_text() == ids
    done = nsunit("rename", old, other, check=False)
    assert (done.returncode, "is defined" in done.stderr) == (1, True)


def test_what_run_keep_has_left_is_at_hand(containers, nsunit, program, tmp_path):
    """As with podman, whose containers stay: it is looked at and taken along by its name, though no file defines it."""
    name, image = containers.own(f"k{os.urandom(4).hex()}"), f"localhost/{os.urandom(4).hex()}:latest"
    nsunit("run", "--keep", "--name", name, "-p", "Layer=/srv/roots/busybox", "sh", "-c", "echo 1 >/kept")
    assert nsunit("diff", name).stdout == "A /kept\n"
    nsunit("cp", f"{name}:/kept", str(tmp_path / "kept"))
    assert (tmp_path / "kept").read_text() == "1\n"
    nsunit("cp", str(tmp_path / "kept"), f"{name}:/other")
    (where,) = json.loads(nsunit("mount", "--json", name).stdout)
    assert Path(where["path"], "other").read_text() == "1\n"
    nsunit("umount", name)
    shown = nsunit("status", name, check=False)
    assert (shown.returncode, shown.stdout.splitlines()[1]) == (3, "  Definition: none")
    nsunit("commit", name, image)
    nsunit("image", "rm", image)
    nsunit("export", name, str(tmp_path / "archive"))
    nsunit("rm", name)
    assert nsunit("diff", name, check=False).returncode == 3
    nsunit("import", str(tmp_path / "archive"))
    containers.files.append(DEFINITIONS / f"{name}.nsunit")
    assert (DEFINITIONS / f"{name}.nsunit").read_text().startswith("[Container]\nLayer=/srv/roots/busybox\n")
    # A definition of its own counts from then on, and nothing is known of the other once it is gone.
    nsunit("rm", "--definition", name)
    nsunit("run", "--keep", "--name", name, "-p", "Layer=/srv/roots/busybox", "true")
    containers.start(program("exec sleep 1000000", "Volatile=no"), name)
    nsunit("stop", "--now", name)
    (DEFINITIONS / f"{name}.nsunit").unlink()
    assert nsunit("diff", name, check=False).stderr.startswith(f"nsunit: container '{name}' is not defined")


def test_state_nobody_sees(containers, nsunit, program, run):
    template = containers.define(program("exec sleep 1000000", "Volatile=no"), f"t{os.urandom(4).hex()}@")
    instance = containers.own(f"{template}1")
    keeping = containers.own(f"k{os.urandom(4).hex()}")
    gone = containers.start(program("exec sleep 1000000", "Volatile=no")).name
    nsunit("start", instance)
    nsunit("stop", "--now", instance, gone)
    nsunit("run", "--rm", "--keep", "--name", keeping, "-p", "Layer=/srv/roots/busybox", "touch", "/kept")
    (DEFINITIONS / f"{gone}.nsunit").unlink()
    defined = containers.start(program("exec sleep 1000000", "Volatile=no")).name
    nsunit("stop", "--now", defined)

    def states() -> dict[str, str]:
        return {item["name"]: item["sub_state"] for item in json.loads(nsunit("list", "--all", "--json").stdout)}

    names = {instance: "stopped", keeping: "no-definition", gone: "no-definition"}
    found = states()
    assert {name: found[name] for name in names} == names
    assert found[defined] == "dead"
    shown = nsunit("prune", "--dry-run").stdout.splitlines()
    assert {f"{name}: {state}" for name, state in names.items()} <= set(shown)
    assert not any(line.startswith(f"{defined}:") for line in shown)
    done = nsunit("prune", check=False)
    assert (done.returncode, "prune asks, and nobody can answer" in done.stderr) == (2, True)
    answered = run("printf 'n\\n' | script -qec 'nsunit prune' /dev/null; true").stdout
    assert "Remove all they have kept?" in answered
    assert names.keys() <= states().keys()
    nsunit("prune", "--force")
    assert not names.keys() & states().keys()
    assert containers.of(defined).state.exists()
    done = nsunit("rm", "--definition", f"{template}2", check=False)
    assert (DEFINITIONS / f"{template}.nsunit").exists()
    assert "it is a template's" in done.stderr


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


def test_the_examples_of_the_manual(containers, run):
    """Each command of nsunit-backup(7), in their order: the page's own test sees that they are the same."""
    for name in ("shop", "shop-test", "shop-next"):
        containers.own(name)
        containers.files.append(DEFINITIONS / f"{name}.nsunit")
    text = Path(__file__).with_name("backup-examples.txt").read_text()
    blocks = text.replace("/var/lib/machines/debian", "/srv/roots/busybox").split("\n\n")
    assert len(blocks) > 8
    told = [
        subprocess.run(["bash", "-euo", "pipefail", "-c", block], capture_output=True, text=True) for block in blocks
    ]
    assert [(done.args[-1], done.stderr) for done in told if done.returncode] == []
    assert json.loads(told[5].stdout[told[5].stdout.index("{") :])["name"] == "shop"
    assert "is shared with shop" in told[10].stderr
    assert not run("ls /etc/nsunit/shop* /var/lib/nsunit/containers/shop*", check=False).stdout
    Path("/var/tmp/shop.tar").unlink()
    Path("/var/tmp/shop-data.tar").unlink()
    shutil.rmtree("/var/tmp/disk")


def test_machinectl(containers, program, nsunit, run, place):
    """What the manual says of it: it copies out, and cannot copy in."""
    box = containers.start(program("exec sleep 1000000", "Register=yes", "Volatile=no"))
    run("machinectl", "copy-from", box.name, "/etc/passwd", str(place / "passwd"))
    assert (place / "passwd").read_text() == box.exec("cat", "/etc/passwd").stdout
    done = run("machinectl", "copy-to", box.name, str(place / "passwd"), "/tmp/passwd", check=False)
    assert done.returncode != 0
    nsunit("cp", str(place / "passwd"), f"{box.name}:/tmp/passwd")
    assert box.exec("cat", "/tmp/passwd").stdout == (place / "passwd").read_text()


@pytest.mark.parametrize("options", [("-t", "tmpfs", "-o", "mode=700", "tmpfs"), ("--bind", str(STATE))])
def test_states_on_a_file_system_of_their_own(containers, nsunit, run, text, tmp_path, options):
    """What comes in is made whole there, since no rename leads from one mount into another."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    run("mount", *options, str(STATE))
    try:
        box = written(containers, text)
        names = [containers.own(f"{box.name}-{number}") for number in range(2)]
        containers.files += [DEFINITIONS / f"{name}.nsunit" for name in names]
        nsunit("clone", box.name, names[0])
        nsunit("export", names[0], str(tmp_path / "archive"))
        nsunit("rename", *names)
        nsunit("import", str(tmp_path / "archive"))
        for name in names:
            assert (STATE / name / "overlay/upper/data/file").read_text() == "kept\n"
        assert list((STATE / ".incoming").iterdir()) == []
        (STATE / ".incoming/gone").mkdir()
        listed = nsunit("list", "--all", "--quiet").stdout.split()
        assert ({box.name, *names} <= {*listed}, ".incoming" in listed) == (True, False)
        nsunit("volume", "list")
        nsunit("image", "prune")
        assert f"{STATE}/.incoming/gone" in nsunit("doctor", "--check", check=False).stdout
        nsunit("doctor", "--repair")
        assert nsunit("doctor", "--check").stdout == "nothing is left\n"
        nsunit("stop", "--now", box.name)
        nsunit("rm", box.name, *names)
    finally:
        run("umount", str(STATE))


def test_what_is_mounted_in_a_state_stays(containers, nsunit, run, text, tmp_path):
    """It cannot be renamed, and its files are no container's to remove; that is told before anything is done."""
    box = written(containers, text)
    nsunit("stop", "--now", box.name)
    other, state = containers.own(f"{box.name}-other"), STATE / box.name
    nsunit("export", box.name, str(tmp_path / "archive"))
    (tmp_path / "disk/directory").mkdir(parents=True)
    (tmp_path / "disk/directory/file").write_text("kept\n")
    for place, words in (
        (state, (("rename", box.name, other), ("rm", box.name))),
        (state / "overlay", (("import", "--force", str(tmp_path / "archive")), ("rm", box.name))),
    ):
        run("mount", "--bind", str(tmp_path / "disk"), str(place))
        try:
            for command in words:
                refused = nsunit(*command, check=False)
                assert refused.returncode == 1
                assert refused.stderr.splitlines() == [
                    f"nsunit: {box.name}: something is mounted at '{place}', where its state is",
                    f"  hint: 'umount {place}' first",
                ]
        finally:
            run("umount", str(place))
    (tmp_path / "top/point").mkdir(parents=True)
    run("mount", "--bind", str(tmp_path / "disk"), str(tmp_path / "top/point"))
    try:
        with pytest.raises(OSError, match="Device or resource busy"):
            files.remove_tree(str(tmp_path / "top"))
    finally:
        run("umount", str(tmp_path / "top/point"))
    assert (tmp_path / "disk/directory/file").read_text() == "kept\n"
    nsunit("rm", box.name)


def test_layers_on_a_file_system_of_their_own(nsunit, run):
    layers = Path("/var/lib/nsunit/images/layers")
    layers.mkdir(mode=0o700, parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", str(layers))
    try:
        nsunit("image", "import", "--name", "apart", "/srv/roots/busybox")
        assert [path.name for path in layers.glob(".staging/*")] == []
        nsunit("image", "rm", "apart")
        (layers / ".staging/gone").mkdir()
        assert f"{layers}/.staging/gone" in nsunit("doctor", "--check", check=False).stdout
    finally:
        run("umount", str(layers))
