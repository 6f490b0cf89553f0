"""A Docker Swarm of two systems with nsunit-oci as the runtime of both, and a service on their overlay network."""

import shutil
from collections import Counter

import pytest
from docker_api import Docker, unpacked
from docker_daemon import FILES, IMAGE, load_image
from nodes import Bridge
from waiting import wait_until

pytestmark = [
    pytest.mark.engines("two systems, two daemons and twenty containers: a minute, and Docker's scheduler is at work"),
    pytest.mark.timeout(600),
]

NETWORK, SERVICE = "shop", "web"
REPLICAS = 20
SECOND = 1_000_000_000  # in ns, Docker's unit of time
# A word from the service or the lack of one, again and again; a replica that ends may still be in the answer of DNS.
ASK = f"""
while sleep 0.1; do
    for try in 1 2 3 4 5; do said=$(nc -w 1 {SERVICE} 80 </dev/null) && break; done
    echo "answer ${{said:-none}}"
done
"""


class Swarm:
    """Both daemons and what is asked of the manager."""

    def __init__(self, first, second):
        self.nodes = first, second
        self.manager = daemon(first)
        self.daemons = [self.manager, self.manager]
        address = first.address
        self.manager.ask("POST", "/swarm/init", {"ListenAddr": f"{address}:2377", "AdvertiseAddr": address})
        self.join()
        self.manager.ask("POST", "/networks/create", {"Name": NETWORK, "Driver": "overlay", "Attachable": True})

    def join(self):
        """Have the second node in it; wait until both can be given something to do."""
        self.daemons[1] = daemon(self.nodes[1])
        token = self.manager.ask("GET", "/swarm")["JoinTokens"]["Worker"]
        first, second = (node.address for node in self.nodes)
        said = {"ListenAddr": f"{second}:2377", "AdvertiseAddr": second}
        self.daemons[1].ask("POST", "/swarm/join", {**said, "RemoteAddrs": [f"{first}:2377"], "JoinToken": token})
        wait_until(lambda: list(self.states().values()).count("ready") == 2, "both nodes")

    def states(self):
        """State of each node, by its id."""
        return {node["ID"]: node["Status"]["State"] for node in self.manager.ask("GET", "/nodes")}

    def tasks(self, word):
        """How many replicas that say *word* run on each node, by its id; only where no others are to run."""
        due = [task for task in self.manager.ask("GET", "/tasks") if task["DesiredState"] == "running"]
        if any(task["Status"]["State"] != "running" or f"echo {word}" not in str(task["Spec"]) for task in due):
            return {}
        return dict(Counter(task["NodeID"] for task in due))

    def wait_for(self, word, count):
        """Return where they run as soon as *count* replicas say *word*, and no others do."""
        return wait_until(lambda: sum((on := self.tasks(word)).values()) == count and on, f"{count} of {word}", 120)

    def update(self, word, count):
        """Have so many replicas, and all of them say this word."""
        service = self.manager.ask("GET", f"/services/{SERVICE}")
        version = service["Version"]["Index"]
        self.manager.ask("POST", f"/services/{SERVICE}/update", service_of(word, count), version=version)


def service_of(word, count):
    """A service of *count* replicas, which say *word* and where they are; who takes over starts before who ends."""
    command = ["sh", "-c", f"trap exit TERM; nc -ll -p 80 -e echo {word} $NODE & wait"]
    node = "NODE={{.Node.Hostname}}"
    return {
        "Name": SERVICE,
        "TaskTemplate": {
            "ContainerSpec": {"Image": IMAGE, "Command": command, "Env": [node], "StopGracePeriod": 5 * SECOND},
            "RestartPolicy": {"Condition": "any", "Delay": SECOND // 10},
            "Networks": [{"Target": NETWORK}],
        },
        "Mode": {"Replicated": {"Replicas": count}},
        "EndpointSpec": {"Mode": "dnsrr"},  # a virtual address takes IPVS of the kernel's
        "UpdateConfig": {"Parallelism": 4, "Order": "start-first", "Monitor": SECOND},
    }


def daemon(node):
    """Docker on a node, installed as it comes, with the image."""
    node.path("/etc/docker").mkdir(exist_ok=True)
    shutil.copy(FILES / "daemon.json", node.path("/etc/docker"))
    for directory in ("/var/lib/docker", "/var/lib/containerd"):  # Docker's own overlays go on no overlay
        node.run(f"mkdir -p {directory} && mount -t tmpfs tmpfs {directory}")
    node.run("dpkg --force-unsafe-io --install /srv/packages/docker.io/*.deb")
    engine = Docker(str(node.path("/run/docker.sock")))
    load_image(engine)
    return engine


@pytest.fixture(scope="module")
def swarm(run):
    """A swarm with nothing to do, on two nodes."""
    bridge = Bridge(run)
    try:
        yield Swarm(bridge.node("first", "10.77.0.1"), bridge.node("second", "10.77.0.2"))
    finally:
        bridge.close()


class Asker:
    """A container on the network of the service that asks it all the time."""

    def __init__(self, engine):
        self._engine = engine
        self._container = engine.start(IMAGE, "sh", "-c", ASK, NetworkMode=NETWORK)

    def heard(self, after=0):
        """All answers but the first *after*."""
        said = unpacked(self._engine.ask("GET", f"/containers/{self._container}/logs", stdout=1)).decode()
        return [line.removeprefix("answer ") for line in said.splitlines()][after:]

    def wait_for(self, *answers):
        """Return how many answers there were as soon as the last twenty are these, each of them at least once."""
        begun = len(self.heard())
        wait_until(lambda: set(self.heard(begun)[-20:]) == set(answers), " and ".join(answers))
        return len(self.heard())


def scopes(node):
    """How many containers a node's own systemd has scopes of."""
    return len(node.run("systemctl list-units --plain --no-legend 'docker-*.scope'").stdout.splitlines())


def test_a_service_on_two_systems(swarm):
    """Spread, asked from both, scaled, updated while it answers, and all there when a node is lost and comes back."""
    swarm.manager.ask("POST", "/services/create", service_of("one", REPLICAS))
    on = swarm.wait_for("one", REPLICAS)
    assert sorted(on.values()) == [REPLICAS // 2] * 2
    assert [engine.ask("GET", "/info")["DefaultRuntime"] for engine in swarm.daemons] == ["nsunit-oci"] * 2
    assert [scopes(node) for node in swarm.nodes] == [REPLICAS // 2] * 2

    askers = [Asker(engine) for engine in swarm.daemons]
    heard = [asker.wait_for("one first", "one second") for asker in askers]
    swarm.update("one", REPLICAS + 4)
    on = swarm.wait_for("one", REPLICAS + 4)
    assert sorted(on.values()) == [REPLICAS // 2 + 2] * 2
    swarm.update("two", REPLICAS)
    swarm.wait_for("two", REPLICAS)
    for asker, before in zip(askers, heard, strict=True):
        asker.wait_for("two first", "two second")
        assert "none" not in asker.heard(before)

    swarm.nodes[1].kill()
    wait_until(lambda: "down" in swarm.states().values(), "the loss")
    on = swarm.wait_for("two", REPLICAS)
    assert list(on.values()) == [REPLICAS]
    askers[0].wait_for("two first")

    swarm.nodes[1].boot()
    swarm.join()
    swarm.update("two", REPLICAS + 8)
    on = swarm.wait_for("two", REPLICAS + 8)
    assert sorted(on.values()) == [8, REPLICAS]
    swarm.manager.ask("DELETE", f"/services/{SERVICE}")
    wait_until(lambda: [scopes(node) for node in swarm.nodes] == [1, 0], "their end, but for that of one who asks")
