"""The containers of this runtime, whichever engine keeps them: `nsunit list --oci`."""

from __future__ import annotations

import os

from nsunit.oci.context import default_root
from nsunit.oci.errors import OciError
from nsunit.oci.state import STOPPED, Store
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nsunit.oci.state import Container

# What engines give as --root: Docker for its containers, containerd's shim a directory for each namespace (default,
# k8s.io). CRI-O and podman leave it to the runtime.
DOCKER = "/run/docker/runtime-runc/moby"
CONTAINERD = "/run/containerd/runc"
# Where engines write what people call the container, first what is most exact: nerdctl, CRI-O, containerd's CRI plugin.
NAMES = (
    *("nerdctl/name", "io.kubernetes.cri-o.Name"),
    *("io.kubernetes.cri.container-name", "io.kubernetes.container.name", "io.kubernetes.cri.sandbox-name"),
)


class OciContainer(Record):
    """A container of nsunit-oci.

    *state* is as the specification has it (creating, created, running, stopped) or paused; *pid* is None where it has
    no process; *unit* is the scope that systemd has of it, None with cgroupfs; *engine_name* is what its engine calls
    it, None where that does not say; *root* is the --root that nsunit-oci(8) needs for it.
    """

    name: str
    state: str
    pid: int | None
    unit: str | None
    bundle: str
    engine_name: str | None
    root: str


def roots() -> list[str]:
    """The directories that may have containers of this runtime: the caller's own, and those of engines."""
    try:
        namespaces = sorted(os.listdir(CONTAINERD))
    except OSError:
        namespaces = []  # it is not there, or not for this user
    return [default_root(), DOCKER, *(f"{CONTAINERD}/{name}" for name in namespaces)]


def overview(directories: Sequence[str]) -> list[OciContainer]:
    """The containers under *directories*, in their order; other runtimes' and what cannot be read are left out."""
    found = []
    for root in directories:
        store = Store(root)
        try:
            names = store.names()
        except (OciError, OSError):
            continue  # another user's
        for name in names:
            try:
                container = store.load(name)
                found.append(_described(container, store.status(container), root))
            except (OciError, OSError):
                pass  # it is being made or removed
    return found


def _described(container: Container, state: str, root: str) -> OciContainer:
    pid = container.pid if container.pid and state != STOPPED else None
    unit = container.place.unit or None
    return OciContainer(container.id, state, pid, unit, container.bundle, engine_name(container.annotations), root)


def engine_name(annotations: Mapping[str, str]) -> str | None:
    """What the engine that wrote *annotations* calls the container; None where it does not say."""
    return next((annotations[key] for key in NAMES if annotations.get(key)), None)
