"""All options of 'podman run' (4.3 to 5.8) and 'docker run' (to 29) that are about a container: what each becomes.

A row's function gets the target and the value; what it cannot carry over it raises as NotCarried, and tells in remarks
what of it.
"""

from __future__ import annotations

from nsunit.imports.model import NotCarried
from nsunit.imports.podman import limits, mounts, network, process
from nsunit.imports.services import lost, nothing, verbatim
from nsunit.imports.text import seconds, size, truth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.imports.podman.target import Target

    Handler = Callable[[Target, str], None]


def _flag(key: str, section: str = "") -> Handler:
    return lambda target, text: target.say(key, "yes", section) if truth(text) else None


def _hold(name: str) -> Handler:
    return lambda target, text: target.hold(name, text)


def _collect(name: str) -> Handler:
    """Keep it with the same one before."""

    def take(target: Target, text: str) -> None:
        before, _ = target.pending.get(name, ("", None))
        target.hold(name, f"{before} {text.replace(',', ' ')}".strip())

    return take


def _lost_if_true(reason: str, instead: str) -> Handler:
    def refuse(_target: Target, text: str) -> None:
        if truth(text):
            raise NotCarried(reason, instead)

    return refuse


def _shm_size(target: Target, text: str) -> None:
    value = size(text)
    if value not in ("64M", "65536K", "67108864"):
        target.say("ShmSize", "infinity" if value == "0" else value)


def _pull(target: Target, text: str) -> None:
    known = {"true": "always", "false": "missing", "ifnewer": "newer", "ifmissing": "missing"}.get(text, text)
    if known != "missing":
        target.plain("Pull", known)


def _image_volumes(target: Target, text: str) -> None:
    if text not in ("bind", "anonymous"):
        target.plain("ImageVolumes", text)


def _timeout(target: Target, text: str) -> None:
    if text != "0":
        target.say("RuntimeMaxSec", seconds(text), "Service")


def _zero(key: str, section: str, default: str = "0") -> Handler:
    return lambda target, text: target.plain(key, text, section) if text != default else None


def _size(key: str) -> Handler:
    return lambda target, text: target.say(key, size(text), "Slice") if size(text) != "0" else None


def _namespace(key: str) -> Handler:
    return lambda target, text: network.namespace(target, key, text)


def _labels_of_file(target: Target, text: str) -> None:
    content = target.read(target.path(text))
    if content is None:
        raise NotCarried(f"'{text}' is not there", "name the labels")
    for line in content.splitlines():
        if line.strip() and not line.startswith("#"):
            process.label(target, line.strip())


def _cgroups(target: Target, text: str) -> None:
    if text == "disabled":
        raise NotCarried("a container has a control group always", "leave it out")


def _pod(target: Target, text: str) -> None:
    if text.startswith("new:"):
        raise NotCarried("the pod would be made for it", "define it in POD.pod.nsunit, see nsunit.pod(5)")
    known = target.names.pods.get(text)
    if known is None and text.endswith(".pod"):
        raise NotCarried(f"there is no file '{text}'", "import it too, or name the pod")
    target.plain("Pod", known or text)
    target.hold("pod", text)


_TRANSPORT = (
    "it is about how the image is fetched",
    "containers-registries.conf(5), 'skopeo login' and --authfile say it",
)
_PLATFORM = ("an image is that of this machine", "choose another when it comes in, 'nsunit image import'")
_CGROUP_1 = ("only cgroup version 1 has it", "leave it out")
_ACCOUNTS = ("nsunit adds nobody to /etc/passwd and /etc/group", "have the image do it, or use User= with a number")
_PROXY = ("nothing of the host's environment comes in", "use Environment=")
MODULE = ("containers.conf(5) is podman's", "leave it out, all that counts is in the definition")
_WINDOWS = ("only Windows has it", "leave it out")
_STARTUP = (
    "there is one check, at shorter intervals until it passes",
    "use HealthStartPeriod= and HealthStartInterval=",
)
_HEALTH_LOG = ("the last five results are kept, with 4 KiB each", "'nsunit status' shows them")
_TERMINAL = ("a service has no terminal", "use 'nsunit run -ti' or 'nsunit exec -ti'")
_FILES = ("/etc/hosts and /etc/hostname are made anyway", "mount a file on it by BindReadOnly=")

# Options of the call, which say nothing of the container.
OF_CALL = (
    "attach cidfile conmon-pidfile detach detach-keys help log-level name pidfile pod-id-file quiet replace rmi"
    " sig-proxy disable-content-trust cgroup-manager"
).split()
FLAGS = frozenset(
    (
        "detach disable-content-trust env-host help http-proxy init interactive no-healthcheck no-hostname no-hosts"
        " oom-kill-disable passwd privileged publish-all quiet read-only read-only-tmpfs replace rm rmi rootfs"
        " sig-proxy tls-verify tty unsetenv-all use-api-socket"
    ).split()
)
SHORT = {
    "a": "attach",
    "c": "cpu-shares",
    "d": "detach",
    "e": "env",
    "h": "hostname",
    "i": "interactive",
    "l": "label",
    "m": "memory",
    "p": "publish",
    "P": "publish-all",
    "q": "quiet",
    "t": "tty",
    "u": "user",
    "v": "volume",
    "w": "workdir",
}
ALIASES = {"net": "network", "dns-opt": "dns-option", "net-alias": "network-alias", "timezone": "tz"}

HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(OF_CALL, nothing),
    "add-host": network.add_host,
    "annotation": lambda target, text: target.words("X-Annotation", text),
    **dict.fromkeys(("arch", "os", "platform", "variant"), lost(*_PLATFORM)),
    **dict.fromkeys(
        ("authfile", "cert-dir", "creds", "decryption-key", "retry", "retry-delay", "tls-verify"), lost(*_TRANSPORT)
    ),
    "blkio-weight": limits.io_weight,
    "blkio-weight-device": limits.device_weight,
    "cap-add": _collect("cap-add"),
    "cap-drop": _collect("cap-drop"),
    "cgroup-conf": limits.cgroup_file,
    "cgroup-parent": lost("slices of nsunit are below nsunit.slice", "use Slice=GROUP and GROUP.slice.nsunit"),
    "cgroupns": _namespace("CgroupNamespace"),
    "cgroups": _cgroups,
    "chrootdirs": lost("files for /etc are not made in other roots", "use BindReadOnly="),
    "cpu-period": _hold("cpu-period"),
    "cpu-quota": _hold("cpu-quota"),
    **dict.fromkeys(("cpu-rt-period", "cpu-rt-runtime", "kernel-memory", "memory-swappiness"), lost(*_CGROUP_1)),
    **dict.fromkeys(("cpu-count", "cpu-percent", "io-maxbandwidth", "io-maxiops", "isolation"), lost(*_WINDOWS)),
    "cpu-shares": limits.shares,
    "cpus": limits.cpus,
    "cpuset-cpus": verbatim("AllowedCPUs", "Slice"),
    "cpuset-mems": verbatim("AllowedMemoryNodes", "Slice"),
    "device": mounts.device,
    "device-cgroup-rule": mounts.device_rule,
    "device-read-bps": lambda target, text: limits.device_rate(target, "IOReadBandwidthMax", text),
    "device-read-iops": lambda target, text: limits.device_rate(target, "IOReadIOPSMax", text),
    "device-write-bps": lambda target, text: limits.device_rate(target, "IOWriteBandwidthMax", text),
    "device-write-iops": lambda target, text: limits.device_rate(target, "IOWriteIOPSMax", text),
    "dns": network.dns,
    "dns-option": verbatim("DNSOption"),
    "dns-search": verbatim("DNSSearch"),
    "domainname": verbatim("Domainname"),
    "entrypoint": _hold("entrypoint"),
    "env": process.environment,
    "env-file": process.environment_file,
    "env-host": _lost_if_true(*_PROXY),
    "env-merge": lost("variables of the image cannot be part of others", "use Environment= with the whole value"),
    "expose": verbatim("ExposedPort"),
    "gidmap": lambda target, text: process.id_map(target, "GIDMap", text),
    "gpus": lost("nodes of devices are named", "use Device=/dev/dri/renderD128, for each of its nodes"),
    "group-add": process.group_add,
    **dict.fromkeys(("group-entry", "hostuser", "passwd-entry"), lost(*_ACCOUNTS)),
    "passwd": lambda _target, text: lost(*_ACCOUNTS)(_target, text) if not truth(text) else None,
    "health-cmd": process.health_command,
    "health-interval": lambda target, text: process.health_time(target, "HealthInterval", "30s", text),
    **dict.fromkeys(("health-log-destination", "health-max-log-count", "health-max-log-size"), lost(*_HEALTH_LOG)),
    "health-on-failure": process.health_on_failure,
    "health-retries": process.health_retries,
    "health-start-interval": lambda target, text: process.health_time(target, "HealthStartInterval", "1s", text),
    "health-start-period": lambda target, text: process.health_time(target, "HealthStartPeriod", "0", text),
    "health-startup-interval": lambda target, text: process.health_time(target, "HealthStartInterval", "1s", text),
    **dict.fromkeys(
        ("health-startup-cmd", "health-startup-retries", "health-startup-success", "health-startup-timeout"),
        lost(*_STARTUP),
    ),
    "health-timeout": lambda target, text: process.health_time(target, "HealthTimeout", "30s", text),
    "hostname": verbatim("Hostname"),
    **dict.fromkeys(("hosts-file", "no-hosts", "no-hostname"), lost(*_FILES)),
    "http-proxy": _lost_if_true(*_PROXY),
    "image-volume": _image_volumes,
    "init": _flag("Init"),
    "init-ctr": lost("a pod has no containers that end before others", "use [Service] ExecStartPre=, or [Unit] After="),
    "init-path": lost("the reaper is catatonit(1)", "use Init=yes"),
    "interactive": _lost_if_true(*_TERMINAL),
    "ip": verbatim("Address"),
    "ip6": verbatim("Address"),
    "ipc": _namespace("IPCNamespace"),
    "label": process.label,
    "label-file": _labels_of_file,
    "link": network.link,
    "link-local-ip": lost("such addresses are the kernel's matter", "leave it out"),
    "log-driver": process.log_driver,
    "log-opt": process.log_option,
    "mac-address": verbatim("MACAddress"),
    "memory": _hold("memory"),
    "memory-reservation": _size("MemoryLow"),
    "memory-swap": _hold("memory-swap"),
    "module": lost(*MODULE),
    "mount": mounts.mount,
    "network": network.network,
    "network-alias": verbatim("NetworkAlias"),
    "no-healthcheck": lambda target, text: target.say("Health", "no") if truth(text) else None,
    "oom-kill-disable": _lost_if_true(*_CGROUP_1),
    "oom-score-adj": _zero("OOMScoreAdjust", "Service"),
    "personality": lost("programs run as the kernel has them", "leave it out"),
    "pid": _namespace("PIDNamespace"),
    "pids-limit": limits.tasks,
    "pod": _pod,
    **dict.fromkeys(("preserve-fd", "preserve-fds"), lost("a service is handed no files", "use Bind=")),
    "privileged": process.privileged,
    "publish": network.publish,
    "publish-all": lambda target, text: target.say("PublishPort", "all") if truth(text) else None,
    "pull": _pull,
    "rdt-class": lost("nsunit has nothing for resctrl", "put its processes there by [Service] ExecStartPost="),
    "read-only": _hold("read-only"),
    "read-only-tmpfs": _hold("read-only-tmpfs"),
    "requires": process.requires,
    "restart": process.restart,
    "rm": _lost_if_true(
        "what it writes to its root is kept until 'nsunit rm'", "use Volatile=yes to have it in memory"
    ),
    "rootfs": _hold("rootfs"),
    "runtime": lost("there is one", "leave it out"),
    "sdnotify": process.notify,
    "seccomp-policy": lost("a filter of system calls is always there", "leave it out"),
    "secret": mounts.secret,
    "security-opt": process.security,
    "shm-size": _shm_size,
    "shm-size-systemd": lost("/run of a whole system has its own size", "use Tmpfs=/run:size=SIZE"),
    "stop-signal": verbatim("StopSignal"),
    "stop-timeout": process.stop_timeout,
    "storage-opt": lost("the root has no size of its own", "use Volume=…:size=SIZE for what grows"),
    **dict.fromkeys(
        ("subgidname", "subuidname"),
        lost("ids are not taken from somebody's in /etc/subuid", "use PrivateUsers=START:COUNT"),
    ),
    "sysctl": verbatim("Sysctl"),
    "systemd": _hold("systemd"),
    "timeout": _timeout,
    "tmpfs": mounts.tmpfs,
    "tty": _lost_if_true(*_TERMINAL),
    "tz": process.time_zone,
    "uidmap": lambda target, text: process.id_map(target, "UIDMap", text),
    "ulimit": limits.ulimit,
    "umask": _zero("UMask", "Service", "0022"),
    **dict.fromkeys(("unsetenv", "unsetenv-all"), lost("variables of the image stay", "give them an empty value")),
    "use-api-socket": lost("there is no engine to talk to", "leave it out"),
    "user": process.user,
    "userns": process.user_namespace,
    "uts": _namespace("UTSNamespace"),
    "volume": mounts.volume,
    "volume-driver": lost("volumes are directories", "use Bind= for what somebody else has mounted"),
    "volumes-from": lost("what another container has mounted is not looked up", "name its volumes by Volume="),
    "workdir": verbatim("WorkingDirectory"),
}


def option(target: Target, name: str, text: str) -> None:
    """Take one option by its long name; what cannot be carried over is remarked at the target's origin."""
    handler = HANDLERS.get(ALIASES.get(name, name))
    try:
        if handler is None:
            raise NotCarried("nsunit does not know it", "leave it out")
        handler(target, text)
    except NotCarried as why:
        target.remark(why.reason, why.instead)


def finish(target: Target, words: list[str]) -> None:
    """Say what options mean together, and what the *words* after the image do."""
    for names, say in (
        (("memory", "memory-swap"), limits.memory),
        (("cpu-quota", "cpu-period"), limits.quota),
        (("read-only",), process.read_only),
        (("cap-add", "cap-drop"), process.capabilities),
    ):
        if any(name in target.pending for name in names):
            try:
                say(target)
            except NotCarried as why:
                target.remark(why.reason, why.instead)
    process.environment_twice(target)
    network.address_on_link(target)
    process.program(target, words)
    pod = "pod" in target.pending
    joined = {"network", "pod"} & target.pending.keys()
    if not joined and not target.draft.has(target.section, "Network"):
        target.origin = target.origin.replace(line=0, key="Network")  # said nowhere
        target.say("Network", network.default(target))
    elif not pod and target.held("network") in ("none",) and _wants_ports(target):
        target.remark("there are no ports without a network", "add Network=bridge")
    if target.pending.get("userns", ("", None))[0]:
        with_ids_of_its_own(target)


def _wants_ports(target: Target) -> bool:
    return target.draft.has(target.section, "PublishPort")


def with_ids_of_its_own(target: Target) -> None:
    """Where podman's container has ids of its own as well, files of binds belong to whom they belong there."""
    for place, line in enumerate(target.draft.lines):
        if line.key in ("Bind", "BindReadOnly") and line.value.endswith((":idmap", ",idmap", ':idmap"', ',idmap"')):
            quote = '"' if line.value.endswith('"') else ""
            value = line.value.removesuffix(quote).removesuffix("idmap").rstrip(":,") + quote
            target.draft.lines[place] = line.replace(value=value)
