"""The keys of [Container] by theme, in the order in which the manual explains them.  For the manual only.

Each theme has what is to be known of it before its keys, in Markdown, and the keys.
"""

from __future__ import annotations

THEMES: dict[str, tuple[str, str]] = {
    "The root": (
        "What the container sees as `/`. One of `Rootfs=`, `Layer=` and `Image=` has to be there. With `Layer=` and "
        "`Image=` what it writes goes into an upper layer of its own, which it finds again at its next start until "
        "**nsunit rm**; `Volatile=yes` has that in memory. With `Rootfs=` it goes into the directory itself. See "
        "THE ROOT FILE SYSTEM.",
        "Rootfs Layer ReadOnly Volatile",
    ),
    "Images": (
        "See THE ROOT FILE SYSTEM. What the definition says itself comes before what the image says.",
        "Image Entrypoint Pull AutoUpdate",
    ),
    "The program": (
        "What runs, and how it begins and ends. When it ends the container ends; `Restart=` is a key of `[Service]`. "
        "See PROCESS 1, STANDARD STREAMS, and A WHOLE SYSTEM INSIDE.",
        "Exec Environment EnvironmentFile WorkingDirectory Init Boot Register Notify StopSignal Output",
    ),
    "Health": (
        "See HEALTH. Without a check of its own, or of its image, a container is neither healthy nor unhealthy.",
        "Health HealthInterval HealthTimeout HealthRetries HealthStartPeriod HealthStartInterval HealthOnFailure",
    ),
    "Files of the host": (
        "What is mounted on the root. Targets are made where they are missing. With ids of its own the container sees "
        "files of the host as those of nobody, unless `:idmap` says that numbers are the same on both sides.",
        "Bind BindReadOnly Propagation Volume ImageVolumes Tmpfs ShmSize",
    ),
    "Secrets": (
        "See CREDENTIALS. The other keys for them are those of **systemd.exec**(5), in `[Service]`.",
        "Secret",
    ),
    "Users and rights": (
        "Who the program is inside, which ids outside these are, and what it may do. See IDENTITY AND RIGHTS, "
        "and CONTAINERS AND SANDBOXES INSIDE.",
        "User Group SupplementaryGroups PrivateUsers UIDMap GIDMap Ownership Capability NoNewPrivileges Nesting",
    ),
    "Network": (
        "See NETWORK. Without any of these there is a loopback interface only.",
        "Network PublishPort HostPort Address MACAddress Gateway Route MTU Egress Ingress Activation IdleStop",
    ),
    "Names, and other containers": (
        "See NAMES, and LINKS AND TUNNELS.",
        "Hostname Domainname NetworkAlias AddHost DNS DNSSearch DNSOption Link ExposedPort Tunnel",
    ),
    "Groups and pods": (
        "See GROUPS, and **nsunit.pod**(5).",
        "Slice Pod",
    ),
    "Devices": (
        "The harmless ones, such as `/dev/null` and `/dev/urandom`, are always there. `DeviceAllow=` of `[Service]` "
        "alone makes no node.",
        "Device",
    ),
    "Limits": (
        "Most are systemd's, in `[Slice]`. These are the ones it has not, see LIMITS THAT SYSTEMD DOES NOT KNOW.",
        "CPUBurstSec CPUUtilizationMin CPUUtilizationMax MemorySwapHigh HugeTLBMax HugeTLBReservationMax RDMAMax"
        " MiscMax CGroupsMax CGroupDepthMax Sysctl",
    ),
    "Namespaces": (
        "A container has one of each kind for itself. Here one can be the host's, another container's, or a pinned "
        "one, see NAMESPACES.",
        "PIDNamespace IPCNamespace UTSNamespace UserNamespace CgroupNamespace TimeNamespace MountNamespace TimeOffset",
    ),
}
