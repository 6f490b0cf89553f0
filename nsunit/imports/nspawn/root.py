"""The root of a machine: a tree in place, the layers of an .mstack, or an image to be brought in."""

from __future__ import annotations

from nsunit.imports.model import NotCarried, Origin
from nsunit.imports.nspawn.options import Said, is_true, value_of
from nsunit.imports.text import name_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.imports.model import Given
    from nsunit.imports.podman.target import Target

MACHINES = "/var/lib/machines"
KEYS = ("directory", "image", "mstack", "template", "oci-bundle", "ephemeral", "volatile", "machine")


def choose(target: Target, given: Given, machine: str, tree: str, options: Sequence[Said]) -> None:
    """Say what the root is, and whether what is written to it is kept.

    Raises:
        NotCarried: there is none that a container can have.
    """
    said = {item.option: item for item in options}
    target.origin = Origin(target.draft.about[0].removeprefix("Imported from "), 0, machine)
    path = tree
    for key in ("directory", "mstack", "image"):
        if key in said and said[key].value:
            target.origin = said[key].origin
            path = target.path(said[key].value)
    if "oci-bundle" in said:
        raise NotCarried("it is a bundle of OCI", f"nsunit import bundle {said['oci-bundle'].value}")
    names = given.entries(MACHINES) or ()
    if not path:
        ending = next((item for item in ("", ".mstack", ".raw") if machine + item in names), "")
        path = f"{MACHINES}/{machine}{ending}" if value_of(options, "machine") or ending or given.texts else target.base
    path = path.rstrip("/") or "/"
    if path == "/":
        raise NotCarried("its root is that of the host", "use a tree of its own, see 'nsunit create'")
    if path.endswith(".raw") or "image" in said:
        _image(target, machine, path)
        return
    if "template" in said:
        target.origin = said["template"].origin
        target.remark("no tree is copied", f"nsunit create NAME --template {said['template'].value}")
    if path.endswith(".mstack"):
        layers(target, given, path)
        return
    _tree(target, path, said, options)


def _tree(target: Target, path: str, said: dict[str, Said], options: Sequence[Said]) -> None:
    volatile = value_of(options, "volatile") or "no"
    is_memory = volatile in ("yes", "true", "1", "overlay")
    if is_memory or is_true(options, "ephemeral"):
        target.plain("Layer", path)
        target.origin = said["volatile" if is_memory else "ephemeral"].origin
        target.say("Volatile", "yes")
    else:
        target.plain("Rootfs", path)
    if volatile == "state":
        target.origin = said["volatile"].origin
        if not is_true(options, "read-only"):
            target.say("ReadOnly", "yes")
        target.say("Tmpfs", "/var")
    elif is_memory and volatile != "overlay":
        target.remark("all of the tree is there, and not /usr alone", "leave it so, or make a tree with /usr only")


def layers(target: Target, given: Given, path: str) -> None:
    """systemd.mstack(7): what is in DIR.mstack, the topmost layer first."""
    names = [name for name in given.entries(path) or () if not name.startswith(".")]
    if "root" in names:
        raise NotCarried("it has a root of its own, with layers for /usr alone", "import its parts by 'nsunit image'")
    layers = sorted((name for name in names if name.startswith("layer@")), key=_version, reverse=True)
    is_pulled = given.read(f"{path.removesuffix('.mstack')}.oci-config") is not None  # by importctl(1)
    if is_pulled or not layers or any(name.endswith(".raw") for name in layers):
        image = name_for(path.rpartition("/")[2].removesuffix(".mstack"))
        target.plain("Image", f"localhost/{image}")
        reason = "its layers are disk images"
        if is_pulled:
            target.command = "Entrypoint"  # that of the image is in what the .nspawn file says
            reason = "its layers are an image's, and show what it has removed"
        target.remark(reason, f"nsunit image import mstack:{path} --name localhost/{image}")
        return
    for name in layers:
        target.plain("Layer", f"{path}/{name}")
    if "rw" in names:
        target.remark(
            "what was written stays there, a container has a directory of its own for that",
            f"'nsunit image import mstack:{path}' brings it as a layer",
        )
    for name in names:
        kind, at, where = name.partition("@")
        if at and kind in ("bind", "robind"):
            place = "/" + where.replace("-", "/")
            target.words("BindReadOnly" if kind == "robind" else "Bind", f"{path}/{name}:{place}")
        elif name not in (*layers, "rw"):
            target.remark(f"'{name}' is no layer", "use Bind= for what it has")


def _version(name: str) -> list[tuple[int, str]]:
    """A key that puts numbers in names in the order of their values."""
    found: list[tuple[int, str]] = []
    digits = text = ""
    for letter in (*name, ""):
        if letter.isascii() and letter.isdigit():
            digits += letter
            continue
        if digits:
            found += [(0, text), (int(digits), "")]
            digits = text = ""
        text += letter
    return [*found, (0, text)]


def _image(target: Target, machine: str, path: str) -> None:
    name = name_for(machine)
    target.plain("Image", f"localhost/{name}")
    target.remark(
        "a container has no disk image as its root", f"nsunit image import raw:{path} --name localhost/{name}"
    )
