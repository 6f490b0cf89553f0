"""lxc.mount: entries as in fstab(5), and what is mounted by a word."""

from __future__ import annotations

from nsunit.imports.model import NotCarried
from nsunit.imports.text import of_tmpfs
from nsunit.imports.text import path as part
from nsunit.names import unescape_octal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.lxc.config import Config
    from nsunit.imports.podman.target import Target

# File systems that are there anyway, at their places.
_ANYWAY = {
    "proc": ("/proc",),
    "sysfs": ("/sys",),
    "devpts": ("/dev/pts",),
    "mqueue": ("/dev/mqueue",),
    "cgroup": ("/sys/fs/cgroup",),
    "cgroup2": ("/sys/fs/cgroup",),
}
_NOT_MAPPED = ("/dev/", "/proc/", "/run/", "/sys/", "/var/run/")
_OPTIONS = frozenset(
    "defaults rw dev nodev suid nosuid exec noexec relatime noatime strictatime nodiratime async private rprivate"
    " relative create=dir create=file".split()
)
_AUTO = frozenset(
    "proc proc:mixed sys sys:mixed sys:ro cgroup cgroup:mixed cgroup:ro cgroup:rw cgroup-full:mixed".split()
)
_AUTO |= {f"{word}:force" for word in _AUTO}


def entry(target: Target, _config: Config, text: str) -> None:
    """`SOURCE TARGET TYPE OPTIONS …`, the target below the root."""
    fields = [unescape_octal(field) for field in text.split()]
    if len(fields) < 2:
        raise NotCarried(f"'{text}' is no line of fstab(5)", "use Bind=SOURCE:TARGET")
    source, where = fields[0], "/" + _inside(target, fields[1]).strip("/")
    kind = fields[2] if len(fields) > 2 else "none"
    options = fields[3].split(",") if len(fields) > 3 else []
    if "bind" in options or "rbind" in options or kind in ("none", "bind"):
        _bind(target, source, where, options)
    elif kind in ("tmpfs", "ramfs"):
        _tmpfs(target, where, options)
    elif where in _ANYWAY.get(kind, ()):
        return
    elif kind in _ANYWAY:
        raise NotCarried(
            f"a further '{kind}' is not mounted", "leave it out; Nesting=yes lets programs inside mount theirs"
        )
    elif kind == "overlay":
        raise NotCarried("nothing lies over a directory to take what is written", "use Layer= for the root, or Bind=")
    else:
        raise NotCarried(f"nsunit has no mounts of type '{kind}'", "mount it on the host, and use Bind=")


def _inside(target: Target, text: str) -> str:
    """The path inside; one that names the root on the host, as some do, is below it."""
    for root in (*target.draft.values("Container", "Rootfs"), *target.draft.values("Container", "Layer")):
        if text.startswith(root.rstrip("/") + "/"):
            return text[len(root.rstrip("/")) :]
    return text


def _bind(target: Target, source: str, where: str, options: list[str]) -> None:
    optional = "-" if "optional" in options else ""
    kept = [] if "rbind" in options else ["norbind"]
    for option in options:
        name = option.partition("=")[0]
        if name == "idmap":
            kept.append("idmap")
        elif option in ("slave", "rslave"):
            target.say("Propagation", "slave")
        elif option not in _OPTIONS and option not in ("bind", "rbind", "ro", "optional", ""):
            target.remark(f"'{option}' is no option of a bind", "leave it out")
    if not target.pending.get("ids") and "idmap" not in kept and not f"{source}/".startswith(_NOT_MAPPED):
        kept.append("idmap")
    words = [optional + part(target.path(source)), part(where)]
    if where == source and not kept:
        words.pop()
    target.words("BindReadOnly" if "ro" in options else "Bind", ":".join([*words, *([",".join(kept)] if kept else [])]))


def _tmpfs(target: Target, where: str, options: list[str]) -> None:
    kept = []
    for option in options:
        if option.partition("=")[0] in ("size", "mode", "uid", "gid", "nr_inodes"):
            kept.append(of_tmpfs(option))
        elif option not in _OPTIONS and option not in ("optional", ""):
            target.remark(f"'{option}' is no option of Tmpfs=", "leave it out")
    if where == "/dev/shm" and not any(item.startswith("size=") for item in kept):
        return  # it is there
    target.words("Tmpfs", f"{part(where)}:{','.join(kept)}" if kept else part(where))


def table(target: Target, config: Config, text: str) -> None:
    """lxc.mount.fstab: a file of entries."""
    content = target.read(target.path(text))
    if content is None:
        raise NotCarried(f"'{text}' is not there", "use Bind=")
    whole = target.origin
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        target.origin = whole.replace(path=target.path(text), line=number, key="entry")
        try:
            entry(target, config, line)
        except NotCarried as lost:
            target.remark(lost.reason, lost.instead)


def auto(target: Target, _config: Config, text: str) -> None:
    """lxc.mount.auto: words such as `proc:mixed`."""
    for word in text.split():
        if word in _AUTO or word.startswith(("cgroup:", "cgroup-full")) and target.pending.get("boot"):
            continue
        if word.startswith("shmounts"):
            target.remark("nothing is mounted into a container that runs", "use Propagation=slave with a Bind=")
        else:
            target.remark(
                f"what '{word}' opens in /proc, /sys or /sys/fs/cgroup is read-only or hidden",
                "use Sysctl= for what is to be set; Boot=yes has control groups of its own",
            )
