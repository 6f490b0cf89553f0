"""`image export` and `image push`."""

from __future__ import annotations

from nsunit.core.programs import directory_with
from nsunit.errors import NsunitError, UsageError
from nsunit.features.images import writing
from nsunit.features.images.fetch import tasks
from nsunit.features.images.fetch.pull import environment_of
from nsunit.features.images.layout import full_name, is_reference
from nsunit.features.images.out import targets
from nsunit.features.images.out.packing import flattened
from nsunit.features.images.out.parts import Parts, damaged, parts_of
from nsunit.features.images.store import Store, names_of
from nsunit.features.images.unit import push_unit
from nsunit.names import printable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context


class Sent(Record):
    """An image that went out: the *id* that it has there, where it is, its *layers*, and how many kept their digest."""

    id: str
    to: str
    layers: int
    same: int


COMPRESSIONS = ("gzip", "zstd", "none")


def export(context: Context, text: str, where: str, compression: str = "") -> Sent:
    """Write the image *text* to *where*, see `targets.target_of`, with its layers compressed by gzip or as said.

    `tar:` has what the layers show together, as one archive without what the image says, not compressed unless asked.

    Raises:
        NotFoundError: there is no such image.
        NsunitError: it cannot be had; a file is not there then.
    """
    target, chosen = targets.target_of(where), _chosen(compression)
    if target.transport == "docker-archive" and compression not in ("", "none"):
        raise UsageError("the layers in a docker-archive are not compressed", hint="compress the file")
    store = Store(context.paths, context.remove_tree)
    identity = store.find(text)
    writing.sweep(store)
    with writing.Staging(store) as staging:
        if target.transport == "tar":
            return _root(context, store, staging, identity, target, "" if not compression else chosen)
        parts = parts_of(context, store, staging, identity, "" if target.transport == "docker-archive" else chosen)
        targets.put(target, parts, _names(store, text, identity))
    return _sent(parts, f"{target.transport}:{target.path}")


def _root(
    context: Context, store: Store, staging: writing.Staging, identity: str, target: targets.Target, compression: str
) -> Sent:
    image = store.image(identity)
    if image is None:
        raise damaged(identity)
    path = flattened(context, staging, [store.root_of(chain) for chain in image.layers], compression)
    with store.lock():
        if store.image(identity) is None:
            raise NsunitError(f"the image {identity[:12]} was removed while it was read")
    if target.path == "-":
        targets.to_output(lambda: targets.copy_to(path, targets.STDOUT))
    else:
        targets.copy_file(path, target.path, replace=False)
    return Sent(identity, f"tar:{target.path}", len(image.layers), len(image.layers))


def push(context: Context, text: str, where: str = "", compression: str = "") -> Sent:
    """Send the image *text* to a registry, as it is called or as *where* says, by skopeo(1); else as `export`.

    Raises:
        NotFoundError: there is no such image.
        NsunitError: skopeo is not installed, or the registry does not take it.
    """
    store = Store(context.paths, context.remove_tree)
    identity = store.find(text)
    destination = where.removeprefix("docker://") or next(iter(_names(store, text, identity)), "")
    if not is_reference(destination) or "@" in destination:
        raise UsageError(f"'{printable(destination)}' is not where an image can be sent to", hint="[docker://]NAME:TAG")
    if not where and destination.startswith("localhost/"):
        hint = f"say where to: 'nsunit image push {printable(text)} REGISTRY/{destination.removeprefix('localhost/')}'"
        raise UsageError(f"'{destination}' is a name of this host's, and of no registry", hint=hint)
    name = full_name(destination)
    chosen = _chosen(compression)
    directory = directory_with(("skopeo",))
    if not directory:
        hint = "install the package 'skopeo', or take it there another way: 'nsunit image export'"
        raise NsunitError("images are sent by skopeo, which is not installed", hint=hint)
    writing.sweep(store)
    with writing.Staging(store) as staging:
        parts = parts_of(context, store, staging, identity, chosen)
        place = f"{staging.path}/image"
        targets.write_directory(place, targets.layout(parts, "image"))
        job = {
            "task": "send",
            "skopeo": f"{directory}/skopeo",
            "source": f"oci:{place}:image",
            "name": name,
            "environment": environment_of(context, staging.path),
            "ids": [],
        }
        unit = push_unit(staging.token, tasks.command(staging.path), staging.path, user=context.user)
        tasks.carry_out(context, staging.path, job, unit)
    return _sent(parts, f"docker://{name}")


def _chosen(compression: str) -> str:
    if compression and compression not in COMPRESSIONS:
        raise UsageError(f"'{printable(compression)}' is no compression of layers", hint=", ".join(COMPRESSIONS))
    return {"": "gzip", "none": ""}.get(compression, compression)


def _names(store: Store, text: str, identity: str) -> list[str]:
    """The name that *text* is, or all names of an image that was called by its id."""
    named = store.named(text)
    return [named] if named else [name for name in names_of(store).get(identity, ()) if "@" not in name]


def _sent(parts: Parts, where: str) -> Sent:
    return Sent(parts.id, where, len(parts.layers), parts.same)
