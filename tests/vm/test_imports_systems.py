"""Machines of systemd-nspawn, containers of LXC, bundles and services come in, start, and do there what they did."""

import json
import os
import subprocess
import uuid
from pathlib import Path

import pytest
from test_imports import generated

from nsunit.imports import find
from nsunit.imports.model import Given

ANYWHERE = pytest.mark.anywhere("definitions of keys that have tests of their own on all releases")

PACKAGES = Path("/srv/packages/lxc-templates")  # LXC's own configurations, where the machine has them
APPLETS = ("sh", "sleep", "cat", "init", "touch", "id", "test", "hostname", "poweroff")


def tree(place):
    """A root with busybox, whose init is no systemd."""
    for folder in ("bin", "sbin", "etc", "usr", "proc", "sys", "dev", "run", "tmp", "srv"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    (place / "bin/busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (place / "bin/busybox").chmod(0o755)
    for applet in APPLETS:
        (place / "bin" / applet).symlink_to("busybox")
    (place / "sbin/init").symlink_to("../bin/busybox")
    (place / "etc/inittab").write_text("::sysinit:/bin/touch /run/is-up\n::respawn:/bin/sleep 3600\n")
    place.chmod(0o755)
    return place


@pytest.fixture
def box(containers, tmp_path):
    """A container of a name of its own, whose definition is not there yet, with the tree `root` beside it."""
    found = containers.of(containers.own(f"i{uuid.uuid4().hex[:8]}"))
    containers.files.append(Path(f"/etc/nsunit/{found.name}.nsunit"))
    found.place = tmp_path
    return found


def shown(run, *keys, unit):
    """What systemd says of *unit*."""
    lines = run("systemctl", "show", *(f"--property={key}" for key in keys), unit).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_a_machine_with_an_nspawn_file_and_drop_ins(box, run):
    root = tree(box.place / "trees/root")
    (box.place / "data").mkdir()
    (box.place / "data/mine").write_text("of the host")
    (box.place / f"{box.name}.nspawn").write_text(
        f"[Exec]\nBoot=no\nParameters=/bin/sh -c 'echo $A >/tmp/said; exec sleep 3600'\nEnvironment=\"A=b c\"\n"
        f"Hostname=web\nLimitNOFILE=100:200\n[Files]\nBind={box.place}/data:/data\nTemporaryFileSystem=/tmp\n"
        "[Network]\nVirtualEthernet=no\nPrivate=yes\n"
    )
    unit = box.place / f"systemd-nspawn@{box.name}.service"
    unit.write_text(f"[Service]\nExecStart=systemd-nspawn -qD {root} --settings=override -M %i\nSlice=machine.slice\n")
    Path(f"{unit}.d").mkdir()
    Path(f"{unit}.d/limits.conf").write_text("[Service]\nMemoryMax=64M\nRestart=on-failure\n")
    done = run("nsunit", "import", "nspawn", str(box.place))
    assert (done.stdout, done.stderr) == (f"/etc/nsunit/{box.name}.nsunit\n", "")
    run("nsunit", "start", box.name)
    inside = run("nsunit", "exec", box.name, "sh", "-c", "cat /tmp/said /data/mine; hostname; ulimit -n").stdout
    assert inside.split("\n")[:-1] == ["b c", "of the hostweb", "100"]
    assert shown(run, "MemoryMax", unit=f"nsunit-{box.name}.slice") == {"MemoryMax": str(64 << 20)}
    assert shown(run, "Restart", unit=box.service) == {"Restart": "on-failure"}


@pytest.mark.once("a whole system starts, which test_boot.py shows on each systemd")
def test_a_command_line_of_a_whole_system(box, run):
    """The machine's own root is the tree; nothing is written to it."""
    root = box.place / "root"
    root.mkdir()
    run("mount", "--bind", "/", str(root))
    try:
        words = ["systemd-nspawn", f"-bD{root}", "-M", box.name, "--volatile=overlay", "--private-network"]
        words += ["--bind-ro=/dev/null:/etc/systemd/system/test-agent.service"]
        done = run("nsunit", "import", "nspawn", "--", *words)
        assert done.stderr == ""
        run("nsunit", "start", box.name)
        assert run("nsunit", "exec", box.name, "systemctl", "is-active", "multi-user.target").stdout == "active\n"
    finally:
        run("nsunit", "stop", box.name, check=False)
        run("umount", "--lazy", str(root))


@pytest.mark.kernel("nftables")
@ANYWHERE
def test_what_stands_beside_an_image_gives_no_privileges(box, run):
    root = tree(Path(f"/var/lib/machines/{box.name}"))
    settings = Path(f"/var/lib/machines/{box.name}.nspawn")
    settings.write_text("[Exec]\nBoot=no\nParameters=/bin/sleep 3600\nCapability=all\n[Files]\nBind=/\n")
    try:
        found = json.loads(run("nsunit", "import", "nspawn", str(settings), "--dry-run", "--json").stdout)
        assert sorted(remark["key"] for remark in found["remarks"]) == ["Bind", "Capability"]
        run("nsunit", "import", "nspawn", str(settings), "--quiet")
        run("nsunit", "start", box.name)
        assert box.status()["CapBnd"] != "000001ffffffffff"
        assert not (box.root / "boot").exists()
    finally:
        run("nsunit", "stop", box.name, check=False)
        settings.unlink()
        run("rm", "-rf", "--one-file-system", str(root))


@ANYWHERE
def test_a_container_of_lxc(box, run):
    root = tree(box.place / box.name / "rootfs")
    (box.place / "data").mkdir()
    (box.place / f"{box.name}/config").write_text(
        f"lxc.rootfs.path = dir:{root}\nlxc.uts.name = web\nlxc.net.0.type = empty\nlxc.signal.halt = SIGUSR2\n"
        f"lxc.environment = A=b c\nlxc.cgroup2.memory.max = 64M\nlxc.prlimit.nofile = 100:200\n"
        f"lxc.mount.entry = {box.place}/data mnt/data none bind,create=dir 0 0\n"
        "lxc.mount.entry = /nowhere mnt/no none bind,optional,create=dir 0 0\n"
        "lxc.cap.drop = mknod sys_nice\nlxc.hook.pre-start = /bin/false\n"
    )
    done = run("nsunit", "import", "lxc", str(box.place / box.name))
    (remark,) = done.stderr.splitlines()
    assert "lxc.hook.pre-start: hooks do not run; use [Service] ExecStartPre=" in remark
    run("nsunit", "start", box.name)
    run("nsunit", "exec", box.name, "sh", "-c", "until test -e /run/is-up; do sleep 0.05; done")
    inside = run("nsunit", "exec", box.name, "sh", "-c", "hostname; echo $A; ulimit -n; test -d /mnt/data && id -u")
    assert inside.stdout.split("\n")[:-1] == ["web", "b c", "100", "0"]
    assert Path(f"/proc/{box.pid}/comm").read_text() == "init\n"
    assert not int(box.status()["CapBnd"], 16) & (1 << 27 | 1 << 23)
    assert shown(run, "MemoryMax", unit=f"nsunit-{box.name}.slice") == {"MemoryMax": str(64 << 20)}
    run("nsunit", "stop", box.name)
    assert shown(run, "Result", unit=box.service)["Result"] == "success"


@ANYWHERE
def test_a_container_of_lxc_whose_files_are_those_of_a_range(box, run):
    """As an unprivileged one of LXC's is on disk: root's files belong to the first id of its map."""
    root = tree(box.place / box.name / "rootfs")
    start = 1_600_000_000
    run("chown", "-hR", f"{start}:{start}", str(root))
    (box.place / f"{box.name}/config").write_text(
        f"lxc.rootfs.path = dir:{root}\nlxc.init.cmd = /bin/sleep 3600\nlxc.idmap = u 0 {start} 65536\n"
        f"lxc.idmap = g 0 {start} 65536\nlxc.net.0.type = empty\n"
    )
    assert run("nsunit", "import", "lxc", str(box.place / box.name)).stderr == ""
    run("nsunit", "start", box.name)
    maps = Path(f"/proc/{box.pid}/uid_map").read_text().split()
    assert maps == ["0", str(start), "65536"]
    assert run("nsunit", "exec", box.name, "sh", "-c", "touch /srv/new && exec id -u").stdout == "0\n"
    assert {(root / name).lstat().st_uid for name in ("bin/sh", "etc/inittab", "srv/new")} == {start}


@pytest.mark.kernel("nftables")
@pytest.mark.once("LXC has a part in it, and systemd none")
@pytest.mark.parametrize("system", ["debian", "alpine"])
def test_the_configurations_of_lxcs_templates(box, run, system, tmp_path):
    """As lxc-create writes them for a system, with LXC's own includes, old and new."""
    for package in PACKAGES.glob("*lxc*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, tmp_path / "lxc"], check=True)
    config = tmp_path / "lxc/usr/share/lxc/config"
    for path in config.glob("*.conf"):
        path.write_text(path.read_text().replace("/usr/share/lxc/config", str(config)))
    root = tree(tmp_path / box.name / "rootfs")
    default = (tmp_path / "lxc/etc/lxc/default.conf").read_text()
    (tmp_path / f"{box.name}/config").write_text(
        f"{default}lxc.include = {config}/{system}.common.conf\nlxc.rootfs.path = dir:{root}\n"
        f"lxc.uts.name = {box.name}\nlxc.arch = amd64\n"
    )
    found = json.loads(run("nsunit", "import", "lxc", str(tmp_path / box.name), "--json").stdout)
    keys = {remark["key"] for remark in found["remarks"]}
    assert keys <= {
        *("lxc.apparmor.profile", "lxc.hook.clone", "lxc.seccomp.profile", "lxc.tty.max", "lxc.mount.entry"),
    }
    text = found["definitions"][0]["text"]
    assert "Network=bridge\n" in text and "Capability=-MAC_ADMIN" in text
    run("nsunit", "start", box.name)
    assert os.readlink(f"/proc/{box.pid}/exe") == "/bin/busybox"


@ANYWHERE
def test_a_bundle(box, run):
    """As 'runc spec' writes it, with an own program and a bind."""
    bundle = box.place / box.name
    tree(bundle / "rootfs")
    (bundle / "data").mkdir()
    (bundle / "data/mine").write_text("of the bundle")
    namespaces = [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")]
    process = {
        "terminal": False,
        "user": {"uid": 33, "gid": 33, "additionalGids": [4]},
        "args": ["/bin/sh", "-c", "echo $A >/scratch/said; exec sleep 3600"],
        "env": ["PATH=/bin", "A=b c"],
        "cwd": "/srv",
        "capabilities": {"bounding": ["CAP_KILL"]},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}],
        "noNewPrivileges": True,
    }
    config = {
        "ociVersion": "1.0.2",
        "process": process,
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "web",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/data", "type": "bind", "source": "data", "options": ["rbind", "ro"]},
            {"destination": "/scratch", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]},
        ],
        "linux": {"namespaces": namespaces, "resources": {"memory": {"limit": 64 << 20}}},
    }
    (bundle / "config.json").write_text(json.dumps(config))
    done = run("nsunit", "import", "bundle", str(bundle))
    assert (done.stdout, done.stderr) == (f"/etc/nsunit/{box.name}.nsunit\n", "")
    run("nsunit", "start", box.name)
    inside = run(
        "nsunit", "exec", box.name, "sh", "-c", "cat /scratch/said /data/mine; hostname; ulimit -n; id -u; pwd"
    )
    assert inside.stdout.split("\n")[:-1] == ["b c", "of the bundleweb", "100", "33", "/srv"]
    assert box.status()["CapBnd"] == f"{1 << 5:016x}"
    assert shown(run, "MemoryMax", unit=f"nsunit-{box.name}.slice") == {"MemoryMax": str(64 << 20)}


def test_a_portable_service(box, run, tmp_path):
    """The tree that portablectl would attach: its unit starts the same program in a container."""
    root = tree(tmp_path / box.name)
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    (units / f"{box.name}.service").write_text(
        "[Unit]\nDescription=A service\n[Service]\n"
        "ExecStart=/bin/sh -c 'echo \"$$A\" >/run/own/said; exec sleep 3600'\n"
        "Environment='A=b c'\nRuntimeDirectory=own\nMemoryMax=64M\nRestart=on-failure\nPrivateNetwork=yes\n"
        "NoNewPrivileges=yes\nProtectSystem=strict\nCapabilityBoundingSet=CAP_KILL\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
    done = run("nsunit", "import", "unit", str(root))
    assert (done.stdout, done.stderr) == (f"/etc/nsunit/{box.name}.nsunit\n", "")
    run("nsunit", "start", box.name)
    assert run("nsunit", "exec", box.name, "cat", "/run/own/said").stdout == "b c\n"
    assert box.status()["CapBnd"] == f"{1 << 5:016x}"
    assert shown(run, "MemoryMax", unit=f"nsunit-{box.name}.slice") == {"MemoryMax": str(64 << 20)}
    assert shown(run, "Restart", unit=box.service) == {"Restart": "on-failure"}


@pytest.mark.once("podman has a part in it, and systemd none")
def test_what_is_exported_for_quadlet_is_what_podmans_generator_takes(box, run, tmp_path):
    text = (
        '[Container]\nImage=localhost/x\nExec=sleep "a b"\nEnvironment=A=b "C=d e"\nUser=33\nGroup=33\nInit=yes\n'
        "Bind=/srv/data:/data:idmap\nTmpfs=/scratch:size=10M\nCapability=-ALL\nCapability=+CHOWN\nPublishPort=8080:80\n"
        'Health=/bin/check "a b"\nHealthInterval=1min\n'
        "[Slice]\nMemoryMax=64M\nCPUQuota=150%\nTasksMax=100\n[Service]\nLimitNOFILE=100:200\n"
    )
    Path(f"/etc/nsunit/{box.name}.nsunit").write_text(text)
    run("nsunit", "export", box.name, "--as=quadlet", str(tmp_path / "out"))
    words = generated(tmp_path / "out")[box.name]
    again = find("run").convert(Given(arguments=tuple(word for word in words if word not in ("--rm", "--replace"))))
    (draft,) = again.drafts
    found = {(line.section, line.key, line.value) for line in draft.lines}
    for item in (
        *(
            ("Container", "Exec", 'sleep "a b"'),
            ("Container", "Health", '/bin/check "a b"'),
            ("Container", "User", "33"),
        ),
        *(("Container", "Bind", "/srv/data:/data:idmap"), ("Container", "Capability", "-ALL")),
        *(("Container", "PublishPort", "8080:80"), ("Slice", "CPUQuota", "150%"), ("Slice", "TasksMax", "100")),
        *(("Slice", "MemoryMax", str(64 << 20)), ("Service", "LimitNOFILE", "100:200")),
    ):
        assert item in found


@pytest.mark.once("systemd has no part in it")
@pytest.mark.parametrize("runtime", ["runc", "crun", "nsunit-oci"])
def test_what_is_exported_as_a_bundle_is_what_runtimes_run(box, run, runtime):
    tree(box.place / "rootfs")
    (box.place / "data").mkdir()
    (box.place / "data/mine").write_text("of the host\n")
    Path(f"/etc/nsunit/{box.name}.nsunit").write_text(
        f"[Container]\nRootfs={box.place}/rootfs\n"
        "Exec=/bin/sh -c 'echo $A; ulimit -n; id -u; hostname; cat /data/mine'\n"
        f'Environment="A=b c" PATH=/bin\nUser=33\nHostname=web\nBindReadOnly={box.place}/data:/data\n'
        "[Service]\nLimitNOFILE=100:200\n"
    )
    done = run("nsunit", "export", box.name, "--as=oci", str(box.place))
    assert (done.stdout, done.stderr) == (f"{box.place}/config.json\n", "")
    config = json.loads((box.place / "config.json").read_text())
    del config["linux"]["resources"]  # without controllers there is nothing to limit
    (box.place / "config.json").write_text(json.dumps(config))
    done = run(runtime, "run", "--bundle", str(box.place), box.name)
    assert done.stdout.splitlines() == ["b c", "100", "33", "web", "of the host"]


def test_what_is_exported_for_nspawn_is_what_it_reads(box, run):
    """The same program says the same, started by systemd-nspawn with the file, and by nsunit."""
    root = tree(Path(f"/var/lib/machines/{box.name}"))
    (root / "etc/os-release").write_text("ID=none\n")
    settings = Path(f"/run/systemd/nspawn/{box.name}.nspawn")
    (root / "data").mkdir()
    (box.place / "mine").write_text("of the host\n")
    text = (
        f"[Container]\nRootfs={root}\nExec=/bin/sh -c 'echo $A; ulimit -n; hostname; cat /data/mine; test -d /scratch; "
        f'exec cat /proc/sys/kernel/hostname\'\nEnvironment="A=b c"\nHostname=web\nTmpfs=/scratch\n'
        f"Bind={box.place}:/data\n[Service]\nLimitNOFILE=100:200\n"
    )
    Path(f"/etc/nsunit/{box.name}.nsunit").write_text(f"{text}[Slice]\nMemoryMax=64M\n")
    try:
        printed = run("nsunit", "export", box.name, "--as=nspawn").stdout
        lines = f"\n\n# systemd-nspawn@{box.name}.service.d/50-nsunit.conf\n[Service]\nMemoryMax=64M\n"
        assert (printed.startswith(f"# {box.name}.nspawn\n[Exec]\n"), lines in printed) == (True, True)
        Path(f"/etc/nsunit/{box.name}.nsunit").write_text(text)
        done = run("nsunit", "export", box.name, "--as=nspawn", str(settings.parent))
        assert (done.stdout, done.stderr) == (f"{settings}\n", "")
        words = ["systemd-nspawn", "-q", "-M", box.name, "--settings=override", "--register=no", "--keep-unit"]
        assert run(*words).stdout.split("\n")[:-1] == ["b c", "100", "web", "of the host", "web"]
    finally:
        settings.unlink(missing_ok=True)
        run("rm", "-rf", "--one-file-system", str(root))
