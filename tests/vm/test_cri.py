"""The CRI of containerd, with nsunit-oci below it: what the kubelet asks for, one call after another."""

import json
import uuid
from pathlib import Path

import pytest
from cri import Cri, Refused, unpack
from docker_daemon import IMAGE, busybox
from oci import Layout
from packages import installed
from waiting import wait_until

pytestmark = pytest.mark.once("containerd is that of one release, and its answers do not depend on systemd")

CONFIG = Path("/usr/share/doc/nsunit/engines/containerd-config.toml")
OWN = Path("/etc/containerd/config.toml")
# What is the test's own: the image that is here for the process that keeps a pod's namespaces, and no demand for less
# than the daemon's own score, which a system that is booted natively has no right to.
ADDED = """
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
"""
OWN_NETWORK = Path("/etc/cni/net.d/10-pods.conflist")  # the first by name is the one for pods
NETWORK = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cri0",
            "isGateway": True,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.7.0/24"}]]},
        }
    ],
}
PAUSE = "localhost/pause:test"
LOGS = Path("/var/log/pods")
STATE = Path("/run/containerd/runc/k8s.io")
RUNNING, EXITED = 1, 2
NODE = 2
OWN_PROCESSES = {3: {2: 1}}  # what the kubelet says unless a pod shares them
LOOP = "trap 'exit 3' TERM; echo begun; while :; do sleep 1000 & wait $!; done"


@pytest.fixture(scope="module")
def cri(run, workplace):
    """containerd with the file of packaging/engines, a network for pods, and images of busybox."""
    with installed(run, "docker.io/containerd_*.deb"):
        OWN.write_text(CONFIG.read_text() + ADDED.format(pause=PAUSE))
        OWN_NETWORK.parent.mkdir(parents=True, exist_ok=True)
        OWN_NETWORK.write_text(json.dumps(NETWORK))
        run("systemctl", "start", "containerd")
        for name, words in ((IMAGE, ["sh"]), (PAUSE, ["sleep", "infinity"])):
            layout = Layout(workplace / uuid.uuid4().hex)
            layout.image([busybox()], name, Entrypoint=words)
            run(f"tar -C {layout.path} -c . | ctr --namespace k8s.io images import -")
        yield Cri("/run/containerd/containerd.sock")
        run("systemctl", "stop", "containerd")
    run("ip", "link", "del", "cri0", check=False)
    run("rm", "-rf", "/etc/containerd", "/var/lib/containerd", "/var/lib/cni", str(LOGS), str(OWN_NETWORK))


class Pod:
    """A pod's sandbox, and the containers in it."""

    def __init__(self, cri, **security):
        self._cri = cri
        self.name = f"p{uuid.uuid4().hex[:8]}"
        self._config = {
            1: {1: self.name, 2: uuid.uuid4().hex, 3: "test"},
            2: self.name,
            3: str(LOGS / self.name),
            8: {1: f"kubepods-{self.name}.slice", 2: {1: security.get("namespaces", {})}},
        }
        if security.get("hosts_network"):
            del self._config[2]
        (LOGS / self.name).mkdir(parents=True)
        self.id = self._said("RunPodSandbox", {1: self._config})

    def _said(self, method, fields):
        return self._cri(method, fields).get(1, b"").decode()

    def create(self, *command, resources=None, security=None, name="main", **keys):
        """Make a container; returns its id."""
        config = {
            1: {1: name},
            2: {1: IMAGE},
            3: list(command),
            6: [{1: key, 2: value} for key, value in keys.get("env", {}).items()],
            7: keys.get("mounts", []),
            11: f"{name}.log",
            15: {1: resources or {}, 2: security or OWN_PROCESSES},
        }
        return self._said("CreateContainer", {1: self.id, 2: config, 3: self._config})

    def start(self, *command, **keys):
        """Make a container and start it."""
        identity = self.create(*command, **keys)
        self._cri("StartContainer", {1: identity})
        return identity

    def execute(self, identity, *command, timeout=30):
        """What a command in a container says on both outputs, and its status."""
        answer = self._cri("ExecSync", {1: identity, 2: list(command), 3: timeout})
        return answer.get(1, b"").decode(), answer.get(2, b"").decode(), answer.get(3, 0)

    def status(self, identity):
        """State and exit status of a container."""
        status = unpack(self._cri("ContainerStatus", {1: identity})[1])
        return status.get(3, 0), status.get(7, 0)

    def log(self, name="main"):
        """What a container has said, each line with its stream."""
        lines = (LOGS / self.name / f"{name}.log").read_text().splitlines()
        return [(line.split(" ", 3)[1], line.split(" ", 3)[3]) for line in lines]

    def address(self):
        """Its address, as the status of the pod has it."""
        return unpack(unpack(self._cri("PodSandboxStatus", {1: self.id})[1])[5])[1].decode()

    def remove(self):
        """As the kubelet takes a pod away."""
        self._cri("StopPodSandbox", {1: self.id})
        self._cri("RemovePodSandbox", {1: self.id})


@pytest.fixture
def pod(cri, run):
    """Make pods; nothing is left of them."""
    made = []

    def maker(**security):
        made.append(Pod(cri, **security))
        return made[-1]

    yield maker
    for pod in made:
        pod.remove()
    assert list(STATE.glob("*")) == []
    assert run("ctr", "--namespace", "k8s.io", "containers", "list", "--quiet").stdout == ""
    wait_until(lambda: "cri-containerd" not in run("systemctl list-units --plain 'cri-containerd*.scope'").stdout)


def test_it_is_ready_and_has_the_runtime(cri):
    assert cri("Version")[2] == b"containerd"
    conditions = cri("Status")[1]
    assert b"RuntimeReady" in conditions and b"NetworkReady" in conditions and b"NotReady" not in conditions


def test_a_pod_and_a_container_in_it(pod, cri, run):
    one = pod()
    limits = {1: 100_000, 2: 50_000, 3: 512, 4: 64 << 20, 5: 999}
    main = one.start("sh", "-c", LOOP, resources=limits, env={"COLOUR": "blue"})
    assert one.status(main) == (RUNNING, 0)
    wait_until(lambda: one.log() == [("stdout", "begun")], "its log")
    scope = f"cri-containerd-{main}.scope"
    names = ("MemoryMax", "CPUQuotaPerSecUSec", "CPUWeight", "Slice")
    shown = run("systemctl", "show", f"--property={','.join(names)}", scope).stdout.split()
    slice_ = f"kubepods-{one.name}.slice"
    assert sorted(shown) == ["CPUQuotaPerSecUSec=500ms", "CPUWeight=59", "MemoryMax=67108864", f"Slice={slice_}"]

    said = one.execute(main, "sh", "-c", "echo $COLOUR; hostname; cat /proc/self/oom_score_adj; echo no >&2; exit 5")
    assert said == (f"blue\n{one.name}\n999\n", "no\n", 5)
    with pytest.raises(Refused, match="executable file not found in"):
        one.execute(main, "nonesuch")
    with pytest.raises(Refused, match="timeout 1s exceeded"):
        one.execute(main, "sleep", "77", timeout=1)
    assert "sleep 77" not in one.execute(main, "ps")[0]

    cri("UpdateContainerResources", {1: main, 2: {4: 96 << 20, 3: 1024}})
    shown = run("systemctl", "show", "--property=MemoryMax,CPUWeight", scope).stdout.split()
    assert sorted(shown) == ["CPUWeight=100", "MemoryMax=100663296"]
    cri("StopContainer", {1: main, 2: 60})
    assert one.status(main) == (EXITED, 3)
    cri("StopContainer", {1: main, 2: 60})  # as often as the kubelet likes
    cri("RemoveContainer", {1: main})
    cri("RemoveContainer", {1: main})


def test_containers_of_a_pod_share_its_network_and_its_ipc(pod):
    one = pod()
    server = one.start("nc", "-ll", "-p", "80", "-e", "echo", "here")
    client = one.start("sleep", "1000", name="client")
    assert one.execute(client, "nc", "127.0.0.1", "80")[0] == "here\n"
    other = pod()
    far = other.start("sleep", "1000")
    assert other.execute(far, "nc", one.address(), "80")[0] == "here\n"
    for kind in ("net", "ipc", "uts"):
        link = f"/proc/self/ns/{kind}"
        assert one.execute(client, "readlink", link) == one.execute(server, "readlink", link)
        assert one.execute(client, "readlink", link) != other.execute(far, "readlink", link)
    assert "nc -ll" not in one.execute(client, "ps")[0]


def test_processes_shared_and_the_nodes_network(pod):
    together = pod(namespaces={2: 0})
    main = together.start("sleep", "1001", security={3: {2: 0}})
    assert "sleep infinity" in together.execute(main, "ps")[0]
    host = pod(namespaces={1: NODE}, hosts_network=True)
    main = host.start("readlink", "/proc/self/ns/net", security={3: {1: NODE, 2: 1}})
    wait_until(lambda: host.status(main)[0] == EXITED, "its end")
    assert host.log() == [("stdout", Path("/proc/self/ns/net").readlink().as_posix())]


def test_who_it_is_and_what_it_may(pod, tmp_path):
    one = pod()
    (tmp_path / "file").write_text("given\n")
    tmp_path.chmod(0o755)
    script = "id -u; id -g; id -G; grep -E 'NoNewPrivs|CapEff|Seccomp:' /proc/self/status; cat /given/file"
    security = {
        1: {2: ["ALL"]},
        3: {2: 1},
        5: {1: 1234},
        7: True,
        8: b"\x10",
        11: True,
        12: {1: 77},
        15: {1: 0},
    }
    mount = {1: "/given", 2: str(tmp_path), 3: True}
    main = one.start("sh", "-c", f"{script}; touch /given/x /x", security=security, mounts=[mount])
    wait_until(lambda: one.status(main)[0] == EXITED, "its end")
    said = [text.split()[-1] for stream, text in one.log() if stream == "stdout"]
    assert said[:2] == ["1234", "77"] and "given" in said
    told = {text.split()[0]: text.split()[-1] for stream, text in one.log() if stream == "stdout" and ":" in text}
    assert told == {"NoNewPrivs:": "1", "CapEff:": "0000000000000000", "Seccomp:": "2"}
    wrong = [text for stream, text in one.log() if stream == "stderr"]
    assert wrong == ["touch: /given/x: Read-only file system", "touch: /x: Read-only file system"]


def test_a_pod_with_ids_of_its_own(pod):
    """`hostUsers: false`: the sandbox makes the user namespace, and the others join it."""
    ids = {1: 0, 2: [{1: 700_000, 2: 0, 3: 65_536}], 3: [{1: 700_000, 2: 0, 3: 65_536}]}
    one = pod(namespaces={5: ids})
    main = one.start("sleep", "1000", security={3: {2: 1, 5: ids}})
    said = one.execute(main, "sh", "-c", "id -u; cat /proc/self/uid_map; stat -c %u /bin; hostname")
    assert said[0].split() == ["0", "0", "700000", "65536", "0", one.name]


def test_what_is_wrong_is_told(pod):
    one = pod()
    identity = one.create("nonesuch")
    with pytest.raises(Refused, match='exec: "nonesuch": executable file not found in'):
        one._cri("StartContainer", {1: identity})
    assert one.status(identity) == (EXITED, 128)
