"""podman, that of root and of a user, with nsunit-oci below it and the file that packaging/engines has for it."""

import json
import os
import pwd
import shutil
from pathlib import Path

import pytest
from docker_daemon import FILES, IMAGE
from engines import LOOP, Engine, on_a_terminal, podman
from waiting import wait_until

__all__ = ["podman"]  # a fixture

pytestmark = pytest.mark.once("the engines are those of one release, and their answers do not depend on systemd")

STATE = Path("/run/nsunit-oci")
SCOPES = Path("/sys/fs/cgroup/machine.slice")
# A system that is booted natively cannot have more than its host lets it.
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")


@pytest.fixture
def nothing_left(podman):
    """No state of a container, and no scope, is left by a test."""
    yield
    podman("rm", "--all", "--force", "--time", "0")
    scopes = (path.name for path in SCOPES.glob("libpod-*.scope"))
    left = [*(path.name for path in STATE.glob("*")), *(name for name in scopes if "conmon" not in name)]
    assert left == []


@pytest.mark.kernel("nftables")
@pytest.mark.usefixtures("nothing_left")
class TestPodman:
    def test_it_knows_the_runtime(self, podman):
        told = json.loads(podman.out("info", "--format", "{{json .Host.OCIRuntime}}"))
        assert told["name"] == "nsunit-oci"
        assert told["path"] == "/usr/bin/nsunit-oci"
        assert told["version"].startswith("nsunit-oci version ")

    def test_a_command_runs_in_a_scope_and_its_status_comes_back(self, podman):
        script = "cat; id -u; cat /proc/1/comm; grep ^0: /proc/self/cgroup; exit 7"
        done = podman("run", "--rm", "-i", IMAGE, "sh", "-c", script, input="hello\n", check=False)
        assert (done.stdout, done.stderr, done.returncode) == ("hello\n0\nsh\n0::/\n", "", 7)

    def test_limits_are_properties_of_the_scope(self, podman, run):
        name = podman.start("--memory", "64m", "--cpus", "0.5", "--pids-limit", "100", "--cpu-shares", "2048")
        scope = f"libpod-{podman.out('inspect', '--format', '{{.Id}}', name)}.scope"
        names = "MemoryMax", "MemorySwapMax", "CPUQuotaPerSecUSec", "TasksMax", "CPUWeight", "TimeoutStopUSec"
        shown = run("systemctl", "show", f"--property={','.join(names)}", scope).stdout.split()
        assert dict(line.split("=") for line in shown) == {
            "MemoryMax": "67108864",
            "MemorySwapMax": "67108864",
            "CPUQuotaPerSecUSec": "500ms",
            "TasksMax": "100",
            "CPUWeight": "174",
            "TimeoutStopUSec": "10s",
        }
        assert f"{scope}" in run("systemd-cgls", "--no-pager", "--unit", "machine.slice").stdout
        podman("update", "--memory", "128m", "--pids-limit", "50", name)
        shown = run("systemctl", "show", "--property=MemoryMax,TasksMax,CPUWeight", scope).stdout.split()
        assert sorted(shown) == ["CPUWeight=174", "MemoryMax=134217728", "TasksMax=50"]

    def test_devices_are_those_it_may_have(self, podman):
        script = "echo >/dev/null && head -c1 /dev/zero | wc -c; mknod /tmp/x c 1 1 && head -c1 /tmp/x"
        done = podman("run", "--rm", "--cap-add", "MKNOD", IMAGE, "sh", "-c", script, check=False)
        assert done.stdout == "1\n"
        assert "Operation not permitted" in done.stderr
        given = ("--device", "/dev/fuse:/dev/mine:r")
        done = podman("run", "--rm", *given, IMAGE, "sh", "-c", "true </dev/mine && true >/dev/mine", check=False)
        assert done.stderr == "sh: can't create /dev/mine: Operation not permitted\n"

    def test_commands_are_executed_in_it(self, podman):
        name = podman.start("--env", "COLOUR=blue", "--workdir", "/tmp")
        assert podman.out("exec", name, "sh", "-c", "echo $COLOUR; pwd; id -u") == "blue\n/tmp\n0"
        done = podman(
            "exec", "-i", "--user", "65534:65534", name, "sh", "-c", "cat; id -u; exit 5", input="x", check=False
        )
        assert (done.stdout, done.returncode) == ("x65534\n", 5)
        assert podman("exec", name, "nonesuch", check=False).returncode == 127
        podman("exec", "-d", name, "touch", "/tmp/done")
        wait_until(lambda: podman("exec", name, "test", "-e", "/tmp/done", check=False).returncode == 0, "it")

    def test_terminals(self, podman):
        said = on_a_terminal("podman", "run", "--rm", "-it", IMAGE, "sh", "-c", "tty; stty size; exit 4")
        assert said[1] == 4
        assert said[0].startswith("/dev/pts/0\n")
        name = podman.start()
        said, status = on_a_terminal("podman", "exec", "-it", name, "sh", "-c", "tty; exit 6")
        assert (said, status) == ("/dev/pts/0\n", 6)

    def test_it_ends_at_stop_as_it_wants(self, podman):
        name = podman.start()
        wait_until(lambda: len(podman.out("top", name, "pid").splitlines()) == 3, "its loop")
        podman("stop", "--time", "60", name)
        assert podman.out("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", name) == "exited 3"
        podman("start", name)
        podman("kill", "--signal", "KILL", name)
        assert podman.out("wait", name) == "137"
        podman("restart", "--time", "0", name)
        assert podman.out("inspect", "--format", "{{.State.Status}}", name) == "running"

    def test_it_stands_still(self, podman):
        name = podman.start()
        podman("pause", name)
        assert podman.out("inspect", "--format", "{{.State.Status}}", name) == "paused"
        podman("unpause", name)
        assert podman.out("exec", name, "echo", "on") == "on"

    def test_it_is_looked_at(self, podman):
        name = podman.start()
        wait_until(lambda: len(podman.out("top", name, "pid").splitlines()) == 3, "its loop")
        lines = podman.out("top", name, "pid", "comm", "capeff").splitlines()
        assert lines[1].split()[:2] == ["1", "sh"]
        (told,) = json.loads(podman.out("stats", "--no-stream", "--format", "json", name))
        assert told["name"] == name
        assert podman.out("ps", "--format", "{{.Names}}") == name
        assert podman.out("logs", name) == ""
        podman("cp", f"{name}:/bin/busybox", "/tmp/of-it")
        Path("/tmp/of-it").unlink()
        podman("commit", "-q", "--pause", name, "localhost/committed")
        assert podman.out("run", "--rm", "localhost/committed", "echo", "again") == "again"

    def test_its_health_is_checked(self, podman):
        name = podman.start(
            "--health-cmd", "test -e /tmp/well", "--health-interval", "disable", "--health-retries", "1"
        )
        assert podman("healthcheck", "run", name, check=False).returncode == 1
        podman("exec", name, "touch", "/tmp/well")
        assert podman("healthcheck", "run", name).returncode == 0
        assert podman.out("inspect", "--format", "{{.State.Health.Status}}", name) == "healthy"

    def test_pods_share_their_namespaces(self, podman):
        podman("pod", "create", "--name", "together")
        one, two = podman.start("--pod", "together"), podman.start("--pod", "together")
        net = [os.readlink(f"/proc/{podman.pid(name)}/ns/net") for name in (one, two)]
        assert net[0] == net[1] != os.readlink("/proc/self/ns/net")
        assert os.readlink(f"/proc/{podman.pid(one)}/ns/mnt") != os.readlink(f"/proc/{podman.pid(two)}/ns/mnt")
        podman("pod", "pause", "together")
        podman("pod", "unpause", "together")
        podman("pod", "rm", "--force", "--time", "0", "together")

    def test_users_of_its_own(self, podman, run):
        before = {name: Path(name).read_text() for name in ("/etc/subuid", "/etc/subgid")}
        for name, text in before.items():
            Path(name).write_text(f"{text}containers:200000000:1048576\n")
        script = "id -u; touch /tmp/x; head -1 /proc/self/uid_map"
        said = podman.out("run", "--rm", "--userns=auto", IMAGE, "sh", "-c", script).split()
        assert said[:2] == ["0", "0"]
        assert int(said[2]) >= 200000000
        assert podman.out("run", "--rm", "--userns=auto:size=70000", "--user", "1000", IMAGE, "id", "-u") == "1000"
        for name, text in before.items():
            Path(name).write_text(text)

    def test_it_has_a_network(self, podman, run):
        name = podman.start("--publish", "127.0.0.1:8181:80", script="nc -ll -p 80 -e echo here")
        assert "eth0" in podman.out("exec", name, "ip", "-o", "addr")
        wait_until(lambda: run("busybox nc 127.0.0.1 8181 </dev/null", check=False).stdout == "here\n", "its answer")

    def test_images_are_built(self, podman, tmp_path):
        (tmp_path / "Containerfile").write_text(
            f'FROM {IMAGE}\nRUN echo built >/built && id -u\nCMD ["cat", "/built"]\n'
        )
        said = podman("build", "--isolation", "oci", *LIMITS, "-t", "localhost/built", str(tmp_path))
        assert "0\n" in said.stdout
        assert podman.out("run", "--rm", "localhost/built") == "built"
        (tmp_path / "Containerfile").write_text(f"FROM {IMAGE}\nRUN exit 9\n")
        failed = podman("build", "--isolation", "oci", *LIMITS, str(tmp_path), check=False)
        assert "exit status 9" in failed.stderr

    def test_buildah_has_it_as_well(self, podman, run, tmp_path):
        (tmp_path / "Containerfile").write_text(f"FROM {IMAGE}\nRUN --network=none cat /proc/1/comm >/who\n")
        own = ("--isolation", "oci", "--runtime", "/usr/bin/nsunit-oci")
        run("buildah", "bud", *own, *LIMITS, "-t", "localhost/bud", str(tmp_path))
        container = run("buildah", "from", *LIMITS, "localhost/bud").stdout.strip()
        assert run("buildah", "run", *own, container, "cat", "/who").stdout == "cat\n"
        assert run("buildah", "run", *own, container, "sh", "-c", "exit 4", check=False).returncode == 4
        run("buildah", "rm", container)

    def test_buildah_says_where_it_is_in_the_tree(self, podman, run, tmp_path):
        """What it is told as cgroupsPath is a path; only with `run` it asks for scopes of systemd's, in a slice."""
        (tmp_path / "Containerfile").write_text(f"FROM {IMAGE}\nRUN --network=none tail -1 /proc/self/cgroup\n")
        own, host = ("--isolation", "oci", "--runtime", "/usr/bin/nsunit-oci"), ("--cgroupns", "host")
        said = run("buildah", "bud", *own, *host, *LIMITS, "--cgroup-parent", "/shop-web", str(tmp_path)).stdout
        assert "\n0::/shop-web\n" in said
        made = run("buildah", "from", *host, *LIMITS, "--cgroup-parent", "shop-web.slice", IMAGE).stdout.strip()
        said = run(
            "buildah", "--cgroup-manager", "systemd", "run", *own, made, "tail", "-1", "/proc/self/cgroup"
        ).stdout
        assert said.startswith("0::/shop.slice/shop-web.slice/nsunit-oci-buildah-buildah")
        run("buildah", "rm", made)

    def test_what_is_wrong_is_told_in_its_words(self, podman):
        missing = podman("run", "--rm", IMAGE, "nonesuch", check=False)
        assert missing.returncode == 127
        assert 'exec: "nonesuch": executable file not found in $PATH' in missing.stderr
        denied = podman("run", "--rm", IMAGE, "/etc", check=False)
        assert denied.returncode == 126
        wrong = podman("run", "--rm", "--annotation", "org.systemd.property.X=1", IMAGE, "true", check=False)
        assert wrong.returncode == 126
        assert "'X' is no name of a property of systemd's" in wrong.stderr

    def test_it_runs_what_kubernetes_would(self, podman, tmp_path):
        """Read-only roots have a read-only /dev, in which there are mounts."""
        (tmp_path / "pod.yaml").write_text(PODS.format(image=IMAGE))
        podman("kube", "play", "--quiet", str(tmp_path / "pod.yaml"))
        denied = podman("exec", "kube-one", "sh", "-c", "touch /x; touch /data/x", check=False)
        assert (denied.stderr, denied.returncode) == ("touch: /x: Read-only file system\n", 0)
        podman("kube", "down", str(tmp_path / "pod.yaml"))
        options = ("--read-only", "--read-only-tmpfs=false", "--tty")
        denied = podman("run", "--rm", *options, IMAGE, "touch", "/x", "/dev/x", check=False)
        lines = denied.stdout.splitlines()
        assert lines == [f"touch: {path}: Read-only file system" for path in ("/x", "/dev/x")]

    def test_whole_systems_have_what_they_mount(self, podman):
        script = "echo $container; grep -c ' /run tmpfs rw' /proc/mounts"
        assert podman.out("run", "--rm", "--systemd", "always", IMAGE, "sh", "-c", script) == "podman\n1"

    def test_where_it_is_in_the_tree_of_cgroups(self, podman, run):
        script = ("--cgroupns", "host", IMAGE, "tail", "-1", "/proc/self/cgroup")
        said = podman.out("run", "--rm", "--cgroup-parent", "shop-web.slice", *script)
        assert said.startswith("0::/shop.slice/shop-web.slice/libpod-")
        unit = ("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--property=Delegate=yes", "--unit=in-it")
        said = run(*unit, "podman", "run", "--rm", "--cgroups", "split", "--pids-limit", "0", *script).stdout
        assert said.startswith("0::/system.slice/in-it.service/libpod-payload-")

    def test_a_unit_of_quadlet_runs_it(self, run, podman):
        quadlet = Path("/etc/containers/systemd/shop.container")
        quadlet.parent.mkdir(parents=True, exist_ok=True)
        quadlet.write_text(QUADLET.format(image=IMAGE))
        try:
            run("systemctl", "daemon-reload")
            run("systemctl", "start", "shop")
            assert podman.out("exec", "systemd-shop", "cat", "/proc/1/comm") == "podman-init"
            run("systemctl", "stop", "shop")
            assert podman("container", "exists", "systemd-shop", check=False).returncode == 1
        finally:
            quadlet.unlink()
            run("systemctl", "daemon-reload")
            run("systemctl", "reset-failed", "shop", check=False)

    def test_it_says_itself_that_it_is_ready(self, podman, run):
        """Its socket, of the unit or of podman, is mounted: the unit has started when the program says so."""
        unit = ("--unit=ready", "--service-type=notify", "--property=NotifyAccess=all", "--collect", "--quiet")
        binds = [word for path in ("/usr", "/lib", "/lib64") for word in ("--volume", f"{path}:{path}:ro")]
        script = f"systemd-notify --ready --status=inside; {LOOP}"
        words = (
            "podman",
            "run",
            "--name",
            "ready",
            "--sdnotify",
            "container",
            *LIMITS,
            *binds,
            IMAGE,
            "sh",
            "-c",
            script,
        )
        run("systemd-run", *unit, *words)
        try:
            told = run("systemctl", "show", "--property=StatusText,SubState", "ready").stdout.split()
            assert sorted(told) == ["StatusText=inside", "SubState=running"]
        finally:
            run("systemctl", "stop", "ready")

    def test_without_systemd_it_makes_the_cgroup(self, podman):
        own = Engine(podman._run, "podman", "--cgroup-manager", "cgroupfs")
        name = own.start("--pids-limit", "0")
        assert "/libpod_parent/libpod-" in Path(f"/proc/{own.pid(name)}/cgroup").read_text()
        mknod = "mknod /tmp/x c 1 1; head -c1 /tmp/x"
        done = own("exec", "--privileged", name, "sh", "-c", mknod, check=False)
        assert "Operation not permitted" in done.stderr

    def test_without_a_cgroup(self, podman):
        assert podman.out("run", "--rm", "--cgroups", "disabled", IMAGE, "echo", "there") == "there"


PODS = """\
apiVersion: v1
kind: Pod
metadata: {{name: kube}}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 0
  volumes: [{{name: data, emptyDir: {{}}}}]
  containers:
  - name: one
    image: {image}
    imagePullPolicy: Never
    command: [sleep, "1000"]
    securityContext: {{readOnlyRootFilesystem: true}}
    volumeMounts: [{{name: data, mountPath: /data}}]
"""
QUADLET = """\
[Container]
Image={image}
Exec=sleep 1000
RunInit=true
ReadOnly=true
Network=none
Ulimit=nofile=1024:1024
Ulimit=nproc=4096:4096
PidsLimit=0
StopTimeout=0

[Service]
TimeoutStartSec=30
"""
USER = "kim"


@pytest.fixture(scope="module")
def users(run, podman):
    """podman of a user, in a unit of the user's manager."""
    run("useradd", "--create-home", "--groups", "users", USER)
    run("loginctl", "enable-linger", USER)
    run("systemctl", "start", f"user@{pwd.getpwnam(USER).pw_uid}.service")
    unit = ("systemd-run", "--user", f"--machine={USER}@", "--quiet", "--pipe", "--wait", "--collect")
    unit += ("--property=KillMode=process",)  # what podman leaves beside the container stays
    configuration = f"/home/{USER}/.config/containers/containers.conf.d"
    run(*unit, "mkdir", "-p", configuration)
    shutil.copy(FILES / "containers.conf", configuration)
    # pasta copies the host's routes, of which others may have left some that it cannot set.
    (Path(configuration) / "test.conf").write_text('[containers]\nnetns = "none"\n')
    podman("save", "--quiet", "-o", "/tmp/engines.tar", IMAGE)
    Path("/tmp/engines.tar").chmod(0o644)
    engine = Engine(run, *unit, "podman")
    engine("load", "--quiet", "-i", "/tmp/engines.tar")
    yield engine
    engine("rm", "--all", "--force", "--time", "0")
    Path("/tmp/engines.tar").unlink()
    run("loginctl", "disable-linger", USER)
    run("systemctl", "stop", f"user@{pwd.getpwnam(USER).pw_uid}.service")
    run("userdel", "--remove", USER)


class TestPodmanOfAUser:
    def test_a_command_runs_as_the_user(self, users):
        assert users.out("info", "--format", "{{.Host.OCIRuntime.Name}}") == "nsunit-oci"
        said = users("run", "--rm", IMAGE, "sh", "-c", "id -u; cut -c-22 /proc/self/uid_map; exit 7", check=False)
        uid = pwd.getpwnam(USER).pw_uid
        assert said.returncode == 7
        assert said.stdout.split()[:3] == ["0", "0", str(uid)]

    def test_it_is_in_a_scope_of_the_users_manager(self, users, run):
        name = users.start("--annotation", "org.systemd.property.CPUWeight=uint64 77")
        scope = f"libpod-{users.out('inspect', '--format', '{{.Id}}', name)}.scope"
        shown = run("systemctl", "--user", f"--machine={USER}@", "show", "--property=CPUWeight", scope).stdout
        assert shown == "CPUWeight=77\n"
        uid = pwd.getpwnam(USER).pw_uid
        assert os.stat(f"/proc/{users.pid(name)}").st_uid == uid
        assert f"user@{uid}.service/user.slice/{scope}" in Path(f"/proc/{users.pid(name)}/cgroup").read_text()
        assert users.out("exec", name, "sh", "-c", "cat /proc/1/comm; id -u") == "sh\n0"
        users("pause", name)
        users("unpause", name)
        users("update", "--pids-limit", "55", name)
        users("stop", "--time", "60", name)
        assert users.out("inspect", "--format", "{{.State.ExitCode}}", name) == "3"
        users("rm", name)
        assert list(Path(f"/run/user/{uid}/nsunit-oci").iterdir()) == []

    def test_other_users_inside(self, users):
        script = "id -u; touch /tmp/x && stat -c %u /tmp/x"
        assert users.out("run", "--rm", "--user", "1000", IMAGE, "sh", "-c", script) == "1000\n1000"
        assert users.out("run", "--rm", "--userns", "keep-id", IMAGE, "id", "-u") == str(pwd.getpwnam(USER).pw_uid)

    def test_it_has_a_network_of_pasta(self, users, run):
        # Its own address and way out: the routes of a bridge that others have left without a link it cannot set.
        network = "pasta:-4,-a,10.0.2.100,-n,24,-g,10.0.2.2"
        name = users.start("--network", network, "--publish", "127.0.0.1:8383:80", script="nc -ll -p 80 -e echo here")
        wait_until(lambda: run("busybox nc 127.0.0.1 8383 </dev/null", check=False).stdout == "here\n", "its answer")
        users("rm", "--force", "--time", "0", name)

    def test_groups_that_the_user_keeps(self, users):
        """Supplementary groups that have no place in the maps: run.oci.keep_original_groups."""
        said = users.out("run", "--rm", "--group-add", "keep-groups", IMAGE, "id", "-G")
        assert "65534" in said.split()

    def test_images_are_built(self, users, run):
        build = "podman build --isolation oci --network none -t localhost/of-kim -"
        script = f"printf 'FROM {IMAGE}\\nRUN id -u >/who\\n' | {build}"
        run(*users.words[:-1], "sh", "-c", script)
        assert users.out("run", "--rm", "localhost/of-kim", "cat", "/who") == "0"
