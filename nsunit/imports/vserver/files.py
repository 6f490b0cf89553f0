"""The files of a vserver's directory, but for its interfaces and limits."""

from __future__ import annotations

from nsunit.imports.model import NotCarried, Origin
from nsunit.imports.podman.mounts import bind, tmpfs
from nsunit.imports.services import lost
from nsunit.imports.text import command, size
from nsunit.imports.text import path as part
from nsunit.names import service_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsunit.imports.podman.target import Target

    Handler = Callable[[Target, str], None]
    Files = dict[str, str]

# Directories whose files count together, and files that say nothing, or what is so anyway.
FOLDERS = ("interfaces", "rlimits", "ulimits", "sched", "cpuset", "cgroup")
DEFAULTS = frozenset(
    "vdir name run cache namespace namespace-cleanup schedule uts/context apps/init/cmd.start apps/init/style"
    " apps/init/sync apps/init/mtab".split()
)
# Flags that say what every container here is, or has.
_ANYWAY = frozenset(
    "lock nproc private hide_mount hide_netif hide_lock fakeinit virt_mem sched_hard ulimit state_setup state_init"
    " state_admin sc_helper reboot_kill".split()
)
_CAPABILITIES = frozenset(
    "CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID".split()
)
_MOUNTED = ("proc", "sysfs", "devpts", "devtmpfs", "cgroup", "cgroup2", "mqueue", "swap")
_SCRIPTS = {
    "initialize": "ExecStartPre",
    "prepre-start": "ExecStartPre",
    "pre-start": "ExecStartPre",
    "post-start": "ExecStartPost",
    "pre-stop": "ExecStop",
    "post-stop": "ExecStopPost",
    "postpost-stop": "ExecStopPost",
}
_SIGNAL_NAMES = frozenset("HUP INT QUIT TERM KILL USR1 USR2 PWR WINCH".split())


def lines_of(text: str) -> list[str]:
    """The lines of a list, without comments and empty ones."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def first_of(text: str) -> str:
    """The one thing that a file says."""
    return (lines_of(text) or [""])[0]


def at(root: str, key: str) -> Origin:
    """The file *key* within the directory *root*."""
    return Origin(f"{root}/{key}", 0, key.rpartition("/")[2])


def handler_for(key: str) -> Handler:
    """What makes lines of the file *key*, or a remark."""
    found = _FILES.get(key)
    if found is not None:
        return found
    folder, _, name = key.partition("/")
    if folder == "scripts":
        return _script
    if folder == "dlimits":
        return lost("a directory has no size", "use Volume=NAME:PATH:size=SIZE for data")
    if folder == "uts":
        return lost(f"the kernel's '{name}' is what it is", "leave it out")
    if key.startswith("apps/vunify"):
        return lost("files that several roots have are not linked here", "use Layer= for what they have in common")
    if key.startswith(("apps/vshelper", "vshelper")):
        return lost("systemd itself sees that a container ends, or reboots", "use [Service] Restart=")
    if key.startswith("apps/pkgmgmt"):
        return lost("packages are looked after within the root", "leave it out")
    return lost("it is no file of a vserver's that is known", "leave it out")


def _script(target: Target, _text: str) -> None:
    name = target.origin.path.rpartition("/scripts/")[2].partition("/")[0].removesuffix(".d")
    key = _SCRIPTS.get(name, "ExecStartPre")
    reason = "it runs on the host as root, with arguments and variables of util-vserver's"
    raise NotCarried(reason, f"if it is to run on the host, use [Service] {key}={target.origin.path}")


def _nice(target: Target, text: str) -> None:
    target.say("Nice", first_of(text), "Service")


def _shell(target: Target, text: str) -> None:
    raise NotCarried("a session says itself what it runs", f"nsunit exec -ti {target.draft.name} {first_of(text)}")


def _capabilities(target: Target, text: str) -> None:
    """A capability a line, `^NUMBER` or `~NAME` among them."""
    for item in lines_of(text):
        name = item.upper().lstrip("~!").removeprefix("CAP_")
        if not name.replace("_", "").isalpha():
            target.remark(f"'{item}' is not the name of a capability", "see capabilities(7)")
        elif item[0] in "~!":
            target.say("Capability", f"-{name}")
        elif name not in _CAPABILITIES:
            target.say("Capability", f"+{name}")


def _context_capabilities(target: Target, text: str) -> None:
    for item in lines_of(text):
        name = item.upper()
        if name in ("RAW_ICMP", "VC_RAW_ICMP"):
            continue  # all of a container may send echo requests
        target.remark(f"'{item}' is a right of VServer's kernel", _RIGHTS.get(name.removeprefix("VC_"), "leave it out"))


_RIGHTS = {
    "SET_UTSNAME": "use Hostname=, or Boot=yes for a system that sets its own",
    "SET_RLIMIT": "use [Service] LimitNOFILE= and the like",
    "SECURE_MOUNT": "use Bind= and Tmpfs=, or Boot=yes for a system that mounts",
    "SECURE_REMOUNT": "use Bind= and Tmpfs=, or Boot=yes for a system that mounts",
    "BINARY_MOUNT": "mount it on the host, and use Bind=",
    "QUOTA_CTL": "use Volume=NAME:PATH:size=SIZE",
    "SYSLOG": "the kernel's messages are the host's",
}


def _flags(target: Target, text: str) -> None:
    for item in lines_of(text):
        name = item.lower().removeprefix("vxf_").lstrip("~!")
        if name in _ANYWAY:
            continue
        instead = {"virt_uptime": "TimeOffset=boottime sets that clock", "hide_vinfo": "leave it out"}
        target.remark(f"'{item}' is a flag of VServer's kernel", instead.get(name, "leave it out"))


def _fstab(target: Target, text: str) -> None:
    """fstab(5), of what is mounted in the root."""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        target.origin = Origin(target.origin.path, number, words[0])
        source, where, kind, options, *_ = [*words, "", "", "", ""]
        said = [option for option in options.split(",") if option not in ("", "defaults", "auto", "noauto")]
        try:
            _mount(target, source, where, kind, said)
        except NotCarried as why:
            target.remark(why.reason, why.instead)


def _mount(target: Target, source: str, where: str, kind: str, options: list[str]) -> None:
    is_bind = "bind" in options or "rbind" in options
    if not where.startswith("/"):
        raise NotCarried("it does not say where", "write SOURCE TARGET TYPE OPTIONS")
    if is_bind:
        kept = [option for option in options if option not in ("bind", "rbind", "nosuid", "nodev", "noatime")]
        bind(target, source, where, kept if "rbind" in options else ["norbind", *kept])
    elif kind == "tmpfs" and where == "/dev/shm":
        if limit := next((option[5:] for option in options if option.startswith("size=")), ""):
            target.say("ShmSize", size(limit))
    elif kind == "tmpfs":
        tmpfs(target, ":".join([part(where), ",".join(options)]) if options else part(where))
    elif kind not in _MOUNTED:
        raise NotCarried(
            f"'{source}' is mounted by the host", f"mount it there by its fstab, and use Bind=PATH:{where}"
        )


def _environment(target: Target, text: str) -> None:
    for item in lines_of(text):
        target.words("Environment", item)


def _depends(target: Target, text: str) -> None:
    for item in lines_of(text):
        unit = service_name(item)
        target.say("Requires", unit, "Unit")
        target.say("After", unit, "Unit")


def _mark(target: Target, text: str) -> None:
    reason = f"'{first_of(text)}' is a group of vservers that an init script starts"
    raise NotCarried(reason, f"type 'nsunit enable {target.draft.name}'")


def _sequence(target: Target, text: str) -> None:
    """`SIGNAL [SECONDS SIGNAL]…`: the first one is StopSignal=, and systemd ends with SIGKILL."""
    words = text.split()
    name = (words[0] if words else "").upper().removeprefix("SIG")
    if name not in _SIGNAL_NAMES:
        raise NotCarried(f"'{text.strip()}' does not begin with a signal", "use StopSignal=")
    target.say("StopSignal", f"SIG{name}")
    if len(words) > 1 and words[1].isdecimal():
        target.say("TimeoutStopSec", f"{words[1]}s", "Service")
    if len(words) > 3:
        target.remark("systemd sends one signal, and SIGKILL when its time is up", "see systemd.kill(5)")


def _hostname(target: Target, text: str) -> None:
    target.plain("Hostname", first_of(text))


def _domain(target: Target, text: str) -> None:
    target.plain("Domainname", first_of(text))


def process(target: Target, root: str, files: Files) -> None:
    """What is started: `apps/init/cmd.start`, or what `apps/init/style` stands for."""
    words = lines_of(files.get("apps/init/cmd.start", ""))
    style = first_of(files.get("apps/init/style", "")) or "sysv"
    target.origin = at(root, "apps/init/style")
    if words:
        target.origin = at(root, "apps/init/cmd.start")
        target.say("Exec", command(words))
        if words[0].rpartition("/")[2] in ("rc", "rcS", "openrc"):
            target.remark("it starts services and ends, and the container with it", "use Boot=yes, or one program")
        return
    target.say("Boot", "yes")
    if style != "plain":
        reason = f"'{style}' runs scripts of a root without an init"
        target.remark(reason, "Boot=yes starts its /sbin/init, which must be systemd; use Exec= for one program")


_HOST_TTY = lost("a container has a terminal of its own", "use 'nsunit run' for one in the foreground")
_RUNLEVEL = lost("systemd has targets", "use Exec=systemd.unit=TARGET with Boot=yes")
_INSIDE = lost("commands of the system inside are its own", "use StopSignal=, or a unit in the root")

_FILES: dict[str, Handler] = {
    "context": lost("ids are chosen by nsunit", "use PrivateUsers=START:COUNT for a range"),
    "nice": _nice,
    "shell": _shell,
    "personality": lost("a program chooses that itself", "use Exec=setarch ARCH PROGRAM"),
    "capabilities": _capabilities,
    "bcapabilities": _capabilities,
    "ccapabilities": _context_capabilities,
    "ncapabilities": lost("it is about VServer's network", "leave it out"),
    "nflags": lost("it is about VServer's network", "leave it out"),
    "umask": lambda target, text: target.say("UMask", first_of(text), "Service"),
    "flags": _flags,
    "fstab": _fstab,
    "fstab.remote": _fstab,
    "fstab.local": _fstab,
    "nonamespace": lost("a container has mounts of its own", "leave it out"),
    "nonamespace-cleanup": lost("a container sees nothing of the host's mounts", "leave it out"),
    "namespace-cleanup-skip": lost("a container sees nothing of the host's mounts", "use Bind= for what it needs"),
    "uts/nodename": _hostname,
    "uts/domainname": _domain,
    "apps/init/mark": _mark,
    "apps/init/depends": _depends,
    "apps/init/environment": _environment,
    "apps/init/killseq": _sequence,
    "apps/init/tty": _HOST_TTY,
    **dict.fromkeys(("apps/init/runlevel", "apps/init/runlevel.start", "apps/init/runlevel.stop"), _RUNLEVEL),
    **dict.fromkeys(("apps/init/cmd.stop", "apps/init/cmd.prepare"), _INSIDE),
    **dict.fromkeys(("apps/init/cmd.start-sync", "apps/init/cmd.stop-sync"), _INSIDE),
}
