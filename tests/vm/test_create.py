"""`create`: definitions that start, of images, and with roots that templates make."""

import json
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import oci
import pytest
from repository import SUITE, repository
from schema import mistakes
from test_images import Images, busybox
from waiting import wait_until

pytestmark = pytest.mark.once("what is made here is run by other tests on all releases")
SCHEMA = json.loads(Path("/usr/share/nsunit/schema.json").read_text())
ROOTS = Path("/var/lib/nsunit/roots")
OWN = Path("/etc/nsunit/templates.d")
LXC = Path("/usr/share/lxc/templates")
STAGING = Path("/var/lib/nsunit/images/staging")
# The words and the config of LXC's own, with what it may and may not do.
OF_LXC = """#!/bin/sh
set -eu
for option; do
    case $option in
        --path=*) path=${option#*=} ;;
        --name=*) name=${option#*=} ;;
        --rootfs=*) rootfs=${option#*=} ;;
        --colour=*) colour=${option#*=} ;;
        *) echo "bad option $option" >&2; exit 1 ;;
    esac
done
[ -f "$path/config" ] || exit 1
echo "Installing $name"
cp -a /srv/roots/busybox/. "$rootfs/"
mkdir -p /var/cache/lxc/mini && touch /var/cache/lxc/mini/kept /run/lock/lxc-mini /tmp/lxc-mini
mkdir -p "$rootfs/sbin-of-lxc"
mknod "$rootfs/dev/null" c 1 3
echo "$colour" >"$rootfs/colour"
printf '#!/bin/sh\\ntrap "exit 0" PWR\\nwhile :; do sleep 99 & wait $!; done\\n' >"$rootfs/bin/start"
chmod 755 "$rootfs/bin/start"
mount -t tmpfs none "$rootfs/sbin-of-lxc"
if touch /etc/written-by-a-template 2>/dev/null; then exit 3; fi
printf 'lxc.uts.name = %s\\nlxc.init.cmd = /bin/start\\nlxc.signal.halt = SIGPWR\\n' "$name" >>"$path/config"
"""


@pytest.fixture
def created(nsunit) -> Iterator[list[str]]:
    """Names for what a test creates; nothing of them may be left."""
    names = [f"c{uuid.uuid4().hex[:8]}" for _ in range(3)]
    yield names
    nsunit("rm", "--force", "--definition", *names, check=False)
    assert not [path for name in names for path in (ROOTS / name, Path(f"/etc/nsunit/{name}.nsunit")) if path.exists()]
    assert not STAGING.exists() or os.listdir(STAGING) == []
    assert "nsunit-fill" not in subprocess.run(["systemctl", "list-units"], capture_output=True, text=True).stdout


def test_a_definition_of_an_image(created, workplace, nsunit, run, containers):
    name = created[0]
    images = Images(workplace, run)
    image = images.image([busybox(oci.directory("srv", mode=0o777))], Cmd=["/bin/sleep", "9999"], StopSignal="KILL")
    done = nsunit("create", name, "--image", image, "MemoryMax=64M", "Service.Restart=on-failure", "--json")
    assert mistakes(json.loads(done.stdout), SCHEMA["properties"]["create"], SCHEMA["$defs"]) == []
    path = Path(f"/etc/nsunit/{name}.nsunit")
    assert path.read_text() == (
        f"# {path}: see nsunit.container(5)\n\n[Container]\nImage={image}\n\n"
        "[Slice]\nMemoryMax=64M\n\n[Service]\nRestart=on-failure\n"
    )
    nsunit("verify", name)
    nsunit("start", name)
    assert containers.of(name).exec("cat", "/etc/passwd").stdout.startswith("root:")
    refused = nsunit("create", name, "--force", "--image", image, check=False)
    assert refused.stderr.startswith(f"nsunit: {name}: it is running\n")
    nsunit("rm", "--force", name)
    refused = nsunit("create", created[1], "--image", image, "PublishPort=all", check=False)
    said = f"nsunit: the command line: [Container] PublishPort=all: the image '{image}' exposes no port\n"
    assert (refused.returncode, refused.stderr.startswith(said)) == (2, True)
    silent = images.image([busybox()])
    refused = nsunit("create", created[1], "--image", silent, check=False)
    said = f"nsunit: the command line: [Container] Exec= is missing, and the image '{silent}' has no command\n"
    assert (refused.returncode, refused.stderr.startswith(said)) == (2, True)
    refused = nsunit("create", name, "--image", image, check=False)
    assert refused.stderr.startswith(f"nsunit: {name}: there is a definition already: '{path}'\n")
    nsunit("create", name, "--force", "--image", image)
    assert "MemoryMax" not in path.read_text()
    nsunit("rm", "--definition", name)
    assert not path.exists()


def test_a_definition_by_its_keys(created, nsunit, containers):
    name, root = created[0], "/srv/roots/busybox"
    nsunit("create", name, f"Layer={root}", "Exec=/bin/sleep 9999", "StopSignal=SIGKILL")
    path = Path(f"/etc/nsunit/{name}.nsunit")
    assert path.read_text().splitlines()[2:] == [
        "[Container]",
        f"Layer={root}",
        "Exec=/bin/sleep 9999",
        "StopSignal=SIGKILL",
    ]
    nsunit("start", name)
    assert containers.of(name).exec("cat", "/proc/1/comm").stdout == "sleep\n"
    job = created[1]
    done = nsunit("create", job, f"Layer={root}", "Exec=/bin/true", "Timer.OnCalendar=daily")
    assert done.stdout == f"wrote /etc/nsunit/{job}.nsunit; 'nsunit enable --now {job}' starts its timer\n"
    nsunit("rm", "--force", "--definition", name)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "create: its root is not said"),
        (["Exec=/bin/true"], "create: its root is not said"),
        (["Layer=/nowhere", "Exec=/bin/true"], "'/nowhere' does not exist"),
        (["--image=x", "--template=y"], "create: --image and --template exclude each other"),
        (["--image=localhost/none"], "there is no image 'localhost/none'"),
        (["--image=localhost/x", "suite=sid"], "'suite=sid' is an option of a template, and there is no --template"),
        (["--template=nothing"], "there is no template 'nothing'"),
        (["--template=lxc:nothing"], "there is no template 'lxc:nothing'"),
        (["--template=../x"], "the template '../x' is not a directory"),
        (["--template=x:y"], "'x:y' is not the name of a template"),
        (["--template=busybox", "x=1"], "the template 'busybox' failed with status 2: there is no option 'x'"),
        (["--template=busybox", "a.b"], "'a.b' is not an option of a template"),
        (["--template=busybox", "NoSuchKey=1"], "'NoSuchKey' is not a key"),
        (["--template=busybox", "Bind=/nowhere:/x"], "/nowhere"),
        (["Layer=/srv/roots/busybox", "Exec=sh", "Pod=nowhere"], "looked for nowhere.pod.nsunit in /etc/nsunit, /"),
    ],
)
def test_what_is_refused_leaves_nothing(words, said, created, nsunit):
    done = nsunit("create", created[0], *words, check=False)
    assert said in done.stderr
    assert done.returncode in (1, 2, 3)
    assert not (ROOTS / created[0]).exists()
    assert not Path(f"/etc/nsunit/{created[0]}.nsunit").exists()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("x.pod", "'nsunit edit --force x.pod' makes a definition of it"),
        ("x.network", "'nsunit network create x'"),
        ("x@1", "a template is a file that 'nsunit edit --force x@' makes"),
    ],
)
def test_what_is_no_container_is_made_otherwise(name, hint, nsunit):
    done = nsunit("create", name, "--image=x", check=False)
    said = f"nsunit: '{name}' is not the name of a container with a definition of its own\n  hint: {hint}\n"
    assert (done.returncode, done.stderr) == (2, said)


@pytest.mark.parametrize(("name", "text"), [("x.pod", "[Pod]\n"), ("x.slice", "[Slice]\nTasksMax=9\n"), ("x@", "")])
def test_what_edit_says_that_it_makes_it_makes(name, text, nsunit):
    asked = nsunit("edit", name, "--stdin", input=text, check=False)
    assert f"; 'nsunit edit --force {name}' makes it\n" in asked.stderr
    text = text or "[Container]\nLayer=/srv/roots/busybox\nExec=sh\n"
    path = Path(f"/etc/nsunit/{name}.nsunit")
    try:
        nsunit("edit", name, "--force", "--stdin", input=text)
        assert path.read_text() == text
    finally:
        path.unlink(missing_ok=True)


def test_roots_of_templates(created, workplace, nsunit, containers):
    first, second, _ = created
    nsunit("create", first, "--template", "busybox", "Hostname=box")
    assert os.stat(ROOTS / first).st_mode & 0o7777 == 0o755
    nsunit("start", first)
    container = containers.of(first)
    assert container.exec("sh", "-c", "hostname; id -u; echo x >/kept").stdout == "box\n0\n"
    assert "kill" not in nsunit("stop", first).stderr
    assert (ROOTS / first / "kept").read_text() == "x\n"
    refused = nsunit("create", first, "--template", "busybox", "--force", "--quiet", "Exec=/no/such", check=False)
    assert refused.returncode == 2
    assert (ROOTS / first / "kept").exists(), "what failed leaves all as it was"
    nsunit("create", second, "--template", str(ROOTS / first))
    assert (ROOTS / second / "kept").read_text() == "x\n"
    nsunit("start", second)
    nsunit("create", created[2], "--template", "busybox")
    definition = Path(f"/etc/nsunit/{created[2]}.nsunit")
    definition.write_text(definition.read_text().replace(f"roots/{created[2]}", f"roots/{first}"))
    kept = nsunit("rm", "--definition", first, check=False)
    assert kept.stderr.startswith(f"nsunit: {first}: its root is used by {created[2]}\n")
    nsunit("create", first, "--force", "--template", "busybox")
    assert not (ROOTS / first / "kept").exists()
    nsunit("rm", first)
    assert (ROOTS / first / "bin/busybox").exists(), "only --definition takes a root away"


def test_a_template_of_lxc_is_run_as_it_is(created, nsunit, containers, run):
    name = created[0]
    LXC.mkdir(parents=True, exist_ok=True)
    program = LXC / "lxc-mini"
    program.write_text(OF_LXC)
    program.chmod(0o755)
    try:
        nsunit("create", name, "--template", "lxc:mini", "colour=red")
    finally:
        program.unlink()
    assert not [path for path in ("/var/cache/lxc", "/run/lock/lxc-mini", "/tmp/lxc-mini") if os.path.exists(path)]
    assert "Installing" in run("journalctl --sync; journalctl -t nsunit-fill").stdout
    nsunit("start", name)
    assert containers.of(name).exec("cat", "/colour").stdout == "red\n"
    assert "kill" not in nsunit("stop", name).stderr


@pytest.fixture
def mmdebstrap(run):
    """The real one, which waits with what it needs."""
    files = sorted(map(str, Path("/srv/packages/mmdebstrap").glob("*.deb")))
    names = [Path(file).name.partition("_")[0] for file in files]
    run("dpkg", "--force-unsafe-io", "--install", *files)
    yield
    run("dpkg", "--force-unsafe-io", "--purge", *names)


@pytest.mark.usefixtures("mmdebstrap")
def test_a_debian_by_mmdebstrap(created, workplace, nsunit, containers):
    """All of it, in its unit: apt by HTTP from loopback, dpkg in the root, and systemd that boots and goes down."""
    name = created[0]
    place = workplace / "packages"
    place.mkdir()
    with repository(place, "systemd-sysv", "dbus", "apt", "passwd") as line:
        # /var/tmp is the unit's own, and so there is nothing but the network to have packages from.
        done = nsunit("create", name, "--template", "debian", f"suite={SUITE}", f"mirror={line}", timeout=140)
    assert done.stderr == ""
    root = ROOTS / name
    assert (root / "etc/machine-id").read_text() == ""
    assert "Boot=yes" in Path(f"/etc/nsunit/{name}.nsunit").read_text()
    assert os.listdir(root / "dev") == []
    nsunit("start", name)
    container = containers.of(name)
    state = container.exec("systemctl", "is-system-running", "--wait", check=False).stdout.strip()
    assert state == "running", container.exec("systemctl", "--failed", "--no-legend").stdout
    assert container.exec("systemctl", "is-active", "dbus.socket").stdout == "active\n"
    assert container.exec("dpkg", "--audit").stdout == ""
    assert "kill" not in nsunit("stop", name).stderr


@pytest.fixture
def lxc_templates(run):
    """LXC's own scripts, without LXC."""
    for package in ("liblxc-common", "lxc-templates"):
        run(f"dpkg-deb --fsys-tarfile /srv/packages/lxc-templates/{package}_*.deb | tar -x -C / ./usr/share/lxc")
    yield
    run("rm", "-r", "/usr/share/lxc")


@pytest.mark.usefixtures("lxc_templates")
def test_lxcs_real_busybox(created, nsunit, containers):
    """It halts by SIGUSR1, for which its init waits in sigtimedwait(2): it is not taken for deaf, and not killed."""
    name = created[0]
    nsunit("create", name, "--template", "lxc:busybox")
    nsunit("start", name)
    container = containers.of(name)
    assert container.show("KillSignal")["KillSignal"] == "10"
    wait_until(lambda: "syslogd" in container.exec("ps").stdout, "its init has run its scripts")
    done = nsunit("stop", name)
    assert "kill" not in done.stdout + done.stderr
    assert container.show("Result")["Result"] == "success"
    refused = nsunit("create", created[1], "--template", "lxc:sshd", check=False)  # it shares the host's programs
    assert "[Container] Exec: '/sbin/init' is not in the root" in refused.stderr


def own_template(name: str, text: str) -> Path:
    OWN.mkdir(parents=True, exist_ok=True)
    path = OWN / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_an_interrupted_one_leaves_nothing(created, nsunit):
    program = own_template("endless", 'echo partial >"$1/file"; exec sleep 9999\n')
    words = ["nsunit", "create", created[0], "--template", "endless"]
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_until(lambda: list(STAGING.glob("*/root/file")), "the template is at work")
            process.send_signal(number)
            assert process.wait(60) != 0
            if number != signal.SIGKILL:
                assert os.listdir(STAGING) == []
        # What was killed goes on, until it is stopped; then the next command takes away what it has left.
        subprocess.run(["systemctl", "stop", "nsunit-fill-*"], check=True)
    finally:
        program.unlink()
    program = own_template("empty", "echo nothing to do >&2\n")
    try:
        done = nsunit("create", created[0], "--template", "empty", check=False)
    finally:
        program.unlink()
    assert done.stderr.startswith("nsunit: the template 'empty' has left the root empty")
    assert os.listdir(STAGING) == []


def test_debian_is_made_by_mmdebstrap(created, nsunit, workplace):
    """By one that copies what is there instead of fetching it: the real one takes a mirror."""
    program = Path("/usr/local/bin/mmdebstrap")
    program.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@" >&2\nfor root; do case $root in /*/root) break ;; esac; done\n'
        'cp -a /srv/roots/busybox/. "$root"; printf "%s\\n" "$@" >"$root/words"\n'
        'mkdir -p "$root/usr/lib/systemd"; cp /srv/roots/busybox/bin/busybox "$root/usr/lib/systemd/systemd"\n'
        'ln -sf /usr/lib/systemd/systemd "$root/bin/init"\n'
    )
    program.chmod(0o755)
    try:
        done = nsunit("create", created[0], "--template=debian", "suite=sid", "mirror=http://127.0.0.1/debian")
    finally:
        program.unlink()
    words = (ROOTS / created[0] / "words").read_text().splitlines()
    assert words[0] == "--mode=root"
    assert words[-4] == "--" and words[-3] == "sid" and words[-1] == "http://127.0.0.1/debian"
    assert "Boot=yes" in Path(f"/etc/nsunit/{created[0]}.nsunit").read_text()
    assert "starts it" in done.stdout
