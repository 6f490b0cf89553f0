"""packaging/try where systemd is process 1: what it installs, makes, shows and takes away again.

It runs in a mount namespace with stand-ins for what would change the host, and for what builds the package, which is
built once: its tour really runs, and each stand-in notes what it was asked for. What the tour shows on a real systemd
is tests/vm/test_examples.py; the other way, with a machine, shows the same tour.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
# Installed before; the others come and go.
BEFORE = ("python3", "busybox-static", "libseccomp2", "somebody-elses")
STAND_IN = r"""#!/bin/sh
# Instead of several programs, by the name it is called by.
what=${0##*/}
case $what in
    dpkg-query) for word; do grep -x "installed $word" "$STATE/installed"; done; exit ;;
    stat) case $* in *'-f -c %T /sys/fs/cgroup') echo "$CGROUPS"; exit ;; esac; exec /usr/bin/stat "$@" ;;
esac
case "$what $*" in 'apt-get -s '*)
    for word; do case $word in install | -*) ;; *) echo "Inst $word (1.0 Debian:13 [all])" ;; esac; done
    echo 'Inst dpkg [1.0] (1.1 Debian:13 [all])'
    exit ;;
esac
echo "$what $*" >>"$STATE/log"
case "$what $*" in
    'apt-get '*'install '*) echo 'installed meanwhile' >>"$STATE/installed"
        for word; do case $word in install | -*) ;; *) echo "installed $word" ;; esac; done \
        >>"$STATE/installed" ;;
    'apt-get '*' purge '*) for word; do sed -i "/^installed $word\$/d" "$STATE/installed"; done ;;
    'dpkg --install '*) [ -s "$2" ] && echo 'installed nsunit' >>"$STATE/installed"
        mkdir -p /usr/share/doc/nsunit && dpkg-deb -x "$2" "$STATE/package" &&
        cp -r "$STATE/package/usr/share/doc/nsunit/examples" /usr/share/doc/nsunit ;;
    'mmdebstrap '*) mkdir -p "$(eval echo "\${$#}")/etc" ;;
    'busybox --list') printf 'busybox\nls\nsh\n' ;;
    'nsunit start hungry') [ -z "$FAIL" ] || exit 1 ;;
    'nsunit list'*) ls -l /srv/roots >>"$STATE/roots" 2>&1 ;;
esac
exit 0
"""
STAND_INS = (
    "apt-get",
    "busybox",
    "dpkg",
    "dpkg-query",
    "journalctl",
    "mmdebstrap",
    "nsunit",
    "ps",
    "stat",
    "systemctl",
)
STAND_INS += ("systemd-cgls", "systemd-cgtop")
# Called as packaging/build-deb is, by the same interpreter.
BUILT = """\
import os, shutil, sys
option, target = sys.argv[1:]
assert option == "--output"
print(shutil.copy(os.environ["PACKAGE"], target))
"""
# The host's own are hidden: what the script and its tour make is in these, and gone with the namespace.
NAMESPACE = """
for place in /srv /run /usr/share/doc /var/lib; do mount -t tmpfs tmpfs $place; done
mkdir -p /run/systemd/system /run/nsunit /var/lib/nsunit /run/upper /run/work
mount -t overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work overlay /etc
mount --bind "$STATE/build-deb" "$BUILD_DEB"
[ -z "$ROOTS" ] || mkdir -p /srv/roots/debian/mine
"$@"
status=$?
find /srv /run/upper -mindepth 1 >"$STATE/left"
exit $status
"""


class Host:
    """A host that is nobody's."""

    def __init__(self, state, package):
        self.state = state
        (state / "build-deb").write_text(BUILT)
        bin_ = state / "bin"
        bin_.mkdir()
        (bin_ / "stand-in").write_text(STAND_IN)
        (bin_ / "stand-in").chmod(0o755)
        for name in STAND_INS:
            (bin_ / name).symlink_to("stand-in")
        self.before = "".join(f"installed {name}\n" for name in BEFORE)
        (state / "installed").write_text(self.before)
        self.environment = os.environ | {
            "PATH": f"{bin_}:{os.environ['PATH']}",
            "STATE": str(state),
            "PACKAGE": str(package),
            "BUILD_DEB": str(REPOSITORY / "packaging/build-deb"),
            "FAIL": "",
            "ROOTS": "",
        }

    def try_(self, **more):
        command = [
            "unshare",
            "--mount",
            "--propagation=private",
            "sh",
            "-c",
            NAMESPACE,
            "sh",
            REPOSITORY / "packaging/try",
        ]
        environment = self.environment | {"CGROUPS": "cgroup2fs"} | more
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)

    def asked(self):
        return (self.state / "log").read_text().splitlines()


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The package, as the script has it built."""
    if os.geteuid():
        pytest.skip("only root can make a mount namespace")
    words = ["/usr/bin/python3", "packaging/build-deb", "--output", tmp_path_factory.mktemp("package")]
    return subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def host(tmp_path, package):
    return Host(tmp_path, package)


def test_it_shows_everything_and_leaves_nothing(host):
    scratch = set(Path("/var/tmp").glob("nsunit-try.*"))
    done = host.try_()
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("done, nothing is left\n")
    asked = host.asked()
    (install,) = (line.split() for line in asked if " install " in line)
    wanted = {"go-md2man", "mmdebstrap", "systemd-container", "python3-pystemd", "python3-pyroute2", "python3-jinja2"}
    assert wanted <= set(install)
    assert not set(BEFORE) & set(install)
    release = re.search("^VERSION_CODENAME=(.*)$", Path("/etc/os-release").read_text(), re.M)[1]
    assert f"mmdebstrap --variant=minbase --include=python3 {release} /srv/roots/debian" in asked
    assert [line for line in asked if line.startswith("dpkg --install /var/tmp/nsunit-try.")]
    assert {"debian", "busybox"} <= set((host.state / "roots").read_text().split())
    told = [line.removeprefix("nsunit ") for line in asked if line.startswith("nsunit ")]
    assert told.index("start web") < told.index("status web")
    assert {"start spin@a spin@b", "start hungry", "wait hungry", "stop web spin@a spin@b"} <= set(told)
    assert told[-2:] == ["--quiet stop web spin@a spin@b hungry", "--quiet rm web spin@a spin@b hungry"]
    shown = re.findall(r"^\x1b\[1m(.*)\x1b\[0m$", done.stdout, re.M)
    assert len(shown) == 6
    (purge,) = (line.split() for line in asked if " purge " in line)
    assert set(purge[4:]) == {"nsunit", *install[5:]}
    # Not what is only brought up to date, and not what somebody else installs meanwhile.
    assert (host.state / "installed").read_text() == host.before + "installed meanwhile\n"
    assert (host.state / "left").read_text() == ""
    assert set(Path("/var/tmp").glob("nsunit-try.*")) <= scratch  # what another run has left is its own to remove


def test_what_fails_is_taken_away_and_what_was_there_stays(host):
    done = host.try_(FAIL="yes", ROOTS="yes")
    assert done.returncode == 1
    assert done.stderr.endswith("done, nothing is left\n")
    assert "nsunit --quiet rm web spin@a spin@b hungry" in host.asked()
    assert not [line for line in host.asked() if line.startswith("mmdebstrap")]
    assert (host.state / "installed").read_text() == host.before + "installed meanwhile\n"
    left = (host.state / "left").read_text().split()
    assert left == ["/srv/roots", "/srv/roots/debian", "/srv/roots/debian/mine"]


def test_only_root_can(tmp_path):
    words = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run([*words, REPOSITORY / "packaging/try"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "try: run it as root\n")
