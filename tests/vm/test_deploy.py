"""`nsunit deploy`: to a second system, which is a container with systemd, nsunit and sshd, and to directories."""

import json
import os
import random
import signal
import struct
import subprocess
import tarfile
import uuid
from pathlib import Path

import oci
import pytest
from schema import mistakes
from sshd import installed
from test_images import STORE, busybox, image_id, lowers
from waiting import wait_until

pytestmark = [
    pytest.mark.once("what two nsunits say to each other, whatever systemd is behind them"),
    pytest.mark.usefixtures("real_system"),
]
# It has as many ids as a host, so that its containers find theirs, and nothing of what this one has of nsunit's.
SYSTEM = """[Container]
Layer=/
Volatile=yes
Boot=yes
Nesting=yes
Network=bridge
UIDMap=0 2147483648 2000000000
GIDMap=0 2147483648 2000000000
Tmpfs=/var/lib/nsunit:mode=0700
Tmpfs=/etc/nsunit:mode=0755
BindReadOnly=/dev/null:/etc/systemd/system/test-agent.service
[Service]
TimeoutStartSec=100
TimeoutStopSec=100
"""
SCHEMA = json.loads(Path("/usr/share/nsunit/schema.json").read_text())
DEFINITION = "[Container]\nImage={}\nExec=/bin/sh -c 'cat /srv/version >/srv/said; exec sleep 1000000'\n{}"
NO_IMAGE = {"image": "", "config": "", "names": [], "digest": "", "layers": [], "state": False, "force": False}
MANY, EACH = 40, 50_000  # files of a layer, and bytes in each
CHANGED = 7
CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0).decode("utf-8", "surrogateescape")


class Other:
    """The second system, and how it is reached."""

    def __init__(self, container, nsunit) -> None:
        self.container, self.nsunit = container, nsunit
        shown = json.loads(container.exec("ip", "-j", "-4", "addr", "show", "eth0").stdout)
        self.host = f"root@{shown[0]['addr_info'][0]['local']}"

    def __call__(self, *words, **options):
        return self.nsunit("-H", self.host, *words, **options)

    def sh(self, command: str) -> str:
        return self.container.exec("sh", "-c", command).stdout

    def deploy(self, name: str, *words: str):
        """What `deploy` tells."""
        found = json.loads(self.nsunit("--json", "deploy", name, self.host, *words).stdout)
        assert mistakes(found, SCHEMA["properties"]["deploy"], SCHEMA["$defs"]) == []
        return found[0]

    def refuses(self, name: str, *words: str):
        """The error lines, without the hints."""
        done = self.nsunit("deploy", name, self.host, *words, check=False)
        assert done.returncode != 0, done.stdout
        return [line for line in done.stderr.splitlines() if not line.startswith(("  hint", "nsunit: warning"))]

    def says(self, name: str) -> str:
        wait_until(lambda: self("exec", name, "cat", "/srv/said", check=False).stdout.strip())
        return self("exec", name, "cat", "/srv/said").stdout.strip()


@pytest.fixture(scope="module")
def other(shared, run, nsunit):
    with installed(run):
        container = shared.start(SYSTEM, "second")
        yield Other(container, nsunit)
        nsunit("rm", "--force", "second")


class Versions:
    """Images of one name with the same layer of a program, and one of many files of which the first say the version."""

    def __init__(self, place: Path, nsunit) -> None:
        self.nsunit, self.place = nsunit, place / uuid.uuid4().hex[:8]
        self.name = f"localhost/{self.place.name}:1"
        made = random.Random(1)
        self.many = [made.randbytes(EACH) for _ in range(MANY)]
        self.base = busybox(oci.directory("old"), oci.file("old/a", "1"), oci.file("gone", "2"))

    def make(self, version: str, *more) -> str:
        self.many[CHANGED] = random.Random(version).randbytes(EACH)
        files = [oci.entry(f"srv/file{number}", data=data) for number, data in enumerate(self.many)]
        marks = [
            *(oci.file(".wh.gone"), oci.directory("old", mode=0o2750, uid=7), oci.file("old/.wh..wh..opq")),
            oci.file(
                "old/b", "x" * 2000, mode=0o4755, uid=33, pax_headers={"SCHILY.xattr.security.capability": CAPABILITY}
            ),
            *(
                oci.hard("srv/hard", "srv/file1"),
                oci.link("srv/link", "file1"),
                oci.file("srv/tab\tand\nline", "y" * 3000),
            ),
            oci.entry("srv/fifo", tarfile.FIFOTYPE),
        ]
        layers = [self.base, [oci.file("srv/version", version), *files, *marks], *more]
        layout = oci.Layout(self.place / uuid.uuid4().hex[:8])
        layout.image([oci.archive(layer) for layer in layers])
        self.nsunit("image", "import", f"oci:{layout.path}:latest", "--name", self.name)
        return image_id(self.name)


@pytest.fixture
def versions(workplace, nsunit, containers, other):
    yield Versions(workplace, nsunit)
    containers.clean()
    nsunit("image", "prune", "--all", "--force")
    names = [item["name"] for item in json.loads(other("list", "--all", "--json").stdout)]
    if names:
        other("rm", "--force", "--definition", *names)
    other("image", "prune", "--all", "--force")
    assert other("doctor", "--check").stdout == "nothing is left\n"


def catalogs(name: str) -> dict[str, str]:
    return {path.parent.name: (path.parent / "files").read_text() for path in lowers(name)}


@pytest.mark.kernel("nftables")
def test_only_what_is_missing_travels(versions, containers, other):
    identity = versions.make("one")
    name = containers.define(DEFINITION.format(versions.name, ""), extra="[Container]\nEnvironment=A=b\n")
    found = other.deploy(name)
    assert (found["state"], found["layers"], found["sent"], found["to"]) == ("started", 2, 2, other.host)
    assert found["bytes"] > MANY * EACH
    assert other.says(name) == "one"
    assert other("image", "check").stdout == "nothing is wrong\n"
    assert other.sh(f"readlink {STORE}/names/{versions.name.replace('/', '+')}").strip().endswith(identity)
    for chain, catalog in catalogs(versions.name).items():
        assert other.sh(f"cat {STORE}/layers/{chain}/files") == catalog
    assert other.sh(f"cat /etc/nsunit/{name}.nsunit.d/extra.conf") == "[Container]\nEnvironment=A=b\n"
    assert other("exec", name, "sh", "-c", "ls /old; ls /gone 2>&1; stat -c %h /srv/hard").stdout.splitlines() == [
        *("b", "ls: /gone: No such file or directory", "2")
    ]

    again = other.deploy(name)
    assert (again["state"], again["sent"], again["bytes"] < 10_000) == ("running", 0, True)

    versions.make("two")
    whole = other.deploy(name)
    assert (whole["state"], whole["sent"], other.says(name)) == ("updated", 1, "two")
    assert whole["bytes"] > MANY * EACH
    versions.make("three")
    delta = other.deploy(name, "--delta")
    assert (delta["state"], delta["sent"], other.says(name)) == ("updated", 1, "three")
    assert EACH < delta["bytes"] < 2 * EACH + 30_000
    assert other("image", "check").stdout == "nothing is wrong\n"
    for chain, catalog in catalogs(versions.name).items():
        assert other.sh(f"cat {STORE}/layers/{chain}/files") == catalog
    assert other("rollback", name).stdout.startswith(f"{name}: rolled back")
    assert other.says(name) == "two"


@pytest.mark.kernel("nftables")
def test_what_does_not_come_up_goes_back(versions, containers, other):
    good = versions.make("good")
    name = containers.define(DEFINITION.format(versions.name, ""))
    other.deploy(name)
    bad = versions.make("bad", [oci.file("bin/.wh.sh")])
    (line,) = other.refuses(name)
    assert line.startswith(f"nsunit: {other.host}: {name}: not with the image {bad[:12]}: ")
    assert line.endswith(f"; it runs {good[:12]} again")
    assert other.says(name) == "good"

    versions.make("good")
    path, before = f"/etc/nsunit/{name}.nsunit", other.sh(f"cat /etc/nsunit/{name}.nsunit")
    Path(path).write_text(f"[Container]\nImage={versions.name}\nExec=/bin/none\n")
    (line,) = other.refuses(name)
    assert line.startswith(f"nsunit: {other.host}: {name}: not with the new definition: ")
    assert line.endswith("; it runs as before")
    assert (other.says(name), other.sh(f"cat {path}")) == ("good", before)

    Path(path).write_text(DEFINITION.format(versions.name, "Environment=NEW=1\n"))
    assert other.deploy(name, "--enable")["state"] == "restarted"
    assert other("exec", name, "env").stdout.count("NEW=1") == 1
    assert other.sh(f"ls /etc/systemd/system/nsunit-{name}.service")
    other("disable", name)


@pytest.mark.kernel("nftables")
def test_nothing_is_overwritten_or_taken_for_granted(versions, containers, other, nsunit):
    versions.make("one")
    name = containers.define(DEFINITION.format(versions.name, "Bind=/run/none-such:/mnt\nVolume=kept:/data\n"))
    Path("/run/none-such").mkdir()
    try:
        done = nsunit("deploy", name, other.host, check=False)
    finally:
        Path("/run/none-such").rmdir()
    where = "Bind=/run/none-such:/mnt: the directory is not sent, what is there by that name is used"
    assert f"nsunit: warning: {name}: {where}\n" in done.stderr
    assert "Volume=kept:/data: the volume is not sent, an empty one if there is none there\n" in done.stderr
    assert f"nsunit: {other.host}: {name}: Bind=: '/run/none-such' does not exist\n" in done.stderr
    assert (done.returncode, other.sh("ls /etc/nsunit")) == (1, "")
    assert other("image", "list", "--json").stdout.strip() == "[]"

    path = Path(f"/etc/nsunit/{name}.nsunit")
    path.write_text(DEFINITION.format(versions.name, "Network=nowhere\n"))
    (line,) = other.refuses(name)
    assert line.startswith(f"nsunit: {other.host}: ") and "'nowhere' is not defined" in line

    path.write_text(DEFINITION.format(versions.name, ""))
    other.sh(f"echo '[Container]\nExec=/bin/mine' >{path}")
    taken = f"nsunit: {other.host}: {name}: '{path}' is there, and did not come by deploy, or was changed since"
    assert other.refuses(name) == [taken]
    assert "mine" in other.sh(f"cat {path}")
    other.deploy(name, "--force")
    assert other.says(name) == "one"
    other.sh(f"echo '# by hand' >>{path}")
    path.write_text(DEFINITION.format(versions.name, "Environment=NEW=1\n"))
    assert other.refuses(name) == [taken]


@pytest.mark.kernel("nftables")
def test_hosts_that_cannot_be_deployed_to(versions, containers, other, nsunit):
    versions.make("one")
    name = containers.define(DEFINITION.format(versions.name, ""))
    other.sh("mv /usr/bin/nsunit /usr/bin/hidden")
    try:
        assert other.refuses(name)[-1] == f"nsunit: {other.host}: nsunit is not installed there"
    finally:
        other.sh("mv /usr/bin/hidden /usr/bin/nsunit")
    done = nsunit("deploy", name, f"{other.host}:9", check=False)
    assert (done.returncode, "the connection by ssh has failed" in done.stderr) == (255, True)
    done = subprocess.run(
        ["runuser", "-u", "nobody", "--", "nsunit", "deploy", "--receive"],
        input=json.dumps({"name": name, "texts": [[f"definition/{name}.nsunit", "[Container]\nLayer=/\n"]], **NO_IMAGE})
        + "\n",
        capture_output=True,
        text=True,
    )
    said = json.loads(done.stdout.splitlines()[-1])
    assert "Permission denied" in said["error"] and "as root" in said["hint"]
    other.sh("printf '%s\\n' 'echo noise from a profile' 'echo' >/root/.bashrc")
    try:
        assert other.deploy(name)["state"] == "started"
    finally:
        other.sh("rm /root/.bashrc")


@pytest.mark.kernel("nftables")
def test_what_it_has_written_goes_along(versions, containers, other, nsunit):
    versions.make("one")
    container = containers.start(DEFINITION.format(versions.name, ""))
    nsunit("exec", container.name, "sh", "-c", "echo mine >/srv/mine")
    assert other.deploy(container.name, "--state")["state"] == "started"
    assert other("exec", container.name, "cat", "/srv/mine").stdout == "mine\n"
    assert other.refuses(container.name, "--state")[0].endswith("runs, and what it has written stays")
    assert other.deploy(container.name)["state"] == "running"
    other("stop", container.name)
    assert other.refuses(container.name, "--state")[0].endswith("there is the state of a container of that name")
    nsunit("exec", container.name, "sh", "-c", "echo more >>/srv/mine")
    assert other.deploy(container.name, "--state", "--force")["state"] == "started"
    assert other("exec", container.name, "cat", "/srv/mine").stdout == "mine\nmore\n"


def test_nothing_is_said_of_layers_without_an_image(containers, nsunit, workplace):
    name = containers.define("[Container]\nLayer=/\nExec=/bin/none\n")
    assert nsunit("deploy", name, f"{workplace}/plain/").stdout == f"{name}: written, {workplace}/plain\n"


@pytest.mark.kernel("nftables")
def test_a_directory_takes_it_where_no_ssh_goes(versions, containers, nsunit, workplace):
    identity = versions.make("one")
    container = containers.start(DEFINITION.format(versions.name, ""))
    name, place = container.name, workplace / uuid.uuid4().hex[:8]
    found = json.loads(nsunit("--json", "deploy", name, f"{place}/").stdout)[0]
    assert (found["state"], found["sent"], found["to"]) == ("written", 2, str(place))
    again = nsunit("deploy", name, str(place)).stdout
    assert again == f"{name}: written, {place}: none of 2 layers sent, 0B\n"
    chains = {path.parent.name for path in lowers(versions.name)}
    assert {path.name for path in (place / "layers").iterdir()} == {f"{chain}.tar" for chain in chains}
    nsunit("rm", "--force", "--definition", name)
    nsunit("image", "prune", "--all", "--force")
    assert not (STORE / "images" / identity).exists()

    some = next((place / "layers").iterdir())
    content = some.read_bytes()
    some.write_bytes(content.replace(b"busybox", b"BUSYBOX", 1).replace(b"file3", b"FILE3", 1))
    done = nsunit("deploy", str(place), check=False)
    assert (done.returncode, done.stderr.count("\n") <= 2) == (1, True)
    assert not any((STORE / "layers").iterdir()) and not any((STORE / "staging").iterdir())
    some.write_bytes(content)
    assert nsunit("deploy", str(place)).stdout.startswith(f"{name}: started, {place}: 2 of 2 layers sent, ")
    assert image_id(versions.name) == identity
    assert nsunit("image", "check").stdout == "nothing is wrong\n"
    done = nsunit("deploy", f"{workplace}/", check=False)
    assert (done.returncode, "nothing that was deployed lies in" in done.stderr) == (2, True)


@pytest.mark.kernel("nftables")
def test_networks_and_groups_go_along_and_secrets_are_missed_before(versions, containers, nsunit, workplace):
    identity = versions.make("one")
    name = containers.define("")
    texts = {f"{name}.network": "[Network]\nInternal=yes\n", f"{name}.slice": "[Slice]\nTasksMax=99\n"}
    files = {Path(f"/etc/nsunit/{item}.nsunit"): text for item, text in texts.items()}
    definition, place = Path(f"/etc/nsunit/{name}.nsunit"), workplace / uuid.uuid4().hex[:8]
    secret = Path(f"/etc/credstore/{name}")
    secret.parent.mkdir(mode=0o700, exist_ok=True)
    secret.write_text("hush")
    for path, text in files.items():
        path.write_text(text)
    try:
        definition.write_text(DEFINITION.format(versions.name, f"Network={name}\nSlice={name}\nSecret={name}\n"))
        done = nsunit("deploy", name, f"{place}/")
        assert f"Secret={name}: the secret is not sent" in done.stderr
        assert "Network=" not in done.stderr and "Slice=" not in done.stderr
        nsunit("rm", "--force", "--definition", name, check=False)
        nsunit("image", "prune", "--all", "--force")
        for path in (*files, secret):
            path.unlink()
        done = nsunit("deploy", str(place), check=False)
        assert (done.returncode, f"there is no credential '{name}'" in done.stderr) == (1, True)
        assert not (STORE / "images" / identity).exists() and not any(path.exists() for path in (*files, definition))

        secret.write_text("hush")
        nsunit("deploy", str(place))
        assert {path: path.read_text() for path in files} == files
        assert containers.of(name).show("TasksMax", unit=f"nsunit-{name}.slice")["TasksMax"] == "99"
        # What is there by that name stays, and that it is something else is told.
        nsunit("rm", "--force", name)
        group = next(path for path in files if path.name.endswith(".slice.nsunit"))
        group.write_text("[Slice]\nTasksMax=98\n")
        done = nsunit("deploy", str(place))
        assert f"'{name}.slice' is there, and is not what it is here; that one is used" in done.stderr
        assert group.read_text() == "[Slice]\nTasksMax=98\n"
    finally:
        nsunit("rm", "--force", "--definition", name, check=False)
        for path in (*files, secret):
            path.unlink(missing_ok=True)


@pytest.mark.kernel("nftables")
def test_who_gets_it_is_killed(versions, containers, nsunit, workplace, tidy):
    """With a part of a layer, and with all of it: the next deploy finds no trace, and goes on."""
    versions.make("one")
    name, place = containers.define(DEFINITION.format(versions.name, "")), workplace / uuid.uuid4().hex[:8]
    nsunit("deploy", name, str(place))
    offer = json.loads((place / f"{name}.json").read_text())
    nsunit("rm", "--force", "--definition", name, check=False)
    nsunit("image", "prune", "--all", "--force")
    for number in (signal.SIGKILL, signal.SIGTERM, 0):
        with subprocess.Popen(["nsunit", "deploy", "--receive"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peer:
            assert json.loads(peer.stdout.readline())["nsunit-deploy"] == 1
            peer.stdin.write(json.dumps(offer).encode() + b"\n")
            peer.stdin.flush()
            assert len(json.loads(peer.stdout.readline())["lacks"]) == 2
            peer.stdin.write(struct.pack("!I", 512) + bytes(512) + b"\0")
            peer.stdin.flush()
            wait_until(lambda: any(path.stat().st_size for path in (STORE / "staging").glob("*/*.tar")))
            if number:
                os.kill(peer.pid, number)
                peer.wait()
            peer.stdin.close()
        left = list((STORE / "staging").iterdir())
        assert len(left) == (number == signal.SIGKILL)
        assert not any((STORE / "layers").iterdir()) and not Path(f"/etc/nsunit/{name}.nsunit").exists()
        if left:
            assert "who was bringing something in is gone" in nsunit("doctor", "--check", check=False).stdout
            nsunit("doctor", "--repair")
    assert nsunit("deploy", str(place)).stdout.startswith(f"{name}: started, {place}: 2 of 2 layers sent, ")
