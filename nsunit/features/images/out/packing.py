"""Layers packed in a unit of its own, which reads what is a container's with few privileges and writes nowhere else."""

from __future__ import annotations

from nsunit.features.images.fetch import tasks
from nsunit.features.images.out.walk import MARKS, USERS_MARKS
from nsunit.features.images.unit import pack_unit
from nsunit.features.images.unpack.apply import WARNINGS_MAX
from nsunit.record import Record, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.features.images.writing import Staging


class Layer(Record):
    """A directory to pack, into the file *to*, and those below it; see `tar.Owners` for *base* and *roots*.

    *targets* are where a start mounts something: what it makes for that is left out.
    """

    root: str
    to: str
    lowers: tuple[str, ...] = ()
    base: int = 0
    roots: tuple[int, ...] = (0,)
    targets: tuple[str, ...] = ()


class Packed(Record):
    """An archive in the file *path*: the digest of its content, *diff*, and of the file, of *size* bytes."""

    path: str
    diff: str
    blob: str
    size: int


def packed(context: Context, staging: Staging, layers: Sequence[Layer], compression: str) -> list[Packed]:
    """Pack *layers*, with the *compression* "gzip", "zstd" or none.

    What cannot be taken along is told by context.warn.

    Raises:
        NsunitError: one of them cannot be packed.
    """
    items = [plain(item) for item in layers]
    job = {
        "task": "pack",
        "layers": items,
        "compression": compression,
        "marks": USERS_MARKS if context.user else MARKS,
        "ids": tasks.own_ids(context),
    }
    unit = pack_unit(staging.token, tasks.command(staging.path), staging.path, user=context.user)
    found = tasks.carry_out(context, staging.path, job, unit)
    result = []
    for layer, item in zip(layers, found["layers"], strict=True):
        _tell(context, item["warnings"])
        result.append(Packed(layer.to, item["diff"], item["blob"], item["size"]))
    return result


def flattened(context: Context, staging: Staging, lowers: Sequence[str], compression: str) -> str:
    """Pack what the layers *lowers*, the topmost first, show together; returns the path of that archive.

    Raises:
        NsunitError: something cannot be in it.
    """
    path = f"{staging.path}/root.tar"
    job = {
        "task": "flatten",
        "lowers": list(lowers),
        "to": path,
        "staging": staging.path,
        "compression": compression,
        "ids": tasks.own_ids(context),
    }
    unit = pack_unit(staging.token, tasks.command(staging.path), staging.path, merges=True, user=context.user)
    _tell(context, tasks.carry_out(context, staging.path, job, unit)["warnings"])
    return path


def _tell(context: Context, warnings: Sequence[str]) -> None:
    for text in warnings[:WARNINGS_MAX]:
        context.warn(f"warning: {text}")
    if len(warnings) > WARNINGS_MAX:
        context.warn(f"warning: and {len(warnings) - WARNINGS_MAX} more are left out")
