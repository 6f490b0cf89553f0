"""What criu is asked for: the options of the command line and what the container is, as fields of criu_opts.  Pure."""

from __future__ import annotations

from nsunit.oci.errors import OciError, UsageError
from nsunit.oci.spec.fields import Json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from nsunit.oci.criu.mounts import Outside
    from nsunit.oci.criu.wire import Value
    from nsunit.oci.options import Given

    Field: TypeAlias = "tuple[int, Value]"

# criu_opts of images/rpc.proto
IMAGES_DIR_FD, PID, LEAVE_RUNNING, EXT_UNIX_SK, TCP_ESTABLISHED, FILE_LOCKS = 1, 2, 3, 4, 5, 8
LOG_LEVEL, LOG_FILE, NOTIFY_SCRIPTS, ROOT, PARENT_IMG, TRACK_MEM, AUTO_DEDUP = 9, 10, 12, 13, 14, 15, 16
WORK_DIR_FD, LINK_REMAP, CG_ROOT, RST_SIBLING, INHERIT_FD, EXT_SHARING, EXT_MASTERS = 17, 18, 25, 26, 27, 29, 30
MANAGE_CGROUPS_MODE, EXTERNAL, EMPTY_NS, FREEZE_CGROUP, TCP_SKIP_IN_FLIGHT = 34, 37, 38, 44, 46
ORPHAN_PTS_MASTER, CONFIG_FILE, TCP_CLOSE, LSM_PROFILE, LSM_MOUNT_CONTEXT, NETWORK_LOCK = 50, 51, 52, 53, 63, 64
# criu_network_lock_method: libnftables is a part of criu, iptables(8) need not be there.  A lock outlives the dump, in
# a namespace of others too: there is none where no connection can be in the image, if criu knows that.
_NFTABLES, _SKIP = 2, 3
_SKIPS_FROM = (3, 19)
_LEVEL = 4
_NEWNET = 0x40000000

CGROUP_MODES = {"ignore": 0, "soft": 3, "full": 4, "strict": 5}
# Those that are there for both, by the name that runc has for them.
_FLAGS = {
    "tcp-established": TCP_ESTABLISHED,
    "ext-unix-sk": EXT_UNIX_SK,
    "file-locks": FILE_LOCKS,
    "auto-dedup": AUTO_DEDUP,
    "link-remap": LINK_REMAP,
    "tcp-skip-in-flight": TCP_SKIP_IN_FLIGHT,
    "tcp-close": TCP_CLOSE,
}
_REFUSED = {
    "lazy-pages": "somebody would have to stay who has the pages",
    "page-server": "copy the directory of the image, or put it on a network file system",
    "status-fd": "it belongs to --lazy-pages",
}
_CONFIG = "org.criu.config"
_CONFIG_FILE = "/etc/criu/runc.conf"
# What criu can join, by the keys that other runtimes have for them.
EXTERNAL_NAMESPACES = {"net": "extRootNetNS", "pid": "extRootPidNS"}


def check(given: Given) -> None:
    """Refuse options that nothing can be done for.

    Raises:
        UsageError: there is one, or a value that is none.
    """
    for name, reason in _REFUSED.items():
        if name in given.values:
            raise UsageError(f"--{name}: there is none; {reason}")
    for name in given.all("empty-ns"):
        if name != "network":
            raise UsageError(f"--empty-ns: namespace '{name}' is not supported; it is always 'network'")
    mode = given.one("manage-cgroups-mode", "soft")
    if mode not in CGROUP_MODES:
        raise UsageError(f"--manage-cgroups-mode: '{mode}' is none of {', '.join(CGROUP_MODES)}")
    if given.one("parent-path").startswith("/"):
        raise UsageError("--parent-path must be relative to --image-path")


def common(
    given: Given, annotations: Json, images_fd: int, work_fd: int, log: str, version: tuple[int, int]
) -> list[Field]:
    """What is said to both: *log* is the name of the log file in the working directory, *version* criu's."""
    locks = given.has("tcp-established") or version < _SKIPS_FROM
    fields: list[Field] = [
        (IMAGES_DIR_FD, images_fd),
        (WORK_DIR_FD, work_fd),
        (LOG_LEVEL, _LEVEL),
        (LOG_FILE, log),
        (NOTIFY_SCRIPTS, True),
        (ORPHAN_PTS_MASTER, True),
        (EXT_SHARING, True),
        (EXT_MASTERS, True),
        (NETWORK_LOCK, _NFTABLES if locks else _SKIP),
        (EMPTY_NS, _NEWNET),
        (MANAGE_CGROUPS_MODE, CGROUP_MODES[given.one("manage-cgroups-mode", "soft")]),
    ]
    if config := annotations.get(_CONFIG, _CONFIG_FILE):
        fields.append((CONFIG_FILE, config))
    fields += [(number, True) for name, number in _FLAGS.items() if given.has(name)]
    if parent := given.one("parent-path"):
        fields.append((PARENT_IMG, parent))
    if parent or given.has("pre-dump"):
        fields.append((TRACK_MEM, True))
    return fields


def of_dump(given: Given, pid: int, freezer: str, external: Sequence[str]) -> list[Field]:
    """What is said to a dump of process *pid*, whose cgroup is the directory *freezer* if it is the container's own."""
    fields: list[Field] = [(PID, pid)]
    if given.has("leave-running"):
        fields.append((LEAVE_RUNNING, True))
    if freezer:
        fields.append((FREEZE_CGROUP, freezer))
    return fields + [(EXTERNAL, text) for text in external]


def of_restore(
    given: Given, root: str, cgroup: str, external: Sequence[str], inherited: Sequence[tuple[str, int]]
) -> list[Field]:
    """What is said to a restore below *root*, in the cgroup *cgroup*; *inherited* are keys and descriptors."""
    fields: list[Field] = [(RST_SIBLING, True), (ROOT, root)]
    if cgroup:
        fields.append((CG_ROOT, [(1, ""), (2, cgroup)]))
    for name, number in (("lsm-profile", LSM_PROFILE), ("lsm-mount-context", LSM_MOUNT_CONTEXT)):
        if text := given.one(name):
            fields.append((number, text))
    fields += [(EXTERNAL, text) for text in external]
    return fields + [(INHERIT_FD, [(1, key), (2, fd)]) for key, fd in inherited]


def external_at_dump(outside: Sequence[Outside], namespaces: Sequence[tuple[str, int]]) -> list[str]:
    """How criu is told of mounts, by the name that they have in the image, and of joined namespaces by their inodes."""
    said = [f"mnt[{mount.point}]:{mount.point}" for mount in outside]
    return said + [f"{kind}[{inode}]:{EXTERNAL_NAMESPACES[kind]}" for kind, inode in namespaces]


def external_at_restore(sources: Sequence[tuple[str, str]]) -> list[str]:
    """The same the other way round, of pairs of such a name and a path of the host; namespaces are inherited."""
    return [f"mnt[{point}]:{source}" for point, source in sources]


def refuse_joined(kinds: Sequence[str]) -> None:
    """Refuse what criu cannot join.

    Raises:
        OciError: there is such a namespace.
    """
    for kind in kinds:
        if kind not in EXTERNAL_NAMESPACES:
            raise OciError(f"linux.namespaces: criu cannot bring a container back into a {kind} namespace of others")


def stream(link: str, mount: int, inode: int, inside: Sequence[int], terminal: str = "") -> tuple[str, str]:
    """Two texts for a standard stream: how a dump is told that it is outside, if it must be, and how a restore.

    *link* is what /proc has for it, *mount* the id of the mount it was opened on, *inside* those of the container;
    *terminal* is how criu calls it if it is one, where another may take its place (see `terminal_key`).

    Raises:
        OciError: criu has nothing for it.
    """
    if link.startswith("socket:["):
        return f"unix[{link[8:-1]}]", link
    if link.startswith("pipe:["):
        return "", link
    if link.startswith("/dev/pts/") and mount not in inside:
        if not terminal:
            raise OciError(
                f"a standard stream is a terminal of others, {link}: with --shell-job another takes its place"
            )
        return terminal, terminal
    if link.startswith("/") and mount not in inside:
        key = f"file[{mount:x}:{inode:x}]"
        return key, key
    return "", link


def terminal_key(device: int, file_system: int) -> str:
    """How criu calls a terminal of others: by st_rdev and st_dev.  Unlike --shell-job alone it finds such a one from
    within a mount namespace that has no mount of it.
    """
    return f"tty[{device:x}:{file_system:x}]"


def reason(log: str) -> str:
    """The line of a log of criu that says why it has failed: the first error; that of a limit is none."""
    for line in log.splitlines():
        _, found, text = line.partition("Error (")
        if found and "rlimit:" not in text:
            return text.partition("): ")[2] or text
    return ""
