"""Definitions of other tools come in, start, and do there what they did."""

import json
import os
import socket
import subprocess
import uuid
from pathlib import Path

import oci
import pytest

from nsunit.definition.words import split
from nsunit.imports import find
from nsunit.imports.model import Given

GENERATOR = "/usr/lib/systemd/system-generators/podman-system-generator"
# Each key of [Container] of podman-systemd.unit(5) that stands for options of 'podman run', podman 5.4.
KEYS = """
AddCapability=NET_RAW CAP_SYS_NICE
AddDevice=/dev/fuse:/dev/fuse:rw
AddHost=printer:192.0.2.9
Annotation="a.b=c d"
AutoUpdate=registry
CgroupsMode=no-conmon
ContainersConfModule=/etc/nvd.conf
DNS=192.0.2.53
DNSOption=ndots:1
DNSSearch=example.com
DropCapability=ALL CHOWN
Entrypoint=["/bin/sh", "-c"]
Environment=A=b "C=d e"
EnvironmentFile=/etc/environment
EnvironmentHost=true
Exec=sleep "a b" --port "\\x41"
ExposeHostPort=50-59
GIDMap=0:10000:1000
GroupAdd=keep-groups
HealthCmd=curl -f http://localhost || exit 1
HealthInterval=2m
HealthLogDestination=/foo/log
HealthMaxLogCount=5
HealthMaxLogSize=500
HealthOnFailure=kill
HealthRetries=5
HealthStartPeriod=1m
HealthStartupCmd=command
HealthStartupInterval=5s
HealthStartupRetries=8
HealthStartupSuccess=2
HealthStartupTimeout=1m33s
HealthTimeout=20s
HostName=example.com
IP=10.88.64.128
IP6=2001:db8::1
Label="x=y z"
LogDriver=none
LogOpt=tag=all
Mask=/proc/sys/foo:/proc/sys/bar
Mount=type=bind,source=/srv/m,target=/m,ro=true
Mount=type=tmpfs,destination=/scratch,tmpfs-size=10m
Mount=type=volume,source=data,destination=/data
Network=host
NetworkAlias=alias
NoNewPrivileges=true
Notify=true
Notify=healthy
PidsLimit=10000
PodmanArgs=--cpus 1.5 --blkio-weight=500 -e Z=1
PublishPort=8080:80
PublishPort=127.0.0.1:53:53/udp
PublishPort=9000
Pull=newer
ReadOnly=true
RunInit=true
SeccompProfile=/tmp/s.json
Secret=token,type=env,target=TOKEN
Secret=key,uid=33,mode=0400
SecurityLabelDisable=true
SecurityLabelFileType=usr_t
SecurityLabelLevel=s0:c1,c2
SecurityLabelNested=true
SecurityLabelType=spc_t
ShmSize=100m
StopSignal=SIGINT
StopTimeout=20
SubGIDMap=gtest
SubUIDMap=utest
Sysctl=net.ipv4.ip_default_ttl=32 kernel.msgmax=8192
Timezone=Europe/Berlin
Tmpfs=/work:size=10m,noexec
UIDMap=0:10000:1000
Ulimit=nofile=1000:10000
Unmask=ALL
User=7
UserNS=auto
Volume=/srv/data:/data:Z
Volume=data:/var/lib/data
Volume=/cache
WorkingDir=/srv
""".strip().splitlines()


@pytest.fixture(scope="module")
def image(workplace, run):
    """An image of busybox."""
    name, place = f"localhost/t{uuid.uuid4().hex[:8]}:latest", workplace / uuid.uuid4().hex[:8]
    busybox = Path("/bin/busybox").read_bytes()
    programs = [oci.link(f"bin/{applet}", "busybox") for applet in ("sh", "sleep", "cat", "test", "touch", "id")]
    archive = oci.archive([oci.directory("bin"), oci.entry("bin/busybox", data=busybox, mode=0o755), *programs])
    oci.Layout(place).image([archive], Cmd=["sleep", "3600"])
    run("nsunit", "image", "import", str(place), "--name", name)
    return name


def parts(imported):
    (draft,) = imported.drafts
    lines = sorted((line.section, line.key, line.value) for line in draft.lines)
    return lines, sorted({(remark.reason, remark.instead) for remark in imported.remarks})


def generated(folder):
    """The words of 'podman run' that podman's generator makes of each file in *folder*, by its name."""
    done = subprocess.run(
        [GENERATOR, "--dryrun"], env={**os.environ, "QUADLET_UNIT_DIRS": str(folder)}, capture_output=True, text=True
    )
    found = {}
    for part in done.stdout.split("\n---"):
        name = part.removeprefix("---").partition(".service---")[0]
        for line in part.splitlines():
            if line.startswith("ExecStart="):
                found[name] = split(line.removeprefix("ExecStart="), c_escapes=True)
    return found


@pytest.mark.once("podman has a part in it, and systemd none")
def test_each_key_of_quadlet_is_what_podmans_generator_makes_of_it(tmp_path):
    texts = {}
    for number, line in enumerate(KEYS):
        path = tmp_path / f"k{number}.container"
        path.write_text(f"[Container]\nImage=localhost/x\n{line}\n")
        texts[f"k{number}"] = (str(path), path.read_text())
    made = generated(tmp_path)
    assert not [KEYS[int(name[1:])] for name in texts.keys() - made.keys()]
    for name, text in texts.items():
        own = parts(find("quadlet").convert(Given((text,))))
        words = [word for word in made[name] if word not in ("--rm", "--replace") and "%t" not in word]
        others = parts(find("run").convert(Given(arguments=tuple(words), name=name)))
        assert own == others, KEYS[int(name[1:])]


def test_a_quadlet_starts_and_is_what_it_says(containers, image, run, tmp_path):
    name = f"q{uuid.uuid4().hex[:8]}"
    box = containers.of(containers.own(name))
    containers.files.append(Path(f"/etc/nsunit/{name}.nsunit"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/mine").write_text("of the host")
    os.chown(tmp_path / "data/mine", 33, 33)
    (tmp_path / "data/mine").chmod(0o600)
    (tmp_path / f"{name}.container").write_text(
        f"[Container]\nImage={image}\nUser=33\nGroup=33\nEnvironment='A=b c'\nVolume=./data:/data\nLabel=a=b\n"
        "Tmpfs=/scratch\nReadOnly=true\nExec=sh -c 'touch /scratch/x && exec sleep 3600'\nDropCapability=all\n"
        "Ulimit=nofile=100:200\nHostName=box\nNetwork=none\nStopTimeout=1\n[Service]\nRestart=on-failure\nType=notify\n"
    )
    done = run("nsunit", "import", "quadlet", str(tmp_path))
    assert done.stdout == f"/etc/nsunit/{name}.nsunit\n"
    (remark,) = done.stderr.splitlines()
    assert remark.startswith(f"nsunit: {tmp_path}/{name}.container:18: Type: nsunit tells systemd itself")
    run("nsunit", "verify", name)
    run("nsunit", "start", name)
    assert (box.root / "data/mine").read_text() == "of the host"
    inside = run("nsunit", "exec", "--uid=33", name, "sh", "-c", "id -u; cat /data/mine; echo $A; ulimit -n").stdout
    assert inside.splitlines() == ["33", "of the hostb c", "100"]
    assert box.status()["CapBnd"] == "0" * 16
    assert (box.root / "scratch/x").exists()
    shown = run("systemctl", "show", "-p", "Restart", "-p", "TimeoutStopUSec", box.service).stdout
    assert shown == "TimeoutStopUSec=1s\nRestart=on-failure\n" or shown == "Restart=on-failure\nTimeoutStopUSec=1s\n"
    again = run("nsunit", "import", "quadlet", str(tmp_path), check=False)
    assert again.returncode == 1
    assert "is there already" in again.stderr


def test_what_a_quadlet_needs_is_needed_from_boot_on(containers, image, run, tmp_path):
    """A dash in a name is an escape in that of its unit, in unit files as well."""
    names = [f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("web", "db")]
    web, db = (containers.of(containers.own(name)) for name in names)
    containers.files += [Path(f"/etc/nsunit/{name}.nsunit") for name in names]
    text = f"[Container]\nImage={image}\nNetwork=none\n"
    needs = f"[Unit]\nRequires={db.name}.service\nAfter={db.name}.container\n"
    (tmp_path / f"{web.name}.container").write_text(needs + text)
    (tmp_path / f"{db.name}.container").write_text(text)
    run("nsunit", "import", "quadlet", str(tmp_path))
    run("nsunit", "enable", db.name, web.name)
    try:
        for key in ("Requires", "After"):
            shown = run("systemctl", "show", "-p", key, web.service).stdout.strip().partition("=")[2]
            assert db.service in split(shown, c_escapes=True)
        run("systemctl", "start", web.service)
        assert db.pid and web.pid
    finally:
        run("nsunit", "disable", "--now", web.name, db.name)


@pytest.mark.once("podman has a part in it, and systemd none")
def test_a_container_of_podmans(run, tmp_path):
    name = f"p{uuid.uuid4().hex[:8]}"
    (tmp_path / "root.tar").write_bytes(oci.archive([oci.directory("bin"), oci.file("bin/sleep", mode=0o755)]))
    run("podman", "import", str(tmp_path / "root.tar"), f"localhost/{name}")
    run("podman", "create", "--name", name, "-e", "A=b", "-m", "64m", f"localhost/{name}", "sleep", "3")
    try:
        found = json.loads(run("nsunit", "import", "run", "--from-container", name, "--dry-run", "--json").stdout)
    finally:
        run("podman", "rm", name)
        run("podman", "rmi", f"localhost/{name}")
    (definition,) = found["definitions"]
    assert definition["name"] == name
    for line in (f"Image=localhost/{name}", "Environment=A=b", "Exec=sleep 3", "MemoryMax=64M"):
        assert line in definition["text"].splitlines()
    assert found["remarks"] == []


def compose(place, image):
    project = f"c{uuid.uuid4().hex[:8]}"
    (place / "token").write_text("secret")
    (place / ".env").write_text("WHO=world\n")
    (place / "compose.yaml").write_text(
        f"""\
name: {project}
x-all: &all
  image: {image}
  volumes: ["data:/data"]
services:
  web:
    <<: *all
    command: ["sh", "-c", "test -e /data/migrated && test -e /data/healthy && exec sleep 3600"]
    depends_on:
      db: {{condition: service_healthy}}
      migrate: {{condition: service_completed_successfully}}
    mem_limit: 32M
    deploy: {{resources: {{limits: {{memory: 64M}}}}}}
    environment: {{GREETING: "hello ${{WHO}} $$5"}}
    secrets: [token]
  db:
    <<: *all
    command: ["sh", "-c", "test -e /data/go || sleep 1; touch /data/healthy; exec sleep 3600"]
    healthcheck: {{test: ["CMD", "test", "-e", "/data/healthy"], start_interval: 100ms, start_period: 30s}}
  migrate:
    <<: *all
    command: ["touch", "/data/migrated"]
    stop_grace_period: 5m  # what detaches it has as long; an emulated machine needs some of it
  worker:
    image: {image}
    scale: 2
secrets: {{token: {{file: ./token}}}}
volumes: {{data: {{}}}}
"""
    )
    return project


@pytest.fixture
def project(image, run, tmp_path):
    name = compose(tmp_path, image)
    yield name
    run("nsunit", "down", str(tmp_path))
    run("nsunit", "volume", "rm", "--force", f"{name}-data", check=False)


def running(run, project):
    names = [item["name"] for item in json.loads(run("nsunit", "list", "--json").stdout)]
    return sorted(name.removeprefix(f"{project}-") for name in names if name.startswith(f"{project}-"))


@pytest.mark.kernel("nftables")
def test_a_compose_file_goes_up_and_down(project, run, tmp_path):
    done = run("nsunit", "up", str(tmp_path))
    assert "nothing" not in done.stderr
    assert running(run, project) == ["db", "web", "worker@1", "worker@2"]
    inside = run("nsunit", "exec", f"{project}-web", "sh", "-c", "echo $GREETING; cat /run/secrets/token /etc/hosts")
    greeting, *hosts = inside.stdout.splitlines()
    assert greeting == "hello world $5"
    assert hosts[0].startswith("secret")
    assert any(line.endswith(f" {project}-db db") for line in hosts)
    slice_ = f"nsunit-{project}\\x2dweb.slice"
    assert run("systemctl", "show", "-p", "MemoryMax", slice_).stdout == f"MemoryMax={64 << 20}\n"
    before = run("systemctl", "show", "-p", "MainPID", f"nsunit-{project}\\x2dweb.service").stdout

    run("nsunit", "up", "--quiet", "--scale", "worker=1", str(tmp_path / "compose.yaml"))  # another definition of it
    assert running(run, project) == ["db", "web", "worker"]
    assert run("systemctl", "show", "-p", "MainPID", f"nsunit-{project}\\x2dweb.service").stdout == before

    run("nsunit", "down", str(tmp_path))
    assert running(run, project) == []
    assert not [name for name in os.listdir("/run/nsunit/definitions") if name.startswith(project)]
    assert f"{project}-data" in run("nsunit", "volume", "list").stdout


@pytest.mark.kernel("nftables")
def test_a_project_of_which_a_service_is_enabled(image, run, tmp_path):
    project = f"p{os.urandom(4).hex()}"
    path = tmp_path / "compose.yaml"
    text = f"""name: {project}
services:
  web:
    image: {image}
    command: [sleep, "3600"]
    environment: {{A: one}}
  job:
    image: {image}
    command: [touch, /written]
"""
    path.write_text(text)
    web, job = f"{project}-web", f"{project}-job"
    try:
        run("nsunit", "up", str(tmp_path))
        run("nsunit", "enable", web)
        run("nsunit", "wait", job)
        # Changed, it is started anew, and at boot, too; what has ended and is in the file no more is gone.
        path.write_text(text[: text.index("  job")].replace("A: one", "A: two"))
        run("nsunit", "up", str(tmp_path))
        assert run("nsunit", "exec", web, "sh", "-c", "echo $A").stdout == "two\n"
        run("systemctl", "restart", f"nsunit-{web}.service")
        assert run("nsunit", "exec", web, "sh", "-c", "echo $A").stdout == "two\n"
        assert not Path(f"/var/lib/nsunit/containers/{job}").exists()
        # Nothing is stopped where something could not go.
        path.write_text(text.replace("  web:", "  other:"))
        for words in (("up",), ("down",)):
            done = run("nsunit", *words, str(tmp_path), check=False)
            said = f"nsunit: {web}: it is enabled\n  hint: 'nsunit disable --now {web}' first; nothing was stopped\n"
            assert (done.returncode, done.stderr) == (1, said)
            assert running(run, project) == ["web"]
    finally:
        run("nsunit", "disable", "--now", web, check=False)
        run("nsunit", "down", str(tmp_path))
    assert not [name for name in os.listdir("/var/lib/nsunit/containers") if name.startswith(project)]


@pytest.mark.kernel("nftables")
def test_what_needs_a_service_that_does_not_start_is_not_started(project, run, tmp_path):
    path = tmp_path / "compose.yaml"
    path.write_text(path.read_text().replace('"touch", "/data/migrated"', '"test", "-e", "/nowhere"'))
    done = run("nsunit", "up", str(tmp_path), check=False)
    assert done.returncode == 1
    assert f"{project}-migrate: ended with failure" in done.stderr or f"nsunit: {project}-migrate" in done.stderr
    assert f"{project}-migrate is not up, so others were not started: {project}-web" in done.stderr
    assert "web" not in running(run, project)


@pytest.mark.kernel("nftables")
def test_what_was_refused_is_in_the_way_of_no_up_or_down(image, run, tmp_path):
    """It was "there is no such container": of the service nothing ran any more, and down ended with 3."""
    project = f"p{os.urandom(4).hex()}"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = f"""name: {project}
services:
  web: {{image: {image}, command: [sleep, "3600"], init: true, ports: ["{port}:80"]}}
"""
    (tmp_path / "compose.yaml").write_text(text)
    for after in (["up"], ["down"]):
        done = run("nsunit", "up", "--scale", "web=2", str(tmp_path), check=False)
        assert (done.returncode, f"{port}/tcp is published by container" in done.stderr) == (1, True), done.stderr
        assert running(run, project) == ["web@1", "web@2"]
        done = run("nsunit", *after, str(tmp_path))
        assert done.stderr == ""
        assert running(run, project) == (["web"] if after == ["up"] else [])


def test_a_scale_of_no_service(project, run, tmp_path):
    done = run("nsunit", "up", "--scale", "no=1", str(tmp_path), check=False)
    assert done.returncode == 2
    assert f"'no' is no service of {project}" in done.stderr
    done = run("nsunit", "up", "--scale", "web", str(tmp_path), check=False)
    assert "'web' is not SERVICE=NUMBER\n  hint: e.g. --scale web=3" in done.stderr
