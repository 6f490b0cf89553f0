"""image list, inspect, history, df and check."""

from __future__ import annotations

import sys

from nsunit.cli import say
from nsunit.cli.output import Style, format_size, plural, print_json, print_names, print_table
from nsunit.features.images import check as checks
from nsunit.features.images.look import Shown, history, images, usage
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation

ID_SHOWN = 12


def _style(invocation: Invocation) -> Style:
    return Style.of(invocation)


def list_images(invocation: Invocation) -> int:
    """`nsunit image list`: a line for each name, but those by digest."""
    found = images(invocation.context())
    if invocation.flag("json"):
        print_json([_document(item) for item in found])
        return 0
    if invocation.flag("quiet"):
        print_names(name for item in found for name in (_names(item) or [item.image.id]))
        return 0
    rows: list[tuple[str, ...]] = [
        (name, item.image.id[:ID_SHOWN], _moment(item.created), format_size(item.size), " ".join(item.used_by) or "-")
        for item in found
        for name in (_names(item) or ["-"])
    ]
    columns = ("IMAGE", "ID", "CREATED", "SIZE", "CONTAINERS")
    print_table(_style(invocation), columns, rows, ("CONTAINERS", "ID", "CREATED", "SIZE"))
    return 0


def _moment(created: str) -> str:
    """What somebody has said of when something was made, to the second."""
    return printable(created[:19]) or "-"


def _names(item: Shown) -> list[str]:
    return [name for name in item.names if "@" not in name]


def _document(item: Shown) -> dict[str, object]:
    return {
        "id": item.image.id,
        "names": item.names,
        "digest": item.about.get("digest", ""),
        "source": item.about.get("source", ""),
        "created": item.created,
        "size": item.size,
        "layers": item.image.layers,
        "containers": item.used_by,
    }


def inspect(invocation: Invocation) -> int:
    """`nsunit image inspect`."""
    found = images(invocation.context(), invocation.operands)
    if invocation.flag("json"):
        print_json([{**_document(item), "config": item.config} for item in found])
        return 0
    for place, item in enumerate(found):
        sys.stdout.write("\n" if place else "")
        for key, values in _lines(item):
            for number, value in enumerate(values):
                sys.stdout.write(f"{'' if number else key + ':':<13} {printable(value)}\n")
    return 0


def _lines(item: Shown) -> list[tuple[str, list[str]]]:
    image, said = item.image, item.said
    config = item.config if isinstance(item.config, dict) else {}
    command = dict(image.healthcheck).get("command")
    platform = [str(config[key]) for key in ("os", "architecture", "variant") if config.get(key)]
    fields: list[tuple[str, list[str]]] = [
        ("Names", list(item.names)),
        ("Id", [image.id]),
        ("Digest", [str(item.about.get("digest") or "")]),
        ("Source", [str(item.about.get("source") or "")]),
        ("Platform", ["/".join(platform)]),
        ("Created", [item.created]),
        ("Size", [f"{format_size(item.size)} in {plural(len(image.layers), 'layer')}"]),
        ("Entrypoint", [_words(image.entrypoint)]),
        ("Cmd", [_words(image.cmd)]),
        ("Environment", [f"{name}={value}" for name, value in image.environment]),
        ("User", [":".join(part for part in (image.user, image.group) if part)]),
        ("WorkingDir", [image.working_directory]),
        ("StopSignal", [str(said.get("StopSignal") or "") if image.stop_signal else ""]),
        *((key, _keys(said.get(key))) for key in ("ExposedPorts", "Volumes")),
        ("Health", [_words(command) if isinstance(command, tuple) else ""]),
        ("Labels", [f"{key}={value}" for key, value in _pairs(said.get("Labels"))]),
        ("Containers", list(item.used_by)),
        ("Left out", [str(text) for text in item.about.get("warnings") or ()]),
    ]
    return [(key, shown) for key, values in fields if (shown := [value for value in values if value])]


def _words(words: tuple[str, ...]) -> str:
    return " ".join(f"'{word}'" if not word or set(word) & set(" \t\n'\"") else word for word in words)


def _keys(value: object) -> list[str]:
    return [str(key) for key in value] if isinstance(value, dict) else []


def _pairs(value: object) -> list[tuple[object, object]]:
    return list(value.items()) if isinstance(value, dict) else []


def show_history(invocation: Invocation) -> int:
    """`nsunit image history`."""
    steps = history(invocation.context(), invocation.operands[0])
    if invocation.flag("json"):
        print_json(steps)
        return 0
    rows: list[tuple[str, ...]] = [
        (_moment(step.created), format_size(step.size), printable(step.by or step.comment) or "-") for step in steps
    ]
    print_table(_style(invocation), ("CREATED", "SIZE", "BY"), rows, ("SIZE",), cut=True)
    return 0


def df(invocation: Invocation) -> int:
    """`nsunit image df`."""
    found = usage(invocation.context())
    if invocation.flag("json"):
        print_json(found)
        return 0
    row = (str(found.images), str(found.layers), format_size(found.size), format_size(found.reclaimable))
    print_table(_style(invocation), ("IMAGES", "LAYERS", "SIZE", "UNUSED"), [row], ("LAYERS",))
    return 0


def check(invocation: Invocation) -> int:
    """`nsunit image check`."""
    context = invocation.context()
    found = checks.check(context)
    removed, kept = checks.repair(context, found) if found and invocation.flag("repair") else (None, [])
    if invocation.flag("json"):
        names = {"removed": removed.names if removed else (), "kept": kept}
        print_json({"damage": [item.text for item in found], **names})
    elif not invocation.flag("quiet"):
        for item in found:
            say(item.text)
        say(f"{plural(len(found), 'problem')} found" if found else "nothing is wrong")
        if removed:
            say(f"taken out: {', '.join(removed.names) or plural(len(removed.images), 'image')}")
        for name in kept:
            say(f"'{name}' uses what is damaged, which stays until 'nsunit rm {name}'")
    return 1 if found and (not removed or kept) else 0
