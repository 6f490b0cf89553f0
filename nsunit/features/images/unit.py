"""The unit in which an image is unpacked.  Pure."""

from __future__ import annotations

from nsunit.definition.values_container import mask_of
from nsunit.units import Property, Unit

# A mount namespace, an overlay and a pivot take CAP_SYS_ADMIN; the process that touches a layer gives it up.
CAPABILITIES = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_MKNOD", "CAP_SETFCAP"),
    *("CAP_SETPCAP", "CAP_SYS_ADMIN"),
)
MEMORY_MAX = 1 << 30  # bytes; what the kernel keeps of the files that are written counts as well
TASKS_MAX = 16
SECONDS = 3600
_CLONE_NEWNS = 0x00020000


def unpack_unit(token: str, argv: tuple[str, ...], store: str) -> Unit:
    """`nsunit-unpack-TOKEN.service`, which executes *argv* and can write to nothing but the directory *store*."""
    properties = (
        Property("Description", "s", "Unpack an image for nsunit"),
        Property("Type", "s", "oneshot"),
        Property("CollectMode", "s", "inactive-or-failed"),  # whoever has started it may be gone
        Property("OOMPolicy", "s", "continue"),  # the process that is left tells what has become of the other
        Property("ExecStart", "a(sasb)", ((argv[0], argv, False),)),
        Property("TimeoutStartUSec", "t", SECONDS * 1_000_000),
        Property("TimeoutStopUSec", "t", 10_000_000),
        Property("MemoryMax", "t", MEMORY_MAX),
        Property("MemorySwapMax", "t", 0),
        Property("TasksMax", "t", TASKS_MAX),
        Property("LimitCORE", "t", 0),
        Property("LimitNOFILE", "t", 16_384),
        Property("CapabilityBoundingSet", "t", mask_of(CAPABILITIES)),
        Property("NoNewPrivileges", "b", True),
        Property("PrivateNetwork", "b", True),
        Property("PrivateIPC", "b", True),
        Property("RestrictAddressFamilies", "(bas)", (True, ("AF_UNIX",))),
        Property("RestrictNamespaces", "t", _CLONE_NEWNS),
        Property("DevicePolicy", "s", "closed"),
        Property("ProtectSystem", "s", "strict"),
        Property("ProtectHome", "s", "read-only"),
        Property("ReadWritePaths", "as", (store,)),
        Property("SystemCallArchitectures", "as", ("native",)),
        Property("SystemCallFilter", "(bas)", (True, ("@system-service", "@mount"))),
        Property("SystemCallErrorNumber", "i", 1),
        Property("SyslogIdentifier", "s", "nsunit-unpack"),
    )
    return Unit(f"nsunit-unpack-{token}.service", properties)
