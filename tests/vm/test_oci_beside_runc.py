"""What a payload sees, beside runc on the same config.json."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from bundles import RUNTIME, broken, bundle, in_linux, in_process, mounts, rootfs, subreaper, users

__all__ = ["bundle", "rootfs", "subreaper"]  # fixtures

# What differs from process to process, or is said otherwise by each runtime without a difference in effect.
PROBE = r"""
echo "cwd $(/bin/readlink /proc/self/cwd)"
echo "umask $(umask)"
/bin/env | /bin/grep -v -e ^SHLVL= -e ^PWD= -e ^_= | /bin/sort | while read line; do echo "env $line"; done
for name in Uid Gid Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp SigIgn SigBlk; do
    /bin/grep "^$name:" /proc/self/status; done
/bin/cat /proc/self/limits
for kind in cgroup ipc mnt net pid time user uts; do echo "ns-$kind $(/bin/readlink /proc/self/ns/$kind)"; done
echo "oom $(/bin/cat /proc/self/oom_score_adj)"
echo "host $(/bin/hostname) $(/bin/cat /proc/sys/kernel/domainname)"
echo "uid-map $(/bin/cat /proc/self/uid_map)"
echo "fds $(/bin/ls /proc/self/fd | /bin/sort | while read fd; do echo -n "$fd "; done)"
for node in /dev/*; do case $node in /dev/console|/dev/mqueue) continue;; esac
    /bin/stat -c "node %n %F %a %u %g %t:%T %N" $node; done
echo "offsets $(/bin/cat /proc/self/timens_offsets 2>&1)"
/bin/cat /proc/self/mountinfo
"""


def comparable(text):
    lines = text.splitlines()
    info = [line for line in lines if " - " in line and line.split()[0].isdigit()]
    own = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in "cgroup ipc mnt net pid time user uts".split()}
    rest = []
    for line in lines:
        if line in info:
            continue
        if line.startswith("ns-"):
            kind, value = line.removeprefix("ns-").split()
            line = f"ns-{kind} {'of the host' if value == own[kind] else 'own'}"
        rest.append(" ".join(line.split()))
    return sorted(rest), mounts(info)


def differences(mine, others):
    """What one of two has and the other has not."""
    found = [f"only here: {line}" for line in mine[0] if line not in others[0]]
    found += [f"only there: {line}" for line in others[0] if line not in mine[0]]
    places = mine[1].keys() | others[1].keys()
    return found + [
        f"{place}: {mine[1].get(place)} and {others[1].get(place)}"
        for place in sorted(places)
        if mine[1].get(place) != others[1].get(place)
    ]


def mount(**entry):
    def change(config):
        source = config["root"]["path"] + "/source"
        config["mounts"].append({"type": "bind", "source": source, "destination": "/work"} | entry)

    return change


def file(config):
    mount(source=config["root"]["path"] + "/source/file", destination="/etc/passwd", options=["bind", "ro"])(config)


ALL = sorted({"CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN", "CAP_NET_RAW", "CAP_SETPCAP"})

CASES = {
    "as it is": lambda config: None,
    "writable root": lambda config: config["root"].update(readonly=False),
    "user": in_process(user={"uid": 5, "gid": 6, "additionalGids": [7, 8], "umask": 0o77}),
    "capabilities": in_process(
        capabilities=dict.fromkeys(("bounding", "effective", "permitted", "inheritable", "ambient"), ALL)
    ),
    "capabilities of a user": in_process(
        user={"uid": 5, "gid": 6},
        capabilities=dict.fromkeys(("bounding", "effective", "permitted", "inheritable", "ambient"), ALL),
    ),
    "what is ambient and not inheritable": in_process(
        user={"uid": 5, "gid": 6},
        capabilities=dict.fromkeys(("bounding", "effective", "permitted", "ambient"), ALL) | {"inheritable": ALL[:1]},
    ),
    "no capabilities": in_process(capabilities={}),
    "privileges may grow": in_process(noNewPrivileges=False),
    "limits": in_process(
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    ),
    "environment": in_process(env=["PATH=/bin", "A=b c", "B=", "C=d=e"]),
    "cwd": in_process(cwd="/work"),
    "oom score": in_process(oomScoreAdj=321),
    "names": broken(hostname="elsewhere"),
    "user namespace": users,
    "host's network": lambda config: (
        config["linux"]["namespaces"].remove({"type": "network"}),
        config["mounts"].remove(next(entry for entry in config["mounts"] if entry["type"] == "sysfs")),
        config["mounts"].remove(next(entry for entry in config["mounts"] if entry["type"] == "cgroup")),
    ),
    "bind": mount(options=["bind"]),
    "recursive bind": mount(options=["rbind"]),
    "read-only bind": mount(options=["rbind", "ro", "nosuid"]),
    "slave": mount(options=["rbind", "rslave"]),
    "private": mount(options=["rbind", "rprivate"]),
    "file": file,
    "tmpfs": mount(type="tmpfs", source="tmpfs", options=["nosuid", "noexec", "size=64k", "mode=1700", "noatime"]),
    "read-only tmpfs": mount(type="tmpfs", source="tmpfs", options=["ro", "tmpcopyup", "mode=755", ""]),
    "read-only /dev": lambda config: (
        config["mounts"][1]["options"].append("ro"),
        config["linux"].update(maskedPaths=[]),  # a file is masked by /dev/null, here from before it is read-only
    ),
    "tmpfs as it was": mount(type="tmpfs", source="tmpfs", options=["nosuid"]),
    "masks": in_linux(maskedPaths=["/proc/kcore", "/sys/firmware"], readonlyPaths=["/proc/sys", "/work", "/nowhere"]),
    "devices": in_linux(
        devices=[
            {"path": "/dev/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 3, "gid": 4},
            {"path": "/dev/pipe", "type": "p", "fileMode": 0o600},
        ]
    ),
    "root that is a slave": in_linux(rootfsPropagation="rslave"),
    "sysctl": in_linux(sysctl={"net.ipv4.ip_forward": "1", "kernel.msgmax": "9000"}),
}


# Debian 12's runc 1.1.5 leaves the root a slave of the host's mounts, which is the one difference there.
@pytest.mark.once("the other runtimes are of one release, and what the payload sees is the kernel's")
@pytest.mark.parametrize("case", CASES)
def test_the_payload_sees_what_it_would_see_with_runc(bundle, case):
    CASES[case](bundle.config)
    bundle.config["process"]["args"] = ["/bin/sh", "-c", PROBE]
    bundle.save()
    status, text, error = bundle.see("runc")
    assert status == 0, error
    mine = bundle.see(RUNTIME)
    assert mine[0] == 0, mine
    found = "\n".join(differences(comparable(mine[1]), comparable(text)))
    assert not found, found


# Where a link leads, and what is mounted there.
LEADING = {
    "an absolute one": ("/made/below", "/made/below"),
    "a relative one": ("../made/below", "/made/below"),
    "out of the root": ("../../../../made", "/made"),
    "over another one": ("/second/below", "/made/below"),
    "to a file system of the container": ("/dev/made", "/dev/made"),
}


@pytest.mark.once("runc is of one release, and links are the kernel's")
@pytest.mark.parametrize("kind", ["bind", "file", "tmpfs"])
@pytest.mark.parametrize("case", LEADING)
def test_what_a_link_leads_to_is_made_in_the_root_as_by_runc(bundle, rootfs, tmp_path, case, kind):
    target, place = LEADING[case]
    root = Path(shutil.copytree(rootfs, tmp_path / "root", symlinks=True))
    (root / "second").symlink_to("made")
    (root / "links").mkdir()
    (root / "links/one").symlink_to(target)
    bundle.config["root"]["path"] = str(root)
    mount = {"destination": "/links/one", "type": kind, "source": str(root / "work"), "options": ["ro"]}
    if kind != "tmpfs":
        mount |= {"type": "bind", "options": ["ro", "rbind"]}
    if kind == "file":
        mount["source"] += "/kept"
    bundle.config["mounts"].append(mount)
    script = f"grep -c ' {place} ' /proc/self/mountinfo; ls {place} /links/one{'' if kind == 'file' else '/'}"
    bundle.config["process"]["args"] = ["sh", "-c", script]
    bundle.save()
    seen = {}
    for runtime in ("runc", RUNTIME):
        status, text, error = bundle.see(runtime)
        seen[runtime] = status, text, error, sorted(str(path) for path in root.rglob("*"))
        subprocess.run(["rm", "-rf", root / "made"], check=True)
    assert seen[RUNTIME] == seen["runc"]
    assert seen["runc"][0] == 0 and seen["runc"][1].startswith("1\n")
