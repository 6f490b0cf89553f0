"""All keys of lxc.container.conf(5), LXC 2.1 to 7: what each becomes."""

from __future__ import annotations

from nsunit.imports.lxc import limits, mounts, network, program, root
from nsunit.imports.model import NotCarried
from nsunit.imports.podman import limits as podman_limits
from nsunit.imports.services import HOOKS, HOOKS_REASON
from nsunit.imports.text import literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.imports.lxc.config import Config
    from nsunit.imports.podman.target import Target

    Handler = Callable[[Target, Config, str], None]


def _lost(reason: str, instead: str) -> Handler:
    def refuse(_target: Target, _config: Config, _text: str) -> None:
        raise NotCarried(reason, instead)

    return refuse


def _unless(known: str, reason: str, instead: str) -> Handler:
    """Refuse what is none of the words *known*, which say what is so anyway."""

    def refuse(_target: Target, _config: Config, text: str) -> None:
        if text not in known.split():
            raise NotCarried(reason, instead)

    return refuse


def _plain(key: str, section: str = "") -> Handler:
    return lambda target, _config, text: target.plain(key, text, section)


def _nothing(_target: Target, _config: Config, _text: str) -> None:
    """It is said with another key, or is so anyway."""


def _hostname(target: Target, _config: Config, text: str) -> None:
    if text != target.draft.name:
        target.plain("Hostname", text)


def _no_new_privileges(target: Target, _config: Config, text: str) -> None:
    if text == "1":
        target.say("NoNewPrivileges", "yes")


def _nesting(target: Target, _config: Config, text: str) -> None:
    if text == "1":
        target.say("Nesting", "yes")


def _start(target: Target, _config: Config, text: str) -> None:
    if text != "0":
        raise NotCarried("at boot it is started where it is enabled", f"nsunit enable {target.draft.name}")


def _keep(target: Target, _config: Config, text: str) -> None:
    """lxc.namespace.keep: those of the host."""
    for kind in text.split():
        if kind == "net":
            target.say("Network", "host")
        elif kind in _NAMESPACES:
            target.say(_NAMESPACES[kind], "host")
        else:
            target.remark(f"'{kind}' is no namespace", "leave it out")


_NAMESPACES = {
    "cgroup": "CgroupNamespace",
    "ipc": "IPCNamespace",
    "mnt": "MountNamespace",
    "pid": "PIDNamespace",
    "time": "TimeNamespace",
    "user": "UserNamespace",
    "uts": "UTSNamespace",
}


def _share(target: Target, kind: str, text: str) -> None:
    """lxc.namespace.share.KIND: a container, the number of a process, or a path."""
    key = "Network" if kind == "net" else _NAMESPACES.get(kind, "")
    if not key or text.isdecimal():
        raise NotCarried(
            "a process has its number for a short time only", f"use {key or 'a key of namespaces'}=path:PATH"
        )
    target.plain(key, f"path:{text}" if text.startswith("/") else f"container:{text}")


def _offset(clock: str) -> Handler:
    def take(target: Target, _config: Config, text: str) -> None:
        target.plain("TimeOffset", f"{clock} {text.replace('m', 'min') if text.endswith('m') else text}")

    return take


def _oom(target: Target, _config: Config, text: str) -> None:
    target.plain("OOMScoreAdjust", text, "Service")


_LABEL = ("nsunit sets no label", "leave it out")
_FILTER = ("a filter of system calls is always there", "leave it out; Capability= opens more calls")
_TERMINAL = ("a service has no terminals but /dev/console", "use 'nsunit exec -ti', or 'nsunit run -ti'")
_LOG = ("the journal has what a container writes", "'nsunit logs' shows it")
_MONITOR = ("a container has no process of its own beside it", "leave it out")
_GROUPS = ("groups of its own are those of nsunit.slice", "leave it out; Slice=GROUP is for common limits")
_HOOKS = {
    "autodev": "use Device= for nodes",
    "clone": "'nsunit clone' changes the host name itself",
    "destroy": "do it after 'nsunit rm'",
    "mount": "use Bind=, Volume= or Tmpfs=",
    "post-stop": HOOKS["end"],
    "pre-mount": HOOKS["mounts"],
    "pre-start": HOOKS["before"],
    "start": HOOKS["inside"],
    "start-host": HOOKS["after"],
    "stop": "use [Service] ExecStop=, which runs on the host",
    "version": "leave it out",
}

HANDLERS: dict[str, Handler] = {
    "lxc.apparmor.allow_incomplete": _lost(*_LABEL),
    "lxc.apparmor.allow_nesting": _nesting,
    "lxc.apparmor.profile": _lost(*_LABEL),
    "lxc.apparmor.raw": _lost(*_LABEL),
    "lxc.arch": program.arch,
    "lxc.autodev": _unless("1", "/dev is made anyway", "leave it out"),
    "lxc.autodev.tmpfs.size": _lost("/dev has a size of its own", "leave it out"),
    "lxc.cap.drop": program.dropped,
    "lxc.cap.keep": program.kept,
    **dict.fromkeys(
        [f"lxc.cgroup.dir{rest}" for rest in ("", ".container", ".container.inner", ".monitor", ".monitor.pivot")],
        _lost(*_GROUPS),
    ),
    "lxc.cgroup.relative": _unless("0", *_GROUPS),
    **dict.fromkeys([f"lxc.console.{rest}" for rest in ("buffer.size", "logfile", "rotate", "size")], _lost(*_LOG)),
    "lxc.console.path": _unless("none", *_TERMINAL),
    "lxc.environment": program.environment,
    "lxc.environment.hooks": _lost("hooks do not run", "leave it out"),
    "lxc.environment.runtime": program.environment,
    "lxc.ephemeral": _nothing,  # said with the root
    "lxc.execute.cmd": _nothing,  # said with the program
    "lxc.group": _lost("groups are for limits", "use [Install] WantedBy=TARGET, and 'nsunit start' with a pattern"),
    "lxc.idmap": _nothing,  # together
    "lxc.init.cmd": _nothing,
    "lxc.init.cwd": _plain("WorkingDirectory"),
    "lxc.init.gid": program.group,
    "lxc.init.groups": program.groups,
    "lxc.init.uid": program.user,
    "lxc.keyring.session": _unless("1", "a container has keys of its own", "see [Service] KeyringMode="),
    **dict.fromkeys([f"lxc.log.{rest}" for rest in ("file", "level", "syslog")], _lost(*_LOG)),
    "lxc.monitor.signal.pdeath": _lost(*_MONITOR),
    "lxc.monitor.unshare": _unless("0", *_MONITOR),
    "lxc.mount.auto": mounts.auto,
    "lxc.mount.entry": mounts.entry,
    "lxc.mount.fstab": mounts.table,
    "lxc.namespace.clone": _lost("each container has one of each kind", "use Network=host and the like for others"),
    "lxc.namespace.keep": _keep,
    "lxc.no_new_privs": _no_new_privileges,
    "lxc.proc.oom_score_adj": _oom,
    "lxc.pty.max": _unless("1024", "a container has up to 1024 terminals", "leave it out"),
    "lxc.rootfs.managed": _nothing,
    "lxc.rootfs.mount": _lost("nothing of it is mounted on the host", "'nsunit mount' shows it there"),
    "lxc.rootfs.options": root.options,
    "lxc.rootfs.path": _nothing,
    "lxc.sched.core": _unless("0", "nsunit has nothing for core scheduling", "leave it out"),
    "lxc.seccomp.allow_nesting": _lost(*_FILTER),
    **dict.fromkeys([f"lxc.seccomp.notify.{rest}" for rest in ("cookie", "proxy")], _lost(*_FILTER)),
    "lxc.seccomp.profile": _lost(*_FILTER),
    **dict.fromkeys(("lxc.selinux.context", "lxc.selinux.context.keyring"), _lost(*_LABEL)),
    "lxc.signal.halt": program.signal,
    "lxc.signal.reboot": _lost("a reboot is a stop and a start", "'nsunit restart', or a reboot inside"),
    "lxc.signal.stop": program.stop_signal,
    "lxc.start.auto": _start,
    "lxc.start.delay": _lost("containers start when what they need is there", "use [Unit] After="),
    "lxc.start.order": _lost("containers start when what they need is there", "use [Unit] After="),
    "lxc.time.offset.boot": _offset("boottime"),
    "lxc.time.offset.monotonic": _offset("monotonic"),
    "lxc.tty.dir": _lost(*_TERMINAL),
    "lxc.tty.max": _unless("0", *_TERMINAL),
    "lxc.uts.name": _hostname,
    **dict.fromkeys(("lxc.kmsg", "lxc.pivotdir", "lxc.rootfs.backend"), _lost("LXC has it no longer", "leave it out")),
}


def option(target: Target, config: Config, key: str, text: str) -> None:
    """Take one key, by the name that it has today.

    Raises:
        NotCarried: a definition has nothing for it.
    """
    handler = HANDLERS.get(key)
    if handler is not None:
        handler(target, config, text)
        return
    prefix, _, rest = key.removeprefix("lxc.").partition(".")
    if prefix == "net":
        return  # together
    if prefix == "cgroup":
        limits.version_1(target, config, rest, text)
    elif prefix == "cgroup2":
        limits.version_2(target, config, rest, text)
    elif prefix == "hook" and rest in _HOOKS:
        raise NotCarried(HOOKS_REASON, _HOOKS[rest])
    elif prefix == "prlimit":
        podman_limits.ulimit(target, f"{rest}={text.replace(' ', '')}")
    elif prefix == "sysctl":
        target.say("Sysctl", f"{rest}={literal(text)}")
    elif prefix == "proc":
        raise NotCarried(
            f"/proc/PID/{rest.replace('.', '/')} is not written", "use a key of [Service], systemd.exec(5)"
        )
    elif prefix == "namespace" and rest.startswith("share."):
        _share(target, rest.removeprefix("share."), text)
    else:
        raise NotCarried("it is no key of LXC's", "leave it out")


def finish(target: Target, config: Config) -> None:
    """Say what keys mean together: ids, interfaces, CPU time."""
    root.ids(target, config)
    if not target.draft.has("Container", "Network"):
        network.interfaces(target, config)
    else:
        for item in config.said:
            if item.key.startswith("lxc.net."):
                target.origin = item.origin
                target.remark("its network is that of somebody else", "leave out one of the two")
    if {"cpu-quota", "cpu-period"} & target.pending.keys():
        try:
            podman_limits.quota(target)
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)
