"""What the doctor says about machines, good and bad."""

import errno

import pytest

from nsunit.core.findings import ERROR, OK, WARNING, Finding
from nsunit.deeds.host import doctor
from nsunit.deeds.host.doctor import FIRST, LAST
from nsunit.deeds.host.probes import FEATURES, MODULES, NAMESPACES, SYSCTLS, Directory, Facts

GOOD = Facts(
    machine="x86_64",
    kernel="6.12.30+deb13-amd64",
    python=(3, 13),
    pid1="systemd",
    systemd=257,
    systemd_error=None,
    systemd_hint=None,
    systemd_installed="257.13-1~deb13u1",
    cgroup="v2",
    controllers=("cpuset", "cpu", "io", "memory", "hugetlb", "pids"),
    cgroup_options=("rw", "nosuid", "nsdelegate", "memory_recursiveprot"),
    privileged=True,
    namespaces=NAMESPACES,
    features=dict.fromkeys(FEATURES, 0),
    seccomp_actions=("kill_process", "kill_thread", "trap", "errno", "allow"),
    libseccomp="2.6.0",
    libseccomp_hint=None,
    modules=MODULES,
    reaper="/usr/bin/catatonit",
    directories=(Directory("/run/nsunit", True, 0, 0o700), Directory("/var/lib/nsunit", False)),
    store="/var/lib/nsunit",
    sysctls=dict.fromkeys(SYSCTLS, 4_194_304),
)


def judge(facts):
    return doctor.judge(facts, (*FIRST, *LAST))


def feature(name, number):
    return {"features": GOOD.features | {name: number}}


def sysctl(name, value):
    return {"sysctls": GOOD.sysctls | {name: value}}


def without(field, name):
    return {field: tuple(entry for entry in getattr(GOOD, field) if entry != name)}


def test_good_machine():
    findings = judge(GOOD)
    assert {finding.state for finding in findings} == {OK}
    assert [finding.text for finding in findings] == [
        "root with CAP_SYS_ADMIN",
        "Linux 6.12.30+deb13-amd64",
        "openat2, pidfd, mount API, overlay, user namespace, lowerdir+",
        "'/var/lib/nsunit' can be id-mapped",
        "all kinds",
        "libseccomp 2.6.0",
        "version 2 with cpuset cpu io memory hugetlb pids",
        "systemd 257 (257.13-1~deb13u1), reachable on D-Bus",
        "Python 3.13 with pystemd dbus_next jinja2 pyroute2",
        "'/usr/bin/catatonit'",
        "'/run/nsunit' is root's alone",
        "'/var/lib/nsunit' is made at the first start",
        "enough for many containers",
    ]


def test_a_machine_without_controllers_is_told_so():
    assert Finding("cgroup", OK, "version 2 with no controllers") in judge(GOOD.replace(controllers=()))


BAD = [
    (
        {"privileged": False, "features": dict.fromkeys(FEATURES)},
        Finding(
            "privileges",
            ERROR,
            "not root, or without CAP_SYS_ADMIN: containers cannot be started, and the kernel's features not tried",
            "run it as root, outside of any container; 'nsunit --user doctor' looks at what users need",
        ),
    ),
    (
        {"kernel": "5.10.0-35-amd64"},
        Finding(
            "kernel",
            ERROR,
            "Linux 5.10.0-35-amd64 is older than 6.1",
            "layers cannot be id-mapped before Linux 5.19; use a newer kernel",
        ),
    ),
    (
        {"machine": "s390x"},
        Finding("kernel", ERROR, "architecture 's390x' is not supported", "nsunit runs on x86_64, aarch64, riscv64"),
    ),
    (
        feature("overlay", errno.ENODEV),
        Finding("overlay", ERROR, "ENODEV: containers cannot have layers", "load the module with 'modprobe overlay'"),
    ),
    (
        feature("user namespace", errno.ENOSPC),
        Finding(
            "user namespace",
            ERROR,
            "ENOSPC: containers need PrivateUsers=no, their root is then the host's root",
            "raise 'user.max_user_namespaces' with sysctl",
        ),
    ),
    (
        feature("user namespace", errno.EPERM),
        Finding(
            "user namespace",
            ERROR,
            "EPERM: containers need PrivateUsers=no, their root is then the host's root",
            "a security module or a seccomp filter forbids it, or something is mounted over '/', see 'findmnt /'",
        ),
    ),
    (
        feature("mount API", errno.EPERM),
        Finding(
            "mount API",
            ERROR,
            "EPERM: the mounts of a container cannot be made",
            "a security module or a seccomp filter forbids it; nsunit cannot run inside of such a container",
        ),
    ),
    (
        feature("openat2", errno.ENOSYS),
        Finding(
            "openat2",
            ERROR,
            "ENOSYS: the root directory of a container cannot be entered safely",
            "the kernel was built without it",
        ),
    ),
    (
        feature("idmap", errno.EINVAL),
        Finding(
            "id-mapped mounts",
            ERROR,
            "'/var/lib/nsunit' cannot be id-mapped (EINVAL): layers there need PrivateUsers=no",
            "keep layers on ext4, xfs, btrfs or another file system that has FS_ALLOW_IDMAP",
        ),
    ),
    (
        without("namespaces", "time"),
        Finding(
            "namespaces",
            ERROR,
            "the kernel has no time namespaces: containers see that part of the host",
            "use a kernel with CONFIG_NAMESPACES and all of its kinds",
        ),
    ),
    (
        sysctl("user.max_user_namespaces", 0),
        Finding(
            "namespaces",
            ERROR,
            "'user.max_user_namespaces' is 0: none can be made",
            "sysctl -w user.max_user_namespaces=65536",
        ),
    ),
    (
        sysctl("user.max_net_namespaces", 100),
        Finding(
            "namespaces",
            WARNING,
            "'user.max_net_namespaces' is 100: at most that many containers",
            "sysctl -w user.max_net_namespaces=65536",
        ),
    ),
    (
        {"seccomp_actions": ()},
        Finding(
            "seccomp",
            ERROR,
            "the kernel has no seccomp filters: containers cannot be kept from dangerous system calls",
            "use a kernel with CONFIG_SECCOMP_FILTER",
        ),
    ),
    (
        {"libseccomp": None, "libseccomp_hint": "install libseccomp2"},
        Finding("seccomp", ERROR, "libseccomp is missing: no filter can be made", "install libseccomp2"),
    ),
    (
        {"cgroup": "hybrid"},
        Finding(
            "cgroup",
            ERROR,
            "cgroup versions 1 and 2 are both mounted (hybrid), nsunit needs version 2 alone",
            "boot with 'systemd.unified_cgroup_hierarchy=1' on the kernel command line",
        ),
    ),
    (
        {"cgroup": "v1"},
        Finding(
            "cgroup",
            ERROR,
            "cgroup version 1 is mounted, nsunit needs version 2 alone",
            "boot with 'systemd.unified_cgroup_hierarchy=1' on the kernel command line",
        ),
    ),
    (
        {"cgroup": "none"},
        Finding(
            "cgroup",
            ERROR,
            "no cgroup file system is mounted, nsunit needs version 2 alone",
            "boot with 'systemd.unified_cgroup_hierarchy=1' on the kernel command line",
        ),
    ),
    (
        without("controllers", "memory"),
        Finding(
            "cgroup",
            WARNING,
            "no memory controller: MemoryMax= has no effect, a container can take all memory",
            "look for 'cgroup_disable=memory' on the kernel command line",
        ),
    ),
    (
        {"cgroup_options": ("rw",)},
        Finding(
            "cgroup",
            WARNING,
            "mounted without 'nsdelegate': a container with a delegated cgroup can raise its own limits",
            "mount -o remount,nsdelegate /sys/fs/cgroup",
        ),
    ),
    (
        {"pid1": "init"},
        Finding(
            "systemd",
            ERROR,
            "PID 1 is 'init', not systemd",
            "nsunit needs a system booted with systemd; './packaging/try' brings a virtual machine with one",
        ),
    ),
    (
        {"systemd": None, "systemd_error": "no bus", "systemd_hint": "start it"},
        Finding("systemd", ERROR, "systemd does not answer on D-Bus: no bus", "start it"),
    ),
    (
        {"systemd": 249, "systemd_installed": "249.11"},
        Finding("systemd", ERROR, "systemd 249 is older than 252", "nsunit needs systemd 252, as in Debian 12"),
    ),
    (
        {"systemd": 252},
        Finding(
            "systemd",
            WARNING,
            "systemd 252 runs, but 257.13-1~deb13u1 is installed",
            "systemctl daemon-reexec",
        ),
    ),
    (
        {"systemd": 260, "systemd_installed": "260-1"},
        Finding(
            "systemd",
            WARNING,
            "systemd 260-1 has CVE-2026-40227: a local user can freeze PID 1",
            "update systemd, unless the distribution's changelog names it as fixed",
        ),
    ),
    (
        {"python": (3, 10)},
        Finding("python", ERROR, "Python 3.10 is older than 3.11", "run nsunit with Python 3.11 or newer"),
    ),
    (
        without("modules", "pystemd"),
        Finding(
            "python",
            ERROR,
            "module 'pystemd' is missing: nsunit cannot talk to systemd",
            "apt install python3-pystemd",
        ),
    ),
    (
        without("modules", "dbus_next"),
        Finding(
            "python",
            WARNING,
            "module 'dbus_next' is missing: nothing can be watched as it happens",
            "apt install python3-dbus-next",
        ),
    ),
    (
        {"reaper": None},
        Finding(
            "init",
            WARNING,
            "no reaper: Init=yes does not work, and programs must collect their own zombies",
            "apt install catatonit",
        ),
    ),
    (
        {"directories": (Directory("/var/lib/nsunit", True, 0, 0o755),)},
        Finding(
            "directories",
            ERROR,
            "'/var/lib/nsunit' belongs to user 0 with mode 0755: host users can look in",
            "chown root '/var/lib/nsunit' && chmod 0700 '/var/lib/nsunit'",
        ),
    ),
    (
        {"directories": (Directory("/var/lib/nsunit", False, read_only=True),)},
        Finding(
            "directories",
            ERROR,
            "'/var/lib/nsunit' is on a read-only file system",
            "mount it writable, or put a tmpfs there",
        ),
    ),
    *(
        (
            sysctl(name, least - 1),
            Finding("limits", WARNING, f"'{name}' is {least - 1}: {cost}", f"sysctl -w {name}={advice}"),
        )
        for name, (least, advice, cost) in doctor.SYSCTLS.items()
    ),
]


@pytest.mark.parametrize(("changes", "expected"), BAD, ids=[finding.text for _, finding in BAD])
def test_bad_machine(changes, expected):
    """Exactly the one thing is named, and everything else is still found to be good."""
    findings = judge(GOOD.replace(**changes))
    assert [finding for finding in findings if finding.state != OK] == [expected]
    assert expected.hint
    assert not expected.text.endswith(".")
    assert "\n" not in expected.text


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("252.39-1~deb12u2", []),
        ("252.39-1~deb12u1", ["CVE-2026-29111"]),
        ("252.38-1~deb12u1", ["CVE-2026-29111"]),
        ("252-55.el9", []),  # patched by the distribution, the number does not show it
        ("255.4-1ubuntu8", []),
        ("257.9-1~deb13u1", ["CVE-2026-29111"]),
        ("257.13-1~deb13u1", []),
        ("258", ["CVE-2026-29111", "CVE-2026-40223"]),
        ("258-5", ["CVE-2026-29111", "CVE-2026-40223"]),
        ("258.5", []),
        ("260~rc2-1", ["CVE-2026-40227"]),
        ("259.1-2", ["CVE-2026-29111", "CVE-2026-40223"]),
        ("259.2-2", []),
        ("260", ["CVE-2026-40227"]),
        ("260.1-1", []),
        ("261.2", []),
        ("", []),
    ],
)
def test_vulnerabilities_by_version(version, names):
    findings = doctor.check_vulnerabilities(GOOD.replace(systemd_installed=version))
    assert [finding.text.split()[3].rstrip(":") for finding in findings] == names


def test_kernel_before_lowerdir_append_is_fine():
    findings = judge(GOOD.replace(**feature("lowerdir+", errno.EINVAL)))
    assert {finding.state for finding in findings} == {OK}
    assert findings[2].text == "openat2, pidfd, mount API, overlay, user namespace"


def test_user_namespaces_for_root_only_are_no_problem():
    (finding,) = doctor.check_namespaces(GOOD.replace(**sysctl("kernel.unprivileged_userns_clone", 0)))
    assert (finding.state, finding.text) == (
        OK,
        "all kinds, user namespaces for root only, which is all nsunit needs",
    )


def test_features_come_after_what_all_containers_need_and_before_where_they_are(monkeypatch):
    monkeypatch.setattr(doctor, "gather", lambda context: GOOD)
    own = {"system": [Finding("network", OK, "connected")], "user": [Finding("linger", OK, "at boot")]}

    class Context:
        def __init__(self, user):
            self.user, self.features = user, ("rootless",) if user else ()

    def hooks(names, hook):
        assert hook == "doctor.findings"
        of = "user" if tuple(names) == ("rootless",) else "system"
        yield lambda context: own[of]

    monkeypatch.setattr(doctor, "hooks", hooks)
    assert [item.subject for item in doctor.examine(Context(False))][-4:] == [
        "network",
        "directories",
        "directories",
        "limits",
    ]
    assert [item.subject for item in doctor.examine(Context(True))] == [
        *("kernel", "namespaces", "seccomp", "systemd", "python", "linger"),
    ]
