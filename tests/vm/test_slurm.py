"""Slurm with nsunit-oci below it: a controller and a node on one system, and the file of packaging/engines."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from packages import installed
from rootless import USER, user
from waiting import wait_until

__all__ = ["user"]  # a fixture

pytestmark = pytest.mark.once("Slurm is that of one release, and its answers do not depend on systemd")

OCI_CONF = Path("/usr/share/doc/nsunit/engines/oci.conf")
LINK, ADDRESS = "slurm0", "10.99.17.1"  # Slurm listens nowhere where there is no address but the loopback's
CONFIGURATION = f"""
ClusterName=test
SlurmctldHost={{name}}({ADDRESS})
AuthType=auth/munge
SlurmUser=slurm
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
NodeName={{name}} NodeAddr={ADDRESS} CPUs=1 State=UNKNOWN
KillWait=1
PartitionName=all Nodes=ALL Default=YES State=UP
"""
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
LEFT = "/etc/slurm", "/etc/munge", "/var/spool/slurmctld", "/var/spool/slurmd", "/var/lib/munge", "/var/log/munge"


@pytest.fixture(scope="module")
def srun(run):
    """A node that is idle, for srun(1)."""
    with installed(run, "slurm-wlm/*.deb"):
        run("ip", "link", "add", LINK, "type", "veth", "peer", "name", f"{LINK}-peer")
        run("ip", "address", "add", f"{ADDRESS}/24", "dev", LINK)
        run(f"ip link set {LINK} up; ip link set {LINK}-peer up")
        name = run("hostname", "--short").stdout.strip()
        directory = Path("/etc/slurm")
        directory.mkdir(exist_ok=True)
        (directory / "slurm.conf").write_text(CONFIGURATION.format(name=name))
        (directory / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
        shutil.copy(OCI_CONF, directory)
        run("install", "-d", "-o", "slurm", "/var/spool/slurmctld")
        run("systemctl", "start", "munge", "slurmctld", "slurmd")
        wait_until(lambda: "idle" in run("sinfo", "--noheader", check=False).stdout)
        yield
        run("systemctl", "stop", "slurmd", "slurmctld", "munge")
        wait_until(lambda: run("pgrep", "-u", "munge", check=False).returncode == 1)  # its user is removed with it
        run("ip", "link", "del", LINK)
    run("rm", "-rf", *LEFT)


@pytest.fixture(scope="module")
def bundle(workplace):
    """A bundle of root's with busybox; the program is srun's to say."""
    workplace.chmod(0o755)
    path = workplace / "bundle"
    (path / "rootfs/bin").mkdir(parents=True)
    for name in ("proc", "sys", "dev", "etc", "tmp"):
        (path / "rootfs" / name).mkdir()
    shutil.copy("/bin/busybox", path / "rootfs/bin/busybox")
    (path / "rootfs/bin/sh").symlink_to("busybox")
    return path


def write_config(run, bundle, owner):
    """config.json as it is for *owner*, without a terminal."""
    (bundle / "config.json").unlink(missing_ok=True)
    shutil.chown(bundle, owner)
    run("runuser", "--user", owner, "--", "nsunit-oci", "spec", "--rootless", "--bundle", str(bundle))
    config = json.loads((bundle / "config.json").read_text())
    config["process"]["terminal"] = False
    (bundle / "config.json").write_text(json.dumps(config))


def check_step(run, bundle, owner):
    write_config(run, bundle, owner)
    uid = run("id", "--user", owner).stdout.strip()
    words = ("runuser", "--user", owner, "--", "srun", "--quiet", "--chdir=/", f"--container={bundle}")
    script = "busybox id -u; busybox ls /; busybox cat /proc/self/uid_map; exit 7"
    done = run(*words, "/bin/sh", "-c", script, check=False)
    inside, *names = done.stdout.split()
    assert inside == "0" and {"bin", "proc", "tmp"} <= set(names) and "srv" not in names
    assert names[-3:] == ["0", uid, "1"]
    assert done.returncode == 7
    assert list(Path(f"/tmp/nsunit-oci-{uid}").iterdir()) == []


@pytest.mark.usefixtures("srun")
def test_a_step_runs_in_a_container_with_its_output_and_its_status(run, bundle):
    check_step(run, bundle, "root")


@pytest.mark.usefixtures("srun", "user")
def test_a_users_step_does_as_well(run, bundle):
    check_step(run, bundle, USER)


@pytest.mark.usefixtures("srun")
def test_each_task_of_a_step_has_a_container(run, bundle):
    write_config(run, bundle, "root")
    words = ("srun", "--quiet", "--ntasks=2", "--overcommit", "--chdir=/", f"--container={bundle}")
    script = "echo $$ $SLURM_PROCID of $SLURM_NTASKS"
    lines = sorted(line.split() for line in run(*words, "/bin/sh", "-c", script).stdout.splitlines())
    assert lines == [["1", "0", "of", "2"], ["1", "1", "of", "2"]]  # each is process 1 of its own
    assert list(Path("/tmp/nsunit-oci-0").iterdir()) == []


@pytest.mark.usefixtures("srun", "user")
@pytest.mark.parametrize("owner", ["root", USER])
def test_a_step_that_is_cancelled_leaves_nothing(run, bundle, owner):
    """Its program is process 1 in there, and takes no notice of SIGTERM: Slurm's SIGKILL comes after KillWait."""
    write_config(run, bundle, owner)
    (bundle / "config.json").chmod(0o644)
    uid = run("id", "--user", owner).stdout.strip()
    words = ("runuser", "--user", owner, "--", "srun", "--quiet", "--chdir=/", f"--container={bundle}")
    with subprocess.Popen([*words, "/bin/sh", "-c", "echo begun; exec busybox sleep 7777"], **PIPES) as step:
        assert step.stdout.readline() == "begun\n"
        job = run("squeue", "--noheader", "--format=%i").stdout.strip()
        run("scancel", job)
        assert "CANCELLED" in step.communicate(timeout=60)[0]
    wait_until(lambda: run("pgrep", "-f", "sleep 7777", check=False).returncode == 1, "the end of its program")
    wait_until(lambda: list(Path(f"/tmp/nsunit-oci-{uid}").iterdir()) == [], "the end of what is kept of it")
