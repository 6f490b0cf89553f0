"""RootDirectory=, RootImage=, RootMStack=: the root of a service."""

from __future__ import annotations

from nsunit.imports.model import NotCarried, Origin
from nsunit.imports.nspawn.root import layers
from nsunit.imports.text import name_for, truth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.model import Given
    from nsunit.imports.podman.target import Target
    from nsunit.imports.unitfiles import UnitFile

KEYS = ("RootDirectory", "RootEphemeral", "RootImage", "RootMStack")


def image(path: str) -> tuple[str, str]:
    """The name of an image for a disk image, and what brings that in."""
    name = f"localhost/{name_for(path.rpartition('/')[2].removesuffix('.raw'))}"
    return name, f"nsunit image import raw:{path} --name {name}"


def choose(target: Target, given: Given, unit: UnitFile, tree: str) -> None:
    """Say what the root is: the *tree* of a portable service, or what the unit says.

    Raises:
        NotCarried: it has that of the host.
    """
    said = {item.key: item for item in unit.section("Service") if item.key in KEYS}
    target.origin = Origin(unit.path, 0, unit.name)
    if "RootImage" in said:
        target.origin = said["RootImage"].origin
        name, instead = image(said["RootImage"].value)
        target.plain("Image", name)
        target.remark("a container has no disk image as its root", instead)
        return
    if "RootMStack" in said:
        target.origin = said["RootMStack"].origin
        layers(target, given, said["RootMStack"].value.rstrip("/"))
        return
    path = tree
    if "RootDirectory" in said:
        target.origin = said["RootDirectory"].origin
        path = said["RootDirectory"].value
    if path.rstrip("/") == "":
        raise NotCarried("its root is that of the host", "leave it a service, or give it RootDirectory=")
    if "RootEphemeral" in said and truth(said["RootEphemeral"].value):
        target.plain("Layer", path)
        target.origin = said["RootEphemeral"].origin
        target.say("Volatile", "yes")
    else:
        target.plain("Rootfs", path)
