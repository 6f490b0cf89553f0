"""`nsunit doctor`: is this machine fit for containers, what is missing, and what that costs.

Each check is a pure function of the facts that `nsunit.deeds.host.probes` gathered.
"""

from __future__ import annotations

import errno

from nsunit.core.findings import ERROR, OK, WARNING, Finding
from nsunit.deeds.host.probes import NAMESPACES, Facts, gather
from nsunit.features import FEATURES, hooks
from nsunit.plan.bpf import AUDIT_ARCHITECTURES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nsunit.core.context import Context

    Check = Callable[[Facts], Iterator[Finding]]

SYSTEMD_MIN = 252
LINUX_MIN = (6, 1)
PYTHON_MIN = (3, 11)

CONTROLLERS = {
    "cpu": "CPUQuota= and CPUWeight= have no effect",
    "cpuset": "AllowedCPUs= has no effect",
    "io": "the IO limits have no effect",
    "memory": "MemoryMax= has no effect, a container can take all memory",
    "pids": "TasksMax= has no effect, a fork loop can take the machine",
}

MODULES = {
    "pystemd": (ERROR, "nsunit cannot talk to systemd"),
    "dbus_next": (WARNING, "nothing can be watched as it happens"),
    "jinja2": (WARNING, "no unit files can be written"),
    "pyroute2": (WARNING, "no network links can be made"),
}

KERNEL_FEATURES = {
    "openat2": "the root directory of a container cannot be entered safely",
    "pidfd": "'nsunit exec' cannot join a container",
    "mount API": "the mounts of a container cannot be made",
    "overlay": "containers cannot have layers",
    "user namespace": "containers need PrivateUsers=no, their root is then the host's root",
}

# Sysctl: the least that is comfortable, what to set, and what happens below.
SYSCTLS = {
    "fs.inotify.max_user_instances": (128, 1024, "programs in containers fail to watch files"),
    "fs.mount-max": (10_000, 100_000, "containers with many mounts fail to start"),
    "kernel.keys.maxkeys": (200, 2000, "logins in containers that share a user id range fail"),
    "kernel.pid_max": (65_536, 4_194_304, "all containers together run out of process ids"),
    "kernel.pty.max": (1024, 4096, "'nsunit exec -t' runs out of terminals"),
}

# Holes that any local user can freeze PID 1 through, and with it every container: the versions that are fixed, by
# branch, as the numbers in the version string; other branches are not affected, or only distributions patch them.
VULNERABILITIES: dict[str, tuple[tuple[int, ...], ...]] = {
    "CVE-2026-29111": ((252, 39, 1, 12, 2), (257, 11), (258, 5), (259, 2)),
    "CVE-2026-40223": ((258, 5), (259, 2)),
    "CVE-2026-40227": ((260, 1),),
}
DEBIAN_12_BRANCH = 252


def examine(context: Context) -> list[Finding]:
    """Look at the machine and return everything worth saying, in the order of the layers below a container."""
    facts = gather(context)
    if context.user:
        return [*judge(facts, OF_USERS), *_of_features(context, context.features)]
    of_system = tuple(feature.name for feature in FEATURES if not feature.of_users)
    return [*judge(facts, FIRST), *_of_features(context, of_system), *judge(facts, LAST)]


def _of_features(context: Context, names: Iterable[str]) -> list[Finding]:
    return [finding for findings in hooks(names, "doctor.findings") for finding in findings(context)]


def judge(facts: Facts, checks: Iterable[Check]) -> list[Finding]:
    """Return the findings of *checks* on *facts*."""
    return [finding for check in checks for finding in check(facts)]


def check_privileges(facts: Facts) -> Iterator[Finding]:
    """Containers are made by root, with CAP_SYS_ADMIN in the initial user namespace."""
    if facts.privileged:
        yield Finding("privileges", OK, "root with CAP_SYS_ADMIN")
    else:
        text = "not root, or without CAP_SYS_ADMIN: containers cannot be started, and the kernel's features not tried"
        yield Finding(
            "privileges",
            ERROR,
            text,
            "run it as root, outside of any container; 'nsunit --user doctor' looks at what users need",
        )


def check_kernel(facts: Facts) -> Iterator[Finding]:
    """The version and the architecture."""
    if _numbers(facts.kernel)[:2] < LINUX_MIN:
        text = f"Linux {facts.kernel} is older than {LINUX_MIN[0]}.{LINUX_MIN[1]}"
        yield Finding("kernel", ERROR, text, "layers cannot be id-mapped before Linux 5.19; use a newer kernel")
    else:
        yield Finding("kernel", OK, f"Linux {facts.kernel}")
    if facts.machine not in AUDIT_ARCHITECTURES:
        text = f"architecture '{facts.machine}' is not supported"
        yield Finding("kernel", ERROR, text, f"nsunit runs on {', '.join(AUDIT_ARCHITECTURES)}")


def check_features(facts: Facts) -> Iterator[Finding]:
    """What the helper does to build a container, each tried once."""
    present = []
    for name, cost in KERNEL_FEATURES.items():
        number = facts.features[name]
        if number:
            yield Finding(name, ERROR, f"{_errno_name(number)}: {cost}", _feature_hint(name, number))
        elif number == 0:
            present.append(name)
    if facts.features["lowerdir+"] == 0:
        present.append("lowerdir+")  # since Linux 6.8; the helper has another way where it is missing
    if present:
        yield Finding("kernel features", OK, ", ".join(present))


def _feature_hint(name: str, number: int) -> str:
    if name == "overlay" and number == errno.ENODEV:
        return "load the module with 'modprobe overlay'"
    if name == "user namespace" and number == errno.ENOSPC:
        return "raise 'user.max_user_namespaces' with sysctl"
    if name == "user namespace" and number == errno.EPERM:
        return "a security module or a seccomp filter forbids it, or something is mounted over '/', see 'findmnt /'"
    if number == errno.EPERM:
        return "a security module or a seccomp filter forbids it; nsunit cannot run inside of such a container"
    return "the kernel was built without it"


def check_idmap(facts: Facts) -> Iterator[Finding]:
    """User namespaces need the file system of the layers to support idmapped mounts (mount_setattr(2))."""
    number = facts.features["idmap"]
    if number == 0:
        yield Finding("id-mapped mounts", OK, f"'{facts.store}' can be id-mapped")
    elif number and facts.features["user namespace"] == 0:
        text = f"'{facts.store}' cannot be id-mapped ({_errno_name(number)}): layers there need PrivateUsers=no"
        hint = "keep layers on ext4, xfs, btrfs or another file system that has FS_ALLOW_IDMAP"
        yield Finding("id-mapped mounts", ERROR, text, hint)


def check_namespaces(facts: Facts) -> Iterator[Finding]:
    """All eight kinds, and that their number is not limited to none."""
    missing = [name for name in NAMESPACES if name not in facts.namespaces]
    if missing:
        text = f"the kernel has no {', '.join(missing)} namespaces: containers see that part of the host"
        yield Finding("namespaces", ERROR, text, "use a kernel with CONFIG_NAMESPACES and all of its kinds")
    for name in facts.namespaces:
        sysctl = f"user.max_{name}_namespaces"
        limit = facts.sysctls.get(sysctl)
        if limit == 0:
            yield Finding("namespaces", ERROR, f"'{sysctl}' is 0: none can be made", f"sysctl -w {sysctl}=65536")
        elif limit is not None and limit < 1024:
            text = f"'{sysctl}' is {limit}: at most that many containers"
            yield Finding("namespaces", WARNING, text, f"sysctl -w {sysctl}=65536")
    if not missing:
        closed = facts.sysctls.get("kernel.unprivileged_userns_clone") == 0
        text = "all kinds" + (", user namespaces for root only, which is all nsunit needs" if closed else "")
        yield Finding("namespaces", OK, text)


def check_seccomp(facts: Facts) -> Iterator[Finding]:
    """The kernel's filter actions and libseccomp."""
    if not {"errno", "kill_process"} <= set(facts.seccomp_actions):
        text = "the kernel has no seccomp filters: containers cannot be kept from dangerous system calls"
        yield Finding("seccomp", ERROR, text, "use a kernel with CONFIG_SECCOMP_FILTER")
    elif facts.libseccomp is None:
        yield Finding("seccomp", ERROR, "libseccomp is missing: no filter can be made", facts.libseccomp_hint)
    else:
        yield Finding("seccomp", OK, f"libseccomp {facts.libseccomp}")


def check_cgroup(facts: Facts) -> Iterator[Finding]:
    """Version 2 alone, with the controllers that limits need."""
    found = {
        "v1": "cgroup version 1 is mounted",
        "hybrid": "cgroup versions 1 and 2 are both mounted (hybrid)",
        "none": "no cgroup file system is mounted",
    }
    if facts.cgroup != "v2":
        hint = "boot with 'systemd.unified_cgroup_hierarchy=1' on the kernel command line"
        yield Finding("cgroup", ERROR, f"{found[facts.cgroup]}, nsunit needs version 2 alone", hint)
        return
    yield Finding("cgroup", OK, f"version 2 with {' '.join(facts.controllers) or 'no controllers'}")
    for name, cost in CONTROLLERS.items():
        if name not in facts.controllers:
            hint = f"look for 'cgroup_disable={name}' on the kernel command line"
            yield Finding("cgroup", WARNING, f"no {name} controller: {cost}", hint)
    if "nsdelegate" not in facts.cgroup_options:
        text = "mounted without 'nsdelegate': a container with a delegated cgroup can raise its own limits"
        yield Finding("cgroup", WARNING, text, "mount -o remount,nsdelegate /sys/fs/cgroup")


def check_systemd(facts: Facts) -> Iterator[Finding]:
    """That it is PID 1, answers on D-Bus, and is new enough."""
    if facts.pid1 != "systemd":
        hint = "nsunit needs a system booted with systemd; './packaging/try' brings a virtual machine with one"
        yield Finding("systemd", ERROR, f"PID 1 is '{facts.pid1}', not systemd", hint)
        return
    if facts.systemd is None:
        text = f"systemd does not answer on D-Bus: {facts.systemd_error}"
        yield Finding("systemd", ERROR, text, facts.systemd_hint)
        return
    if facts.systemd < SYSTEMD_MIN:
        text = f"systemd {facts.systemd} is older than {SYSTEMD_MIN}"
        yield Finding("systemd", ERROR, text, f"nsunit needs systemd {SYSTEMD_MIN}, as in Debian 12")
    else:
        yield Finding("systemd", OK, f"systemd {facts.systemd} ({facts.systemd_installed}), reachable on D-Bus")
    if facts.systemd_installed and _numbers(facts.systemd_installed)[0] != facts.systemd:
        text = f"systemd {facts.systemd} runs, but {facts.systemd_installed} is installed"
        yield Finding("systemd", WARNING, text, "systemctl daemon-reexec")


def check_vulnerabilities(facts: Facts) -> Iterator[Finding]:
    """Known holes in PID 1 of the installed version; a distribution may have fixed them without a new number."""
    version = facts.systemd_installed
    for name, fixes in VULNERABILITIES.items():
        for fixed in fixes:
            # Only Debian 12 still patches the oldest branch, so only there does a number say anything: its whole
            # package version.  Elsewhere it is upstream's, without the package's revision.
            if fixed[0] != DEBIAN_12_BRANCH:
                numbers = _numbers(version.partition("-")[0].partition("~")[0])
            elif "deb12" in version:
                numbers = _numbers(version)
            else:
                continue
            if numbers[:1] == fixed[:1] and numbers < fixed:
                text = f"systemd {version} has {name}: a local user can freeze PID 1"
                hint = "update systemd, unless the distribution's changelog names it as fixed"
                yield Finding("systemd", WARNING, text, hint)


def check_python(facts: Facts) -> Iterator[Finding]:
    """The interpreter and the four packages."""
    python = f"Python {facts.python[0]}.{facts.python[1]}"
    if facts.python < PYTHON_MIN:
        text = f"{python} is older than {PYTHON_MIN[0]}.{PYTHON_MIN[1]}"
        yield Finding("python", ERROR, text, f"run nsunit with Python {PYTHON_MIN[0]}.{PYTHON_MIN[1]} or newer")
    for name, (state, cost) in MODULES.items():
        if name not in facts.modules:
            hint = f"apt install python3-{name.replace('_', '-')}"
            yield Finding("python", state, f"module '{name}' is missing: {cost}", hint)
    if facts.python >= PYTHON_MIN:
        yield Finding("python", OK, " ".join((f"{python} with", *facts.modules)) if facts.modules else python)


def check_optional(facts: Facts) -> Iterator[Finding]:
    """Programs that add something and are not needed."""
    if facts.reaper:
        yield Finding("init", OK, f"'{facts.reaper}'")
    else:
        text = "no reaper: Init=yes does not work, and programs must collect their own zombies"
        yield Finding("init", WARNING, text, "apt install catatonit")


def check_directories(facts: Facts) -> Iterator[Finding]:
    """State and layers hold files of all container users, setuid ones too: for root's eyes only."""
    for directory in facts.directories:
        path = directory.path
        if directory.read_only:
            text = f"'{path}' is on a read-only file system"
            yield Finding("directories", ERROR, text, "mount it writable, or put a tmpfs there")
        elif not directory.exists:
            yield Finding("directories", OK, f"'{path}' is made at the first start")
        elif directory.owner != 0 or directory.mode & 0o077:
            text = f"'{path}' belongs to user {directory.owner} with mode {directory.mode:04o}: host users can look in"
            yield Finding("directories", ERROR, text, f"chown root '{path}' && chmod 0700 '{path}'")
        else:
            yield Finding("directories", OK, f"'{path}' is root's alone")


def check_sysctls(facts: Facts) -> Iterator[Finding]:
    """Limits that many containers run into together."""
    low = False
    for name, (least, advice, cost) in SYSCTLS.items():
        value = facts.sysctls.get(name)
        if value is not None and value < least:
            low = True
            yield Finding("limits", WARNING, f"'{name}' is {value}: {cost}", f"sysctl -w {name}={advice}")
    if not low:
        yield Finding("limits", OK, "enough for many containers")


def _numbers(version: str) -> tuple[int, ...]:
    """Return all numbers in *version*: `257.13-1~deb13u1` is (257, 13, 1, 13, 1)."""
    digits = "".join(c if c.isascii() and c.isdigit() else " " for c in version)
    return tuple(int(number) for number in digits.split())


def _errno_name(number: int) -> str:
    return errno.errorcode.get(number, str(number))


FIRST: tuple[Check, ...] = (
    check_privileges,
    check_kernel,
    check_features,
    check_idmap,
    check_namespaces,
    check_seccomp,
    check_cgroup,
    check_systemd,
    check_vulnerabilities,
    check_python,
    check_optional,
)
LAST: tuple[Check, ...] = (check_directories, check_sysctls)
# What containers of users without privileges depend on as well.
OF_USERS: tuple[Check, ...] = (
    check_kernel,
    check_namespaces,
    check_seccomp,
    check_systemd,
    check_vulnerabilities,
    check_python,
)
