"""What `Boot=yes` changes in the defaults of [Container], and what does not go with it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container

# What systemd-nspawn gives an operating system, without auditing, which the kernel refuses in a user namespace, and
# without opening files by handle (CAP_DAC_READ_SEARCH).  All of it holds in the container's user namespace only.
CAPABILITIES = frozenset(
    "CAP_" + name
    for name in (
        "CHOWN DAC_OVERRIDE FOWNER FSETID IPC_OWNER KILL LEASE LINUX_IMMUTABLE MKNOD NET_ADMIN NET_BIND_SERVICE"
        " NET_BROADCAST NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_NICE SYS_PTRACE"
        " SYS_RESOURCE SYS_TTY_CONFIG".split()
    )
)
SIGRTMIN_PLUS_3 = 37  # asks systemd to halt, systemd(1)
DEFAULTS = {
    "exec": ("/sbin/init",),
    "stop_signal": SIGRTMIN_PLUS_3,
    "no_new_privileges": False,
    "notify": True,
}


def contradictions(container: Container) -> list[tuple[str, str, str]]:
    """Return what does not go with `Boot=yes`, as (key to blame, message, hint)."""
    found = []
    if container.private_users.mode == "no":
        hint = "leave it out: each container has ids of its own by default"
        found.append(("PrivateUsers", "Boot=yes needs a user namespace: root inside would be root outside", hint))
    if container.namespaces:
        from nsunit.definition.namespaces import KEYS

        # It mounts, and manages cgroups, and its end has to be the end of all that it has started.
        refused = ("cgroup", "mnt", "pid", "user")
        hint = "leave it out, or use private"
        reason = "a whole system needs one of its own (Boot=yes)"
        found += [(KEYS[kind], reason, hint) for kind, _ in container.namespaces if kind in refused]
    if container.init:
        found.append(("Init", "Boot=yes has an init of its own", "leave out one of the two"))
    if container.user not in (None, "0", "root"):
        found.append(("User", "the init of Boot=yes runs as root", "set User= in the units inside"))
    if "CAP_SYS_ADMIN" not in container.capabilities:
        found.append(("Capability", "systemd cannot mount anything without CAP_SYS_ADMIN", "leave it in the set"))
    return found
