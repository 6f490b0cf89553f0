"""`Boot=yes` with the system of another release than the host's: a real Debian 12 in Debian 13."""

import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.once("two releases are at hand on one host")

ARCHIVE, ROOT = "/srv/system.tar", Path("/var/lib/machines/older")
TEXT = f"""[Container]
Layer={ROOT}
Volatile=yes
Boot=yes
Network=bridge
[Service]
TimeoutStartSec=120
"""
LOOK = """
. /etc/os-release; echo $VERSION_CODENAME
systemctl --version | sed -n 's/^systemd \\([0-9]*\\).*/\\1/p'
systemctl is-system-running --wait
systemctl is-active network-online.target systemd-networkd.service
networkctl list --no-legend eth0 | tr -s ' ' | cut -d ' ' -f 5-6
systemd-run --quiet --pipe --wait sh -c 'echo a unit of its own'
logger -t inside a line of its own
journalctl --sync; journalctl -q -o cat -t inside
"""


@pytest.fixture(scope="module")
def older(run):
    """The root of a Debian 12 with networkd, and somebody who waits for the network."""
    ROOT.mkdir(parents=True)
    run("tar", "-xpf", ARCHIVE, "--numeric-owner", "-C", str(ROOT))
    own = ROOT / "etc/systemd/system"
    for target, unit in (("multi-user", "network-online.target"), ("multi-user", "systemd-networkd.service")):
        (own / f"{target}.target.wants").mkdir(exist_ok=True)
        (own / f"{target}.target.wants/{unit}").symlink_to(f"/usr/lib/systemd/system/{unit}")
    (own / "network-online.target.wants").mkdir(exist_ok=True)
    unit = "systemd-networkd-wait-online.service"
    (own / f"network-online.target.wants/{unit}").symlink_to(f"/usr/lib/systemd/system/{unit}")
    yield
    shutil.rmtree(ROOT)


@pytest.mark.kernel("nftables")
def test_a_debian_12_in_debian_13(older, shared, nsunit, run):
    system = shared.start(TEXT, "older-system")
    release, version, state, online, networkd, link, own, line = system.exec("sh", "-c", LOOK).stdout.splitlines()
    assert (release, version, state) == ("bookworm", "252", "running")
    assert (online, networkd, link) == ("active", "active", "routable configured")
    assert (own, line) == ("a unit of its own", "a line of its own")
    assert "Debian GNU/Linux 12" in nsunit("logs", system.name).stdout  # its console
    assert system.name in run("machinectl", "list", "--no-legend").stdout.split()
    done = nsunit("stop", system.name, timeout=100)
    assert (done.stdout, done.stderr) == ("", "")
    assert system.show("ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
