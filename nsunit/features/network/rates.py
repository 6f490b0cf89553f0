"""Egress= and Ingress= of a container that runs, changed at once."""

from __future__ import annotations

from nsunit.errors import NsunitError
from nsunit.features.network import program
from nsunit.features.network.check import namespace_of
from nsunit.features.network.register import attachment_of
from nsunit.features.network.values import of
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition
    from nsunit.features.network.model.attachment import Attachment


def change(context: Context, _unit: str, old: Definition, new: Definition, undo: Undo) -> None:
    """Hold the running container to the rates of *new* in place of those of *old*, until it is stopped.

    Raises:
        NsunitError: it is in no network of its own, or the kernel refuses it.
    """
    rates = _rates(new)
    before = _rates(old)
    if rates == before:
        return
    name = new.name
    item = attachment_of(context, name)
    if item is None or not item.interfaces:
        raise NsunitError(f"{name}: it has no link that could be limited", hint="its pod has it, or add Network=bridge")
    path = program.rates_path(name, context.paths.locks)
    content = files.read_file(path)

    def put_back() -> None:
        if content is None:
            files.discard(path)
        else:
            files.write_file(path, content)
        _hold(context, item, before)

    undo.append(put_back)
    files.write_file(path, f"{rates[0]} {rates[1]}\n".encode())  # what the unit is restarted with, and repaired
    _hold(context, item, rates)


def _rates(definition: Definition) -> tuple[int, int]:
    connected = of(definition.container)
    return connected.egress, connected.ingress


def _hold(context: Context, item: Attachment, rates: tuple[int, int]) -> None:
    limited = item.replace(egress=rates[0], ingress=rates[1])
    program.change_rates(limited, namespace_of(context, item), context.paths.locks)
