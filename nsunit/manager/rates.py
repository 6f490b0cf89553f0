"""Egress= and Ingress= of a container that runs, changed at once."""

from __future__ import annotations

import os

from nsunit.errors import NsunitError
from nsunit.manager.connections import namespace_of
from nsunit.manager.network import attachment_of
from nsunit.network import run
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Definition
    from nsunit.manager.context import Context
    from nsunit.manager.dropin import Undo
    from nsunit.plan.attachment import Attachment


def change_rates(context: Context, old: Definition, new: Definition, undo: Undo) -> None:
    """Hold the running container to the rates of *new* in place of those of *old*, until it is stopped.

    Raises:
        NsunitError: it is in no network of its own, or the kernel refuses it.
    """
    rates = (new.container.egress, new.container.ingress)
    before = (old.container.egress, old.container.ingress)
    if rates == before:
        return
    name = new.name
    item = attachment_of(context, name)
    if item is None or not item.interfaces:
        raise NsunitError(f"{name}: it has no link that could be limited", hint="its pod has it, or add Network=bridge")
    path = run.rates_path(name, context.paths.locks)
    content = files.read_file(path)

    def put_back() -> None:
        if content is None:
            os.unlink(path)
        else:
            files.write_file(path, content)
        _hold(context, item, before)

    files.write_file(path, f"{rates[0]} {rates[1]}\n".encode())  # what the unit is restarted with, and repaired
    undo.append(put_back)
    _hold(context, item, rates)


def _hold(context: Context, item: Attachment, rates: tuple[int, int]) -> None:
    limited = item.replace(egress=rates[0], ingress=rates[1])
    run.change_rates(limited, namespace_of(context, item), context.paths.locks)
