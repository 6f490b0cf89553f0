"""Systems inside of the one that is tested, for what takes more than one: copies of it, on one bridge.

Each is a service, whose end is as that of a machine that loses its power.
"""

import subprocess
from pathlib import Path

from waiting import wait_until

BOOT = Path(__file__).parent / "machine/quick-boot"
PLACE = Path("/run/test-nodes")
BRIDGE, OWN = "br-nodes", "10.77.0.254/24"
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--cgroup", "--net")


class Bridge:
    """What connects nodes, and makes them."""

    def __init__(self, run):
        self._run = run
        self._nodes = []
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "address", "add", OWN, "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")

    def node(self, name, address):
        """Boot a node, and return it when its systemd has started everything."""
        node = Node(self._run, name, address)
        self._nodes.append(node)
        node.boot()
        return node

    def close(self):
        """End all of them; nothing is left."""
        for node in self._nodes:
            node.end()
        self._run("ip", "link", "del", BRIDGE)


class Node:
    """One system."""

    def __init__(self, run, name, address):
        self.name, self.address = name, address
        self._run = run
        self._unit = f"test-node-{name}.service"
        self._place = PLACE / name

    def boot(self):
        """Start it, or start it anew: it has nothing of what it was before."""
        self._place.mkdir(parents=True, exist_ok=True)
        self._run(
            *("systemd-run", f"--unit={self._unit}", "--collect", "--property=Delegate=yes"),
            *("unshare", *NAMESPACES, "--fork", "--kill-child", str(BOOT), str(self._place)),
        )
        self.pid = wait_until(self._systemd, f"systemd of {self.name}")
        link = f"ve-{self.name}"
        self._run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(self.pid))
        self._run("ip", "link", "set", link, "master", BRIDGE, "up")
        self.run("hostname", self.name)
        self.run(f"ip address add {self.address}/24 dev eth0; ip link set eth0 up; ip link set lo up")
        said = wait_until(lambda: self.run("systemctl is-system-running --wait", check=False).stdout, "its start")
        assert said == "running\n", self.run("systemctl", "--failed", "--no-legend").stdout

    def _systemd(self):
        """The process that is PID 1 in there, as soon as it is systemd."""
        main = self._run("systemctl", "show", "--property=MainPID", "--value", self._unit).stdout.strip()
        try:
            (pid,) = Path(f"/proc/{main}/task/{main}/children").read_text().split()
            return int(pid) if Path(f"/proc/{pid}/comm").read_text() == "systemd\n" else None
        except (OSError, ValueError):
            return None

    def run(self, *words, check=True):
        """Run a command in it, given as words or as one line for the shell."""
        words = words if len(words) > 1 else ("sh", "-c", *words)
        return self._run("nsenter", f"--target={self.pid}", "--all", "--wdns=/", "env", *words, check=check)

    def path(self, path):
        """A path of its own, from here."""
        return Path(f"/proc/{self.pid}/root") / path.lstrip("/")

    def kill(self):
        """Take its power away."""
        self._run("systemctl", "kill", "--signal=KILL", self._unit)
        wait_until(lambda: subprocess.run(["systemctl", "is-active", self._unit], stdout=-3).returncode, "its end")

    def end(self):
        """End it, running or not."""
        self._run("systemctl", "kill", "--signal=KILL", self._unit, check=False)
        self._run("systemctl", "stop", self._unit, check=False)
        self._place.rmdir()
