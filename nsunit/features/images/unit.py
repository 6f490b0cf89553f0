"""The units in which an image is fetched and unpacked.  Pure."""

from __future__ import annotations

from nsunit.definition.values_container import mask_of
from nsunit.units import Property, Unit

# A mount namespace, an overlay and a pivot take CAP_SYS_ADMIN; the process that touches a layer gives it up.
CAPABILITIES = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_MKNOD", "CAP_SETFCAP"),
    *("CAP_SETPCAP", "CAP_SYS_ADMIN"),
)
MEMORY_MAX = 1 << 30  # bytes; what the kernel keeps of the files that are written counts as well
TASKS_MAX = 64
SECONDS = 3600
PULL_SECONDS = 6 * 3600
_CLONE_NEWNS = 0x00020000


def unpack_unit(token: str, argv: tuple[str, ...], store: str, *, user: bool = False) -> Unit:
    """`nsunit-unpack-TOKEN.service`, which executes *argv* and can write to nothing but the directory *store*.

    With *user* it has limits alone: its program makes a user namespace by newuidmap(1), which has no effect where a
    unit is confined, and takes the network away itself.
    """
    properties = _common("Unpack an image for nsunit", argv, SECONDS)
    if not user:
        properties += (
            *_confined(store),
            *_of_system(CAPABILITIES),
            Property("PrivateNetwork", "b", True),
            Property("RestrictAddressFamilies", "(bas)", (True, ("AF_UNIX",))),
            Property("RestrictNamespaces", "t", _CLONE_NEWNS),
            Property("SystemCallFilter", "(bas)", (True, ("@system-service", "@mount"))),
        )
    return Unit(
        f"nsunit-unpack-{token}.service",
        (*properties, Property("LimitNOFILE", "t", 16_384), Property("SyslogIdentifier", "s", "nsunit-unpack")),
    )


def pull_unit(token: str, argv: tuple[str, ...], place: str, *, user: bool = False) -> Unit:
    """`nsunit-pull-TOKEN.service`, which executes *argv* with the network, to write to the directory *place* alone."""
    properties = (
        *_common("Fetch an image for nsunit", argv, PULL_SECONDS),
        *_confined(place),
        *((Property("PrivateUsers", "b", True),) if user else _of_system(())),
        Property("RestrictNamespaces", "t", 0),
        Property("SystemCallFilter", "(bas)", (True, ("@system-service",))),
        Property("SyslogIdentifier", "s", "nsunit-pull"),
    )
    return Unit(f"nsunit-pull-{token}.service", properties)


def pack_unit(
    token: str,
    argv: tuple[str, ...],
    place: str,
    *,
    merges: bool = False,
    user: bool = False,
) -> Unit:
    """`nsunit-pack-TOKEN.service`, which executes *argv*, to write to the directory *place* alone.

    What *merges* layers mounts them, as unpacking does.  With *user* it has limits alone, as `unpack_unit`.
    """
    properties = (
        *_common("Pack layers for nsunit", argv, SECONDS),
        Property("SyslogIdentifier", "s", "nsunit-pack"),
    )
    if not user:
        properties += (
            *_confined(place),
            *_of_system(CAPABILITIES if merges else ("CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN")),
            Property("PrivateNetwork", "b", True),
            Property("RestrictAddressFamilies", "(bas)", (True, ("AF_UNIX",))),
            Property("RestrictNamespaces", "t", _CLONE_NEWNS if merges else 0),
            Property("SystemCallFilter", "(bas)", (True, ("@system-service", *(("@mount",) if merges else ())))),
        )
    return Unit(f"nsunit-pack-{token}.service", properties)


def pause_unit(token: str, slice_: str, systemctl: tuple[str, ...], wait: tuple[str, ...]) -> Unit:
    """`nsunit-pause-TOKEN.service`, which freezes the unit *slice_* until the command *wait* ends, or it is stopped.

    *systemctl* are the words that it begins with.
    """
    commands = {"ExecStartPre": (*systemctl, "freeze", slice_), "ExecStart": wait}
    commands["ExecStopPost"] = (*systemctl, "thaw", slice_)
    properties = (
        Property("Description", "s", "Pause a container while nsunit reads its files"),
        Property("Type", "s", "exec"),
        Property("CollectMode", "s", "inactive-or-failed"),
        *(Property(key, "a(sasb)", ((command[0], command, False),)) for key, command in commands.items()),
        Property("NoNewPrivileges", "b", True),
        Property("SyslogIdentifier", "s", "nsunit-pause"),
    )
    return Unit(f"nsunit-pause-{token}.service", properties)


def push_unit(token: str, argv: tuple[str, ...], place: str, *, user: bool = False) -> Unit:
    """`nsunit-push-TOKEN.service`, as `pull_unit`."""
    unit = pull_unit(token, argv, place, user=user)
    said = {"Description": "Send an image for nsunit", "SyslogIdentifier": "nsunit-push"}
    properties = tuple(item.replace(value=said.get(item.name, item.value)) for item in unit.properties)
    return Unit(f"nsunit-push-{token}.service", properties)


def archive_unit(token: str, argv: tuple[str, ...], place: str, *, disks: bool, user: bool) -> Unit:
    """`nsunit-archive-TOKEN.service`, which reads a root file system and writes to the directory *place* alone.

    To mount *disks* takes devices, and the privileges of systemd-dissect(1); what is mounted goes with the unit.
    """
    properties = _common("Read a root file system for nsunit", argv, SECONDS)
    if disks:
        properties += (Property("PrivateMounts", "b", True),)
    elif not user:
        properties += (
            *_confined(place),
            *_of_system(("CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN")),  # attributes in trusted.*
            Property("PrivateNetwork", "b", True),
            Property("RestrictNamespaces", "t", 0),
            Property("SystemCallFilter", "(bas)", (True, ("@system-service",))),
        )
    return Unit(f"nsunit-archive-{token}.service", (*properties, Property("SyslogIdentifier", "s", "nsunit-archive")))


def storage_unit(token: str, argv: tuple[str, ...], *, user: bool) -> Unit:
    """`nsunit-pull-TOKEN.service`, which reads podman's store: that takes locks and mounts, and newuidmap(1)."""
    properties = _common("Copy an image from podman's store for nsunit", argv, SECONDS)
    if not user:
        properties += (Property("PrivateNetwork", "b", True), Property("PrivateMounts", "b", True))
    return Unit(f"nsunit-pull-{token}.service", (*properties, Property("SyslogIdentifier", "s", "nsunit-pull")))


FILL = "nsunit-fill"
_PLACES = {"/var/cache": "cache", "/tmp": "tmp", "/var/tmp": "tmp", "/run/lock": "lock"}
_PROTECTED = "ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectControlGroups RestrictRealtime"
# To mount, to change its root and to be other users is what programs that install a system do.
_INSTALLS = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL MKNOD SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_CHROOT"
)
_RECURSIVE = 16384  # MS_REC


def fill_unit(token: str, argv: tuple[str, ...], place: str) -> Unit:
    """`nsunit-fill-TOKEN.service`, which executes *argv* with the network, to write to the directory *place* alone.

    What programs keep elsewhere while they install a system is in there as well.  They may make devices, but open none.
    """
    mounts = tuple((f"{place}/{inside}", path, False, _RECURSIVE) for path, inside in _PLACES.items())
    properties = (
        *_common("Fill a root for nsunit", argv, SECONDS),
        *_confined(place),
        *_of_system(tuple(f"CAP_{name}" for name in _INSTALLS.split())),
        Property("BindPaths", "a(ssbt)", mounts),
        Property("DeviceAllow", "a(ss)", (("char-*", "m"), ("block-*", "m"))),
        *(Property(name, "b", True) for name in _PROTECTED.split()),
        Property("SyslogIdentifier", "s", FILL),
    )
    return Unit(f"{FILL}-{token}.service", properties)


def _common(text: str, argv: tuple[str, ...], seconds: int) -> tuple[Property, ...]:
    return (
        Property("Description", "s", text),
        Property("Type", "s", "oneshot"),
        Property("CollectMode", "s", "inactive-or-failed"),  # whoever has started it may be gone
        Property("OOMPolicy", "s", "continue"),  # the process that is left tells what has become of the other
        Property("ExecStart", "a(sasb)", ((argv[0], argv, False),)),
        Property("TimeoutStartUSec", "t", seconds * 1_000_000),
        Property("TimeoutStopUSec", "t", 10_000_000),
        Property("MemoryMax", "t", MEMORY_MAX),
        Property("MemorySwapMax", "t", 0),
        Property("TasksMax", "t", TASKS_MAX),
        Property("LimitCORE", "t", 0),
    )


def _confined(writable: str) -> tuple[Property, ...]:
    return (
        Property("NoNewPrivileges", "b", True),
        Property("PrivateIPC", "b", True),
        Property("ProtectSystem", "s", "strict"),
        Property("ProtectHome", "s", "read-only"),
        Property("ReadWritePaths", "as", (writable,)),
        Property("SystemCallArchitectures", "as", ("native",)),
        Property("SystemCallErrorNumber", "i", 1),
    )


def _of_system(capabilities: tuple[str, ...]) -> tuple[Property, ...]:
    """What a user's systemd cannot do."""
    return (
        Property("CapabilityBoundingSet", "t", mask_of(capabilities)),
        Property("DevicePolicy", "s", "closed"),
    )
