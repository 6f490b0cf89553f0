"""Docker and containerd with nsunit-oci below them, as they come, with the files that packaging/engines has for them.

They come as packages beside the system: installed once, left as they are for the last of the tests.
"""

import json
from pathlib import Path

import pytest
from docker_api import Refused
from docker_daemon import IMAGE, docker, docker_packages
from engines import LOOP, Engine, on_a_terminal, podman
from waiting import wait_until

__all__ = ["docker", "docker_packages", "podman"]  # fixtures

pytestmark = pytest.mark.once("the engines are those of one release, and their answers do not depend on systemd")

COMPOSE = """\
services:
  web:
    image: {image}
    command: nc -ll -p 80 -e echo here
    ports: ["127.0.0.1:8282:80"]
    stop_grace_period: 0s
  asker:
    image: {image}
    depends_on: [web]
    command: sh -c 'until nc web 80 </dev/null; do sleep 0.2; done; sleep 1000'
    stop_grace_period: 0s
"""


@pytest.fixture
def no_container_left(docker):
    """Containers are removed, and nothing is left of them below the runtime's directory."""
    yield
    for item in docker.ask("GET", "/containers/json", all=1):
        docker.remove(item["Id"])
    wait_until(lambda: not list(Path("/run/docker/runtime-runc/moby").glob("*")), "their end")


@pytest.mark.kernel("nftables")
@pytest.mark.usefixtures("no_container_left")
class TestDocker:
    def test_it_knows_the_runtime(self, docker):
        told = docker.ask("GET", "/info")
        assert told["DefaultRuntime"] == "nsunit-oci"
        assert told["CgroupDriver"] == "systemd"
        features = told["Runtimes"]["nsunit-oci"]["status"]["org.opencontainers.runtime-spec.features"]
        assert json.loads(features)["ociVersionMax"] == "1.3.0"

    def test_a_command_runs_and_its_status_comes_back(self, docker):
        script = "id -u; cat /proc/1/comm /proc/self/oom_score_adj; ip -o addr | grep -c eth0; exit 7"
        assert docker.run(IMAGE, "sh", "-c", script) == ("0\nsh\n0\n1\n", 7)
        assert docker.run(IMAGE, "tty", tty=True) == ("/dev/pts/0\r\n", 0)

    def test_commands_are_executed_in_it(self, docker):
        container = docker.start(IMAGE, "sleep", "1000")
        assert docker.execute(container, "sh", "-c", "id -u; exit 5") == ("0\n", 5)
        assert docker.execute(container, "tty", tty=True) == ("/dev/pts/0\r\n", 0)
        said, status = docker.execute(container, "nonesuch")
        assert status == 126  # as with runc
        assert "executable file not found in $PATH" in said
        assert docker.execute(container, "echo", "on")[0] == "on\n"

    def test_its_processes_are_told(self, docker):
        container = docker.start(IMAGE, "sleep", "1000")
        (line,) = docker.ask("GET", f"/containers/{container}/top")["Processes"]
        assert line[-1] == "sleep 1000"
        assert int(line[1]) == docker.state(container)["Pid"]
        assert docker.ask("GET", f"/containers/{container}/stats", stream=0)["id"] == container

    def test_it_stands_still_and_ends(self, docker):
        container = docker.start(IMAGE, "sh", "-c", LOOP)
        docker.ask("POST", f"/containers/{container}/pause")
        assert docker.state(container)["Status"] == "paused"
        docker.ask("POST", f"/containers/{container}/unpause")
        docker.ask("POST", "/commit", {}, container=container, repo="localhost/committed", pause=1)
        docker.ask("POST", f"/containers/{container}/restart", t=0)
        assert docker.state(container)["Status"] == "running"
        wait_until(lambda: len(docker.ask("GET", f"/containers/{container}/top")["Processes"]) == 2, "its loop")
        docker.ask("POST", f"/containers/{container}/stop", t=60)
        assert docker.state(container)["ExitCode"] == 3
        docker.ask("POST", f"/containers/{container}/start")
        docker.ask("POST", f"/containers/{container}/kill", signal="KILL")
        assert docker.ask("POST", f"/containers/{container}/wait")["StatusCode"] == 137

    def test_its_health_is_checked(self, docker):
        check = {"Test": ["CMD", "true"], "Interval": 1_000_000_000, "Retries": 1}
        said = {"Image": IMAGE, "Cmd": ["sleep", "1000"], "Healthcheck": check}
        container = docker.ask("POST", "/containers/create", said)["Id"]
        docker.ask("POST", f"/containers/{container}/start")
        wait_until(lambda: docker.state(container)["Health"]["Status"] == "healthy", "its health")

    def test_what_is_wrong_is_told_in_its_words(self, docker):
        container = docker.create(IMAGE, "nonesuch")
        with pytest.raises(Refused) as refused:
            docker.ask("POST", f"/containers/{container}/start")
        assert 'exec: "nonesuch": executable file not found in $PATH' in str(refused.value)
        assert docker.state(container)["ExitCode"] == 127

    def test_compose(self, docker, run, tmp_path):
        (tmp_path / "compose.yaml").write_text(COMPOSE.format(image=IMAGE))
        compose = Engine(run, "docker-compose", "--project-directory", str(tmp_path), "--project-name", "shop")
        compose("up", "--detach", "--pull", "never")
        wait_until(lambda: run("busybox nc 127.0.0.1 8282 </dev/null", check=False).stdout == "here\n", "its answer")
        wait_until(lambda: "here" in compose.out("logs", "asker"), "the other's answer")
        assert compose("exec", "-T", "web", "sh", "-c", "exit 6", check=False).returncode == 6
        assert compose.out("ps", "--services").split() == ["asker", "web"]
        compose("down")


@pytest.fixture(scope="module")
def ctr(docker_packages, podman, run):
    """containerd by ctr, with busybox as an image."""
    run("systemctl", "start", "containerd")
    podman("save", "--format", "oci-archive", "-o", "/tmp/engines.oci", IMAGE)
    engine = Engine(run, "ctr")
    engine("images", "import", "/tmp/engines.oci")
    Path("/tmp/engines.oci").unlink()
    return engine


OWN = ("--runtime", "io.containerd.runc.v2", "--runc-binary", "/usr/bin/nsunit-oci", "--runc-systemd-cgroup")


def in_scope(name):
    """What ctr is told to have a container in a scope of systemd's."""
    return (*OWN, "--cgroup", f"system.slice:ctr:{name}")


class TestContainerd:
    def test_a_command_runs_and_its_status_comes_back(self, ctr):
        script = "id -u; cat /proc/1/comm; exit 7"
        done = ctr("run", "--rm", *in_scope("c1"), IMAGE, "c1", "sh", "-c", script, check=False)
        assert (done.stdout, done.returncode) == ("0\nsh\n", 7)
        said, status = on_a_terminal("ctr", "run", "--rm", "-t", *in_scope("c2"), IMAGE, "c2", "tty")
        assert (said, status) == ("/dev/pts/0\n", 0)

    def test_it_is_looked_at_and_ends(self, ctr, run):
        ctr("run", "-d", *in_scope("c3"), IMAGE, "c3", "sleep", "1000")
        assert "sleep 1000" in run("systemctl", "status", "--no-pager", "ctr-c3.scope").stdout
        assert ctr.out("task", "exec", "--exec-id", "e1", "c3", "echo", "there") == "there"
        ctr("task", "pause", "c3")
        assert "PAUSED" in ctr.out("task", "ls")
        ctr("task", "resume", "c3")
        assert len(ctr.out("task", "ps", "c3").splitlines()) == 2
        ctr("task", "kill", "--signal", "SIGKILL", "c3")
        wait_until(lambda: "STOPPED" in ctr.out("task", "ls"), "its end")
        ctr("task", "delete", "c3", check=False)
        ctr("container", "delete", "c3")
        assert ctr.out("task", "ls", "-q") == ""
        assert list(Path("/run/containerd/runc/default").glob("*")) == []
