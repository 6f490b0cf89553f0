"""The features document of runtime-spec: what this runtime knows, whatever the host has; but for criu(8)."""

from __future__ import annotations

from nsunit.oci.spec.check import schema
from nsunit.oci.spec.mounts import KNOWN
from nsunit.oci.spec.process import CAPABILITIES, MEMORY_FLAGS, MEMORY_MODES
from nsunit.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OLDEST, NEWEST = "1.0.0", "1.3.0"


def document(*, criu: bool) -> dict[str, Any]:
    """The document; *criu* is whether there is criu(8)."""
    yes = {"enabled": True}
    return {
        "ociVersionMin": OLDEST,
        "ociVersionMax": NEWEST,
        "hooks": list(schema.HOOKS),
        "mountOptions": sorted(KNOWN),
        "linux": {
            "namespaces": list(schema.NAMESPACES),
            "capabilities": list(CAPABILITIES),
            "cgroup": {"v1": False, "v2": True, "systemd": True, "systemdUser": True, "rdma": True},
            "seccomp": {
                **yes,
                "actions": list(schema.SECCOMP_ACTIONS),
                "operators": list(schema.SECCOMP_OPERATORS),
                "archs": list(schema.SECCOMP_ARCHITECTURES),
                "knownFlags": list(schema.SECCOMP_FLAGS),
                "supportedFlags": list(schema.SECCOMP_FLAGS),
            },
            "apparmor": yes,
            "selinux": yes,
            "intelRdt": {"enabled": False},
            "memoryPolicy": {"modes": sorted(MEMORY_MODES), "flags": sorted(MEMORY_FLAGS)},
            "mountExtensions": {"idmap": yes},
            "netDevices": yes,
        },
        "annotations": {"org.nsunit.version": VERSION, "org.nsunit.checkpoint.enabled": str(criu).lower()},
        "potentiallyUnsafeConfigAnnotations": ["org.systemd.property.", "run.oci."],
    }
