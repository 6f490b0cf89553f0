"""The archive of a container, as `export` writes and `import` reads it.  Pure.

nsunit-container.json     first: what it is, whose it was, what it needs of its host
definition/…              its definition and drop-ins, called as in /etc/nsunit
units/UNIT.d/…            what `set --persist` and `dropin` have said of its units
upper/…                   what it has written: the upper layer, with whiteouts, owners as inside
volumes/FILE/data/…       what is in its volumes without a name, each by its file's name in the state directory
"""

from __future__ import annotations

import json

from nsunit.definition.search import SUFFIX, UNIT_DROP_IN
from nsunit.errors import NsunitError
from nsunit.names import is_group, is_pod, is_valid_name, split_instance
from nsunit.record import Record, plain
from nsunit.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nsunit.definition.model import Definition

FORMAT = 1
MANIFEST, DEFINITION, UNITS, UPPER = "nsunit-container.json", "definition", "units", "upper"
VOLUMES, DATA = "volumes", "data"  # in a state directory, too
FILES_MAX = 4 << 20  # bytes, of all files of a definition
# What a definition names that is not in the archive.
NEEDED = ("Rootfs", "Layer", "Image", "Bind", "BindReadOnly", "Volume", "EnvironmentFile", "Network", "Pod", "Slice")
KEPT = ("image", "addresses")  # files of a state directory that mean the same elsewhere


class Need(Record):
    """A *value* of the key *key* that names something on the host."""

    key: str
    value: str


class Manifest(Record):
    """What an archive says of itself.

    *ids* are those the container had, (start, count), for people: elsewhere it gets others.  *kept* has the small files
    of its state.
    """

    name: str
    enabled: bool = False
    ids: tuple[int, int] | None = None
    needs: tuple[Need, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()
    upper: bool = False


def needs_of(definition: Definition) -> tuple[Need, ...]:
    """What *definition* names that its archive does not have."""
    return tuple(
        Need(item.key, item.text)
        for item in definition.assignments
        if item.section == "Container" and item.key in NEEDED
    )


def dump(manifest: Manifest) -> bytes:
    """The text of *manifest*."""
    document = {"format": FORMAT, "nsunit": VERSION, **dict(_pairs(plain(manifest)))}
    return (json.dumps(document, indent=2) + "\n").encode()


def _pairs(value: object) -> list[tuple[str, object]]:
    assert isinstance(value, dict)
    return list(value.items())


def load(text: str) -> Manifest:
    """Read what `dump` made.

    Raises:
        NsunitError: it is something else, or of a later version of nsunit.
    """
    try:
        found = json.loads(text)
        if found["format"] != FORMAT:
            raise NsunitError(
                f"the archive is of format {found['format']!r}, and this nsunit knows {FORMAT}",
                hint="import it with the nsunit that has made it, or a later one",
            )
        name, ids = found["name"], found["ids"]
        if not isinstance(name, str) or not is_valid_name(name) or is_pod(name) or is_group(name):
            raise ValueError
        return Manifest(
            name,
            bool(found["enabled"]),
            (int(ids[0]), int(ids[1])) if ids else None,
            tuple(Need(str(item["key"]), str(item["value"])) for item in found["needs"]),
            tuple((key, text) for key, text in found["kept"] if key in KEPT and isinstance(text, str)),
            bool(found["upper"]),
        )
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise NsunitError(f"the archive's {MANIFEST} makes no sense", hint="export it anew") from None


def stems(name: str) -> tuple[str, ...]:
    """What the files of the definition of container *name* may be called, without the suffix."""
    prefix, instance = split_instance(name)
    return (name, f"{prefix}@") if instance else (name,)


def check_definition(name: str, found: Iterable[str]) -> None:
    """See that among the files *found*, by their names in the archive, those of a definition are container *name*'s.

    Raises:
        NsunitError: another is among them, or the definition is not.
    """
    own = [path for path in found if path.startswith(f"{DEFINITION}/")]
    mains = {f"{DEFINITION}/{stem}{SUFFIX}" for stem in stems(name)}
    directories = tuple(f"{main}.d/" for main in mains)
    for path in own:
        is_drop_in = path.startswith(directories) and path.endswith(".conf") and path.count("/") == 2
        if path not in mains and not is_drop_in:
            raise _foreign(name, path)
    if len(mains.intersection(own)) != 1:
        raise NsunitError(f"the archive has no definition of '{name}'", hint="export it anew")


def check_units(name: str, units: Iterable[str], found: Iterable[str]) -> None:
    """See that the drop-ins of units among *found* are those of *units*, which are container *name*'s.

    Raises:
        NsunitError: another is among them.
    """
    own = {f"{UNITS}/{unit}.d/{UNIT_DROP_IN}" for unit in units}
    for path in found:
        if path.startswith(f"{UNITS}/") and path not in own:
            raise _foreign(name, path)


def _foreign(name: str, path: str) -> NsunitError:
    return NsunitError(f"the archive has '{path}', which is no file of container '{name}'", hint="export it anew")
