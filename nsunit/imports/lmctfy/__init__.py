"""Containers of lmctfy: a ContainerSpec of lmctfy.proto, in the text format of protocol buffers.

One without a host of its own, `virtual_host`, and without a root was a place for processes of the host, with limits:
it becomes a group.  The others become containers.
"""

from __future__ import annotations

from nsunit.imports.lmctfy.spec import HANDLERS, INNER, finish, unknown
from nsunit.imports.lmctfy.textformat import parse
from nsunit.imports.model import Draft, Imported, NotCarried, Origin, Remark, Unusable
from nsunit.imports.podman.target import Target
from nsunit.imports.text import name_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.lmctfy.textformat import Field
    from nsunit.imports.model import Given


def convert(given: Given) -> Imported:
    """The group or container that each file of *given* is about.

    Raises:
        Unusable: a file is none of lmctfy's.
    """
    found = [_spec(path, text, given) for path, text in given.texts]
    return Imported(tuple(draft for draft, _ in found), tuple(remark for _, lost in found for remark in lost))


def _spec(path: str, text: str, given: Given) -> tuple[Draft, list[Remark]]:
    fields = parse(path, text)
    known = {field.name for field in fields}
    if fields and not known & {key.partition(".")[0] for key in HANDLERS}:
        origin = Origin(path, fields[0].line, fields[0].name)
        raise Unusable(origin, "it is no field of a ContainerSpec", "name a file as 'lmctfy create' takes it")
    files = next((field.fields for field in fields if field.name == "filesystem"), ())
    is_container = "virtual_host" in known or any(field.name == "rootfs" for field in files)
    wanted = given.name or path.rpartition("/")[2].partition(".")[0]
    try:
        name = name_for(wanted)
    except NotCarried as lost:
        raise Unusable(Origin(path, 0, "name"), lost.reason, "give it one: --name NAME") from None
    name = name if is_container else name.replace("-", "_").replace("@", "_")
    target = Target(Draft(name if is_container else f"{name}.slice", f"Imported from {path}"), user=given.user)
    target.base = path
    if name != wanted:
        target.remarks.append(Remark(Origin(path, 0, "name"), f"its name here is '{name}'", "use that with nsunit"))
    _walk(target, "", fields)
    finish(target, is_container=is_container)
    return target.draft, target.remarks


def _walk(target: Target, prefix: str, fields: tuple[Field, ...]) -> None:
    path = target.base
    for field in sorted(fields, key=lambda field: field.name == "virtual_ip"):  # that of the link before it
        key = prefix + field.name
        target.origin = Origin(path, field.line, key)
        try:
            if field.is_message and key not in HANDLERS and key in INNER:
                _walk(target, f"{key}.", field.fields)
                continue
            HANDLERS.get(key, unknown)(target, field)
        except NotCarried as lost:
            target.origin = Origin(path, field.line, key)
            target.remark(lost.reason, lost.instead)
