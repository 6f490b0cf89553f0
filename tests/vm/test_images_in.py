"""Images from registries, fetched by skopeo from a real one: at a start, by name, and only what is missing."""

import json
import os
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import oci
import pytest
from registry import PASSWORD, USER, Registry, registry
from test_images import STORE, busybox, image_id, images, lowers, merged_listing

ANYWHERE = pytest.mark.anywhere("what skopeo and nsunit's store make of an image")

__all__ = ["images"]  # the fixture
pytestmark = pytest.mark.usefixtures("real_system")
POLICY = Path("/etc/containers/policy.json")
SKOPEO = """#!/bin/sh
touch /etc/outside /var/lib/nsunit/outside $TMPDIR/inside 2>/dev/null
[ -e /etc/outside ] || [ -e /var/lib/nsunit/outside ] || ! [ -e $TMPDIR/inside ] || { echo confined >&2; exit 1; }
echo free >&2
exit 1
"""
NAMES = Path("/etc/containers/registries.conf.d/tests-names.conf")


@pytest.fixture(scope="module")
def remote(workplace: Path) -> Iterator[Registry]:
    place = workplace / "registry-of-images"
    place.mkdir()
    with registry(place, 5055) as made:
        yield made


def inspected(run, name: str):
    return json.loads(run("nsunit", "image", "inspect", name, "--json").stdout)[0]


@ANYWHERE
@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_only_missing_layers_are_fetched(images, remote, run, form):
    """Of an image that shares its base the new layer alone; of one that is here nothing."""
    base = [*busybox(), oci.file("base", form + os.urandom(200_000).hex())]
    first = images.layout([base, [oci.file("one", "1")]])
    second = images.layout([base, [oci.file("two", "2")]], Cmd=["/bin/cat", "/two"])
    names = [
        remote.push(f"oci:{path}:latest", f"{form}/{number}:1", "--format", form)
        for number, path in (("first", first), ("second", second))
    ]
    remote.sent()
    done = run("nsunit", "image", "pull", names[0])
    assert f"{names[0]}: layer 2 of 2 is fetched" in done.stderr
    assert "2 layers, all new" in done.stdout
    everything = remote.sent()
    assert sum(everything.values()) > 200_000
    done = run("nsunit", "image", "pull", names[1])
    assert f"{names[1]}: 1 of 2 layers are here already\n" in done.stderr
    assert "2 layers, 1 of them new" in done.stdout
    sent = remote.sent()
    assert sum(sent.values()) < 3000
    assert not set(sent) & set(everything)
    assert lowers(names[0])[1] == lowers(names[1])[1]
    wanted = oci.expected(oci.merged([base, [oci.file("two", "2")]]))
    assert oci.differences(wanted, merged_listing(names[1], images.place / "merged")) == []
    assert run("nsunit", "run", "-p", f"Image={names[1]}").stdout == "2"
    again = run("nsunit", "image", "pull", names[1])
    assert ("none of them new" in again.stdout, again.stderr, remote.sent()) == (True, "", {})
    # What skopeo itself says of it.
    manifest = run("skopeo", "inspect", "--raw", f"docker://{names[1]}").stdout
    shown = inspected(run, names[1])
    assert shown["digest"] == oci.digest(manifest.encode())
    assert shown["id"] == json.loads(manifest)["config"]["digest"].removeprefix("sha256:")
    assert f"{names[1].rpartition(':')[0]}@{shown['digest']}" in shown["names"]
    assert run("nsunit", "image", "check").returncode == 0
    assert os.listdir(STORE / "staging") == []


@ANYWHERE
def test_a_start_fetches_as_pull_says(images, remote, define, containers, run):
    pulled = f"pulled-{os.urandom(4).hex()}:1"

    def push(text: str) -> str:
        layout = images.layout([busybox(), [oci.file("version", text)]], Cmd=["/bin/cat", "/version"])
        return remote.push(f"oci:{layout}:latest", pulled)

    def version(pull: str, **options):
        return run("nsunit", "run", "-p", f"Image={name}", "-p", f"Pull={pull}", **options)

    name = push("1")
    done = version("never", check=False)
    assert (done.returncode, f"[Container] Image=: there is no image '{name}'" in done.stderr) == (125, True)
    container = define(f"[Container]\nImage={name}\n")
    run("nsunit", "render", container, check=False)
    assert run("nsunit", "image", "inspect", name, check=False).returncode == 3
    assert version("missing").stdout == "1"
    push("2")
    remote.sent()
    assert version("missing").stdout == "1"
    assert version("never").stdout == "1"
    assert remote.sent() == {}
    assert version("newer").stdout == "2"
    push("3")
    assert version("always").stdout == "3"
    remote.stop()
    try:
        assert version("missing").stdout == "3"
        kept = version("newer")
        assert kept.stdout == "3"
        assert "warning: " in kept.stderr
        assert "it starts with the image that is here: " in kept.stderr
        failed = version("always", check=False)
        assert failed.returncode == 125
        assert f"[Container] Image=: '{name}' cannot be fetched: " in failed.stderr
        assert "connection refused" in failed.stderr
        assert len(failed.stderr.splitlines()) == 2
        run("nsunit", "image", "rm", name)
        failed = run("nsunit", "start", container, check=False)
        assert f"nsunit: {container}: [Container] Image=: '{name}' cannot be fetched: " in failed.stderr
        assert not os.path.exists(f"/var/lib/nsunit/containers/{container}")
    finally:
        remote.start()
    waiting = containers.of(define(f"[Container]\nImage={name}\nExec=/bin/sleep 9999\n"))
    run("nsunit", "enable", "--now", waiting.name)
    assert (waiting.root / "version").read_text() == "3"
    run("nsunit", "disable", "--now", waiting.name)


@ANYWHERE
def test_names_are_what_registries_conf_says(images, remote, run):
    """An alias, or the registries that are searched; what it is called in the store leads to it afterwards."""
    layout = images.layout([busybox()], Cmd=["/bin/pwd"])
    full = remote.push(f"oci:{layout}:latest", "deep/in/there:2")
    try:
        NAMES.write_text(f'[aliases]\n"short" = "{remote.host}/deep/in/there"\n')
        run("nsunit", "image", "pull", "short:2")
        assert inspected(run, full)["names"][0] == full
        for pull in ("never", "newer", "always"):  # of the registry that it came from
            assert run("nsunit", "run", "-p", "Image=there:2", "-p", f"Pull={pull}").stdout == "/\n"
        run("nsunit", "image", "rm", "in/there:2")
        NAMES.write_text(f'unqualified-search-registries = ["{remote.host}"]\n')
        assert run("nsunit", "run", "-p", "Image=deep/in/there:2").stdout == "/\n"
        run("nsunit", "image", "rm", full)
        search = f'unqualified-search-registries = ["localhost:1", "{remote.host}"]\n'
        NAMES.write_text(f'{search}short-name-mode = "enforcing"\n')
        done = run("nsunit", "image", "pull", "deep/in/there:2", check=False)
        assert f"'deep/in/there:2' may be localhost:1/deep/in/there:2 or {full}\n" in done.stderr
        NAMES.write_text(search)
        done = run("nsunit", "image", "pull", "deep/in/there:2")
        assert "'localhost:1/deep/in/there:2' cannot be fetched" in done.stderr
        assert full in done.stdout
        NAMES.write_text("[aliases\n")
        done = run("nsunit", "image", "pull", "x", check=False)
        assert (done.returncode, f"nsunit: {NAMES}: " in done.stderr) == (1, True)
    finally:
        NAMES.unlink(missing_ok=True)


@ANYWHERE
def test_one_of_an_index_by_platform_and_digest(images, remote, run):
    place = images.place / "index"
    layout = oci.Layout(place)
    machines = (("amd64", ""), ("arm", "v7"), ("arm", "v5"), ("arm", "v6"))
    for number, (machine, variant) in enumerate(machines):
        layout.image([busybox_of(f"{machine}{variant}")], f"t{number}")
        layout.manifests[number]["platform"] = {"os": "linux", "architecture": machine, "variant": variant}
    kind = "application/vnd.oci.image.index.v1+json"
    index = layout.blob(json.dumps({"mediaType": kind, "manifests": layout.manifests}).encode(), kind)
    layout.manifests = [index]
    layout.write()
    full = remote.push(f"oci:{place}", "index:1", "--all")
    for wanted, found in (("", "amd64"), ("linux/arm/v6", "armv6"), ("linux/arm/v8", "armv7"), ("linux/arm", "armv7")):
        run("nsunit", "image", "pull", full, *(["--platform", wanted] if wanted else []))
        assert (lowers(full)[0] / "machine").read_text() == found
    index = run("skopeo", "inspect", "--raw", f"docker://{full}").stdout  # skopeo writes it anew
    by_digest = f"{full.rpartition(':')[0]}@{oci.digest(index.encode())}"
    run("nsunit", "image", "pull", by_digest)
    assert (lowers(by_digest)[0] / "machine").read_text() == "amd64"
    done = run("nsunit", "image", "pull", full, "--platform", "linux/s390x", check=False)
    assert "it has no image for 'linux/s390x'" in done.stderr
    assert "linux/amd64, linux/arm/v5" in done.stderr


def busybox_of(machine: str) -> bytes:
    return oci.archive([oci.file("machine", machine)])


@ANYWHERE
def test_what_cannot_be_fetched_is_said_in_a_line(images, remote, run):
    """Unknown names, refused signatures, credentials that are told in another place or are wrong, no skopeo."""
    layout = images.layout([busybox()])
    full = remote.push(f"oci:{layout}:latest", "refused/one:1")
    before = POLICY.read_bytes()

    def said(name: str, **options) -> str:
        done = run("nsunit", "image", "pull", name, check=False, **options)
        assert done.returncode == 1
        first, hint = done.stderr.splitlines()[-2:]
        assert hint.startswith("  hint: ")
        return first

    assert said(f"{remote.host}/missing:1").startswith(f"nsunit: '{remote.host}/missing:1' cannot be fetched: ")
    policy = {"default": [{"type": "insecureAcceptAnything"}]}
    policy["transports"] = {"docker": {f"{remote.host}/refused": [{"type": "reject"}]}}
    try:
        POLICY.write_text(json.dumps(policy))
        assert "is rejected by policy" in said(full)
    finally:
        POLICY.write_bytes(before)
    remote.logout()
    try:
        assert "authentication required" in said(full)
        for password, variable in (
            (PASSWORD, "REGISTRY_AUTH_FILE"),
            (PASSWORD, "DOCKER_CONFIG"),
            ("wrong", "DOCKER_CONFIG"),
        ):
            place = images.place / f"{variable}-{password}"
            place.mkdir(mode=0o700)
            own = {"auths": {remote.host: {"auth": b64encode(f"{USER}:{password}".encode()).decode()}}}
            (place / "config.json").write_text(json.dumps(own))
            (place / "config.json").chmod(0o600)
            told = place if variable == "DOCKER_CONFIG" else place / "config.json"
            environment = os.environ | {variable: str(told)}
            if password != PASSWORD:
                assert "authentication required" in said(full, env=environment)
                continue
            run("nsunit", "image", "pull", full, env=environment)
            run("nsunit", "image", "tag", full, f"{remote.host}/refused/by-{variable.lower()}:1")
            run("nsunit", "image", "push", f"{remote.host}/refused/by-{variable.lower()}:1", env=environment)
            run("nsunit", "image", "rm", full, f"{remote.host}/refused/by-{variable.lower()}:1")
    finally:
        remote.login()
    (images.place / "skopeo").write_text(SKOPEO)
    (images.place / "skopeo").chmod(0o755)
    assert said(full, env=os.environ | {"PATH": str(images.place)}).endswith(": confined")
    os.rename("/usr/bin/skopeo", "/usr/bin/skopeo.away")
    try:
        assert "skopeo, which is not installed" in said(full)
    finally:
        os.rename("/usr/bin/skopeo.away", "/usr/bin/skopeo")
    run("nsunit", "image", "pull", full)
    assert image_id(full)
    assert os.listdir(STORE / "staging") == []


@ANYWHERE
def test_images_of_podmans_store(images, run):
    layers = [[*busybox()], [oci.file("from", "podman")]]
    layout = images.layout(layers, Cmd=["/bin/cat", "/from"])
    name = "localhost/of-podman:1"
    run("skopeo", "copy", "--quiet", f"oci:{layout}:latest", f"containers-storage:{name}")
    try:
        run("nsunit", "image", "import", f"containers-storage:{name}")
        assert inspected(run, name)["source"] == f"containers-storage:{name}"
        listing = merged_listing(name, images.place / "merged")
        assert oci.differences(oci.expected(oci.merged(layers)), listing) == []
        assert run("nsunit", "run", "-p", f"Image={name}").stdout == "podman"
        done = run("nsunit", "image", "import", "containers-storage:localhost/missing", check=False)
        assert "'containers-storage:localhost/missing' cannot be fetched: " in done.stderr
    finally:
        run("podman", "rmi", name)


def test_a_root_as_it_is(images, run):
    """A directory, or a machine's: all of it but sockets, with owners, attributes and links."""
    place = Path("/var/lib/machines/tests-root")
    wanted = {}
    place.mkdir(parents=True)
    try:
        (place / "etc").mkdir(mode=0o751)
        (place / "etc/a").write_text("a" * 9000)
        os.chown(place / "etc/a", 33, 34)
        os.link(place / "etc/a", place / "etc/again")
        (place / "etc/odd \n'name").symlink_to("nowhere")
        os.setxattr(place / "etc/a", "user.note", b"x")
        os.mkfifo(place / "etc/pipe")
        (place / "bin").mkdir()
        (place / "bin/busybox").write_bytes(Path("/srv/roots/busybox/bin/busybox").read_bytes())
        (place / "bin/busybox").chmod(0o4755)
        wanted = oci.listing(place)
        for source, name in ((str(place), "tests-root"), ("machine:tests-root", "tests-root"), (f"root:{place}", "x")):
            run("nsunit", "image", "import", source, "--name", name)
            full = f"localhost/{name}:latest"
            assert oci.differences(wanted, oci.listing(lowers(full)[0])) == []
        run("nsunit", "image", "import", "machine:tests-root")
        said = "busybox echo works"
        assert (
            run("nsunit", "run", "-p", "Image=localhost/tests-root", "--", "/bin/busybox", "echo", said).stdout
            == f"{said}\n"
        )
    finally:
        run("rm", "-rf", str(place))
    done = run("nsunit", "image", "import", "machine:missing", check=False)
    assert (done.returncode, "there is no machine 'missing' in /var/lib/machines" in done.stderr) == (3, True)
    done = run("nsunit", "image", "import", "root:/missing", check=False)
    assert (done.returncode, "'/missing' is no directory" in done.stderr) == (2, True)


def test_layers_of_systemds_own(images, run):
    """Whiteouts of overlayfs and plain ones, marks on directories, the order of versions, and what was written."""
    place = images.place / "stack.mstack"
    shared = images.place / "shared"
    for directory in ("etc", "gone", "hidden"):
        (shared / directory).mkdir(parents=True)
        (shared / directory / "lower").write_text("lower")
    (place / "rw/data").mkdir(parents=True)
    (place / "rw/work").mkdir()
    (place / "layer@0").symlink_to(shared)
    (place / "layer@9/etc").mkdir(parents=True)
    (place / "layer@9/etc/nine").write_text("9")
    (place / "layer@9/.wh.gone").touch()  # as importctl pull-oci leaves it
    (place / "layer@10/hidden").mkdir(parents=True)
    (place / "layer@10/hidden/upper").write_text("10")
    os.setxattr(place / "layer@10/hidden", "user.overlay.opaque", b"y")
    os.makedirs(place / "layer@10/etc")
    os.mknod(place / "layer@10/etc/nine", 0o020000)
    (place / "rw/data/written").write_text("w")
    (place / "bind@srv").mkdir()
    config = {"config": {"Cmd": ["/bin/ten"], "Env": ["A=b"]}}
    (images.place / "stack.oci-config").write_text(json.dumps(config))
    done = run("nsunit", "image", "import", str(place), "--name", "localhost/stack")
    assert f"warning: '{place}/bind@srv' is left out: it is no layer" in done.stderr
    found = merged_listing("localhost/stack:latest", images.place / "merged")
    assert sorted(found) == [b"", b"etc", b"etc/lower", b"hidden", b"hidden/upper", b"written"]
    assert "Cmd:          /bin/ten" in run("nsunit", "image", "inspect", "stack").stdout
    (place / "root").mkdir()
    done = run("nsunit", "image", "import", str(place), check=False)
    assert "has a root of its own, with layers for /usr alone" in done.stderr


@pytest.fixture
def encrypted(images, run) -> Iterator[Registry]:
    """A registry with TLS, which the system trusts."""
    place = images.place / "registry-with-tls"
    place.mkdir()
    certificate = Path("/usr/local/share/ca-certificates/tests-registry.crt")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(place / "key")]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    run("openssl", "req", "-x509", "-days", "2", *key, *names, "-out", str(certificate))
    run("update-ca-certificates")
    made = Registry(place, 5058)
    made.host = "localhost:5058"
    tls = f"tls: {{certificate: {certificate}, key: {place}/key}}"
    text = (place / "config.yml").read_text().partition("auth:")[0]
    (place / "config.yml").write_text(text.replace(":5058}", f":5058, {tls}}}"))
    try:
        made.start()
        made.settings.unlink()  # which says that it is insecure
        yield made
    finally:
        made.stop()
        certificate.unlink()
        run("update-ca-certificates", "--fresh")


def test_what_importctl_has_pulled(images, run, request):
    """systemd's own tool leaves whiteouts as plain files, and hides the layers from who lists machines."""
    if "pull-oci" not in run("importctl --help", check=False).stdout:  # by a shell: systemd 252 has none at all
        assert int(run("systemctl", "--version").stdout.split()[1]) < 260
        return
    remote = request.getfixturevalue("encrypted")
    layers = [
        [*busybox(), oci.directory("gone"), oci.file("gone/file", "x")],
        [oci.file(".wh.gone", ""), oci.file("said", "pulled\n")],
    ]
    path = images.layout(layers, Cmd=["-c", "cat /said; ls -d /gone"], Entrypoint=["/bin/sh"])
    name = remote.push(f"oci:{path}:latest", "pulled:1")
    machines = Path("/var/lib/machines")
    before = set(machines.iterdir())
    try:
        run("importctl", "pull-oci", "--class=machine", name, "tests-pulled")
        run("nsunit", "image", "import", "machine:tests-pulled")
        done = run("nsunit", "run", "-p", "Image=localhost/tests-pulled", check=False)
        assert (done.stdout, done.returncode) == ("pulled\n", 1)
        done = run("nsunit", "import", "nspawn", "--dry-run", str(machines))
        assert "Image=localhost/tests-pulled\n" in done.stdout
        assert 'Entrypoint=/bin/sh -c "cat /said; ls -d /gone"\n' in done.stdout
        assert "sha256" not in done.stdout
    finally:
        left = [str(path) for path in set(machines.iterdir()) - before]
        run("chattr", "-R", "-f", "-i", *left, check=False)  # the layers are immutable
        run("rm", "-rf", *left)
