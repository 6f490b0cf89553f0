"""Pods, networks, templates, volumes and whole projects of other tools are started, and do what they did there."""

import json
import os
import uuid
from pathlib import Path

import oci
import pytest

ANYWHERE = pytest.mark.anywhere("definitions of keys that have tests of their own on all releases")

APPLETS = ("sh", "sleep", "cat", "test", "touch", "id", "httpd", "wget", "hostname", "ls", "ip")


@pytest.fixture(scope="module")
def image(workplace, run):
    """An image of busybox."""
    name, place = f"localhost/t{uuid.uuid4().hex[:8]}:latest", workplace / uuid.uuid4().hex[:8]
    programs = [oci.link(f"bin/{applet}", "busybox") for applet in APPLETS]
    busybox = oci.entry("bin/busybox", data=Path("/bin/busybox").read_bytes(), mode=0o755)
    folders = [oci.directory(name) for name in ("bin", "srv")]
    oci.Layout(place).image([oci.archive([*folders, busybox, *programs])], Cmd=["sleep", "3600"])
    run("nsunit", "image", "import", str(place), "--name", name)
    return name


@pytest.fixture
def quadlets(image, run, tmp_path):
    """Writes files of Quadlet, imports them, and takes away what came of them."""
    written = []

    def brought(texts):
        for name, text in texts.items():
            (tmp_path / name).write_text(text.replace("IMAGE", image))
        done = run("nsunit", "import", "quadlet", str(tmp_path))
        written.extend(done.stdout.split())
        return done

    yield brought
    names = [Path(path).name.removesuffix(".nsunit") for path in written]
    running = [item["name"] for item in json.loads(run("nsunit", "list", "--json", "--all").stdout)]
    templates = tuple(name for name in names if name.endswith("@"))
    instances = [name for name in running if templates and name.startswith(templates)]
    containers = [name for name in names if not name.endswith((".pod", ".network", "@"))]
    run("nsunit", "rm", "--force", *containers, *instances, check=False)
    pods = [name for name in names if name.endswith(".pod")]
    if pods:
        run("nsunit", "stop", *pods)
    for path in written:
        os.unlink(path)


@pytest.mark.kernel("nftables")
def test_a_pod_with_two_containers(quadlets, run):
    """They have one network, with a port of the host's, and one of them starts the other and the pod."""
    pod, web, ask = (f"{kind}{uuid.uuid4().hex[:8]}" for kind in ("p", "w", "a"))
    done = quadlets(
        {
            f"{pod}.pod": "[Pod]\nPublishPort=127.0.0.1:18080:80\nHostName=shop\nDNS=192.0.2.53\n"
            "[Install]\nWantedBy=multi-user.target\n",
            f"{web}.container": f"[Container]\nImage=IMAGE\nPod={pod}.pod\n"
            "Exec=sh -c 'echo of the pod >/srv/index.html; exec httpd -f -h /srv'\n",
            f"{ask}.container": f"[Unit]\nRequires={web}.service\nAfter={web}.service\n"
            f"[Container]\nImage=IMAGE\nPod={pod}.pod\n",
        }
    )
    (remark,) = done.stderr.splitlines()
    assert "WantedBy: a pod has only" in remark
    run("nsunit", "verify", f"{pod}.pod", web, ask)
    run("nsunit", "start", ask)
    got = run(
        "nsunit",
        "exec",
        ask,
        "sh",
        "-c",
        "until wget -qO- 127.0.0.1:80; do sleep 0.1; done; hostname; cat /etc/resolv.conf",
    )
    assert got.stdout.splitlines()[:3] == ["of the pod", "shop", "nameserver 192.0.2.53"]
    assert run("busybox", "wget", "-qO-", "http://127.0.0.1:18080/").stdout == "of the pod\n"


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_a_network_a_template_and_a_volume(quadlets, run):
    net, web, ask, data = (f"{kind}{uuid.uuid4().hex[:8]}" for kind in ("n", "w", "a", "d"))
    done = quadlets(
        {
            f"{net}.network": "[Network]\nSubnet=10.77.3.0/24\nGateway=10.77.3.1\nIPRange=10.77.3.128/25\n",
            f"{data}.volume": "[Volume]\n",
            f"{web}.container": f"[Container]\nImage=IMAGE\nNetwork={net}.network\nContainerName=front\n"
            f"NetworkAlias=shop\nVolume={data}.volume:/srv\nExec=httpd -f -h /srv\n",
            f"{ask}@.container": f"[Container]\nImage=IMAGE\nNetwork={net}.network:ip=10.77.3.1%i\n"
            f"Volume={data}.volume:/data\nEnvironment=WHO=%i\n"
            "Exec=sh -c 'echo of %i >/data/%i && exec sleep 3600'\n",
        }
    )
    (remark,) = done.stderr.splitlines()
    assert f"ContainerName: the container is '{web}', after the file" in remark
    try:
        run("nsunit", "start", web, f"{ask}@5", f"{ask}@6")
        for host in ("front", "shop", web):
            got = run(
                "nsunit",
                "exec",
                f"{ask}@5",
                "sh",
                "-c",
                f"until wget -qO- http://{host}/6; do sleep 0.1; done; echo $WHO",
            )
            assert got.stdout == "of 6\n5\n"
        assert " 10.77.3.16/24 " in run("nsunit", "exec", f"{ask}@6", "ip", "-4", "addr", "show", "eth0").stdout
        run("nsunit", "rm", "--force", web, f"{ask}@5", f"{ask}@6")
        run("nsunit", "start", web)
        assert run("nsunit", "exec", web, "cat", "/srv/5").stdout == "of 5\n"
    finally:
        run("nsunit", "rm", "--force", web, f"{ask}@5", f"{ask}@6", check=False)
        run("nsunit", "volume", "rm", "--force", data, check=False)


PROJECT = """\
name: PROJECT
services:
  web:
    image: IMAGE
    command: httpd -f -h /data
    depends_on: {job: {condition: service_completed_successfully}, db: {condition: service_healthy}}
    networks: {front: {aliases: [shop]}, back: {}}
    configs: [{source: conf, target: /etc/web.conf, mode: 0440, uid: "33"}]
    secrets: [token, {source: word, target: /srv/word}]
    volumes: ["data:/data:ro"]
    ports: ["127.0.0.1:18081:80"]
  job:
    image: IMAGE
    command: ["sh", "-c", "echo of the job >/data/index.html"]
    volumes: ["data:/data"]
    network_mode: none
  db:
    image: IMAGE
    networks: {back: {ipv4_address: 10.77.4.9}}
    command: ["sh", "-c", "sleep 0.5; touch /srv/up; exec sleep 3600"]
    healthcheck: {test: test -e /srv/up, interval: 1s, start_interval: 100ms, start_period: 30s}
  ask:
    image: IMAGE
    depends_on: [web]
    networks: [front]
    extra_hosts: ["outside:192.0.2.1"]
networks:
  front:
  back: {internal: true, ipam: {config: [{subnet: 10.77.4.0/24}]}}
volumes: {data: }
configs: {conf: {content: "who=${WHO:-world}\\n"}}
secrets: {token: {file: ./token.txt}, word: {environment: WORD}}
"""


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_a_project_with_all_that_it_has(image, run, tmp_path):
    """Networks, volumes, configs, secrets, and what waits for what; once more as definitions that are started."""
    project = f"c{uuid.uuid4().hex[:8]}"
    (tmp_path / "compose.yaml").write_text(PROJECT.replace("IMAGE", image).replace("PROJECT", project))
    (tmp_path / "token.txt").write_text("of a file")
    (tmp_path / ".env").write_text("WORD=of the environment\n")

    def works():
        ask = ["nsunit", "exec", f"{project}-ask", "sh", "-c"]
        assert (
            run(*ask, "until wget -qO- http://shop/; do sleep 0.1; done; wget -qO- http://web/").stdout
            == "of the job\n" * 2
        )
        assert "192.0.2.1 outside" in run(*ask, "cat /etc/hosts").stdout.replace("\t", " ")
        assert run(*ask, "! wget -qO- http://db/ 2>&1").stdout
        got = run(
            "nsunit",
            "exec",
            f"{project}-web",
            "sh",
            "-c",
            "cat /etc/web.conf /run/secrets/token /srv/word; ls -ln /etc/web.conf; cat /etc/hosts",
        )
        assert got.stdout.startswith("who=world\nof a fileof the environment-r--r-----    1 33 ")
        assert "10.77.4.9 " in got.stdout.replace("\t", " ")
        assert run("busybox", "wget", "-qO-", "http://127.0.0.1:18081/").stdout == "of the job\n"

    try:
        told = run("nsunit", "up", str(tmp_path)).stderr
        assert "web.secrets.1: its value stands in the definition" in told and "no unit waits" not in told, told
        works()
        run("nsunit", "down", str(tmp_path))
        told = run("nsunit", "import", "compose", str(tmp_path)).stderr
        assert "no unit waits for the end of 'job'; 'nsunit up' waits for that" in told, told
        run("nsunit", "start", f"{project}-ask")
        works()
    finally:
        run("nsunit", "down", str(tmp_path))
        for path in Path("/etc/nsunit").glob(f"{project}-*.nsunit"):
            path.unlink()
        run("nsunit", "volume", "rm", "--force", f"{project}-data", check=False)


STACK = """\
name: PROJECT
services:
  web: {image: IMAGE, depends_on: [db], environment: {A: "${A:-1}"}, volumes: ["data:/data", "kept:/kept"]}
  db: {image: IMAGE}
  other: {image: IMAGE, scale: 2}
  debug: {image: IMAGE, profiles: [debug]}
volumes: {data: , kept: {external: true}}
"""


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_a_project_as_people_work_on_it(image, run, tmp_path):
    """In a directory of it: one service, what has changed, profiles, several files, and all of it down again."""
    project, place = f"c{uuid.uuid4().hex[:8]}", tmp_path / "deep/er"
    place.mkdir(parents=True)
    (place / "web").mkdir()  # as a directory with what is built, which the service is called like
    (tmp_path / "compose.yaml").write_text(STACK.replace("IMAGE", image).replace("PROJECT", project))
    (tmp_path / "compose.override.yaml").write_text("services: {db: {environment: {OVER: laid}}}\n")
    (tmp_path / "more.yaml").write_text("services: {db: {environment: {MORE: 1}}}\n")
    texts = Path("/run/nsunit/definitions")

    def pids():
        found = json.loads(run("nsunit", "list", "--json", f"{project}-*").stdout)
        return {item["name"].removeprefix(f"{project}-"): item["pid"] for item in found}

    def up(*words, **options):
        return run("nsunit", "up", *words, cwd=place, **options)

    try:
        up("web")
        first = pids()
        assert first.keys() == {"web", "db"}
        assert run("nsunit", "exec", f"{project}-db", "sh", "-c", "echo $OVER").stdout == "laid\n"
        assert up("-d", "--remove-orphans").stderr == ""
        second = pids()
        assert second.keys() == {"web", "db", "other@1", "other@2"} and first.items() <= second.items()
        (tmp_path / ".env").write_text("A=2\nCOMPOSE_PROFILES=debug\n")
        up("debug", "--scale", "other=1")
        third = pids()
        assert third.keys() == {*second, "debug"} and second.items() <= third.items()
        (tmp_path / ".env").write_text("A=2\n")
        up()
        fourth = pids()
        assert fourth.pop("web") != third.pop("web")
        assert fourth == third
        up("-f", "../../compose.yaml", "-f", "../../more.yaml", "db")
        assert run("nsunit", "exec", f"{project}-db", "sh", "-c", "echo $OVER $MORE").stdout == "1\n"
        done = up("no", check=False)
        assert (done.returncode, done.stderr) == (
            2,
            f"nsunit: 'no' is no service of {project}\n  hint: there are web, db, other\n",
        )
        bridge = json.loads(run("nsunit", "network", "inspect", "--json", f"{project}-default").stdout)[0]["bridge"]
        assert run("nsunit", "down", "db", cwd=place, check=False).returncode == 2
        run("nsunit", "down", cwd=place)
        assert pids() == {}
        assert not list(texts.glob(f"{project}-*"))
        assert not os.path.exists(f"/sys/class/net/{bridge}")
        assert f"{project}-data" in run("nsunit", "volume", "list").stdout
        other = Path(f"/etc/nsunit/{project}x.nsunit")
        other.write_text(f"[Container]\nLayer=/srv/roots/busybox\nExec=/bin/true\nVolume={project}-data:/d\n")
        done = run("nsunit", "down", "-v", cwd=place, check=False)
        other.unlink()
        assert f"nsunit: the volume '{project}-data' is used by {project}x\n" in done.stderr
        run("nsunit", "down", "-v", cwd=place)
        left = run("nsunit", "volume", "list").stdout
        assert f"{project}-data" not in left and "kept" in left
    finally:
        run("nsunit", "down", "-v", cwd=place)
        run("nsunit", "volume", "rm", "--force", "kept", check=False)
