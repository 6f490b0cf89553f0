"""The volumes in the set-up of a container.  Pure."""

from __future__ import annotations

from nsunit.features.volumes.setup import Volume, Volumes
from nsunit.features.volumes.values import file_of, of
from nsunit.setup.process import User

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container
    from nsunit.features.volumes import values
    from nsunit.plan.facts import Facts
    from nsunit.setup.operation import Operation


def mounts(container: Container, facts: Facts) -> list[Operation]:
    """A mount for each volume."""
    named, own = facts.extra("volumes", ("", ""))
    found: list[Operation] = []
    for volume in of(container).volumes:
        directory = _directory(volume, named, own)
        limit = (f"size={volume.size_max}",) if volume.size_max and not directory else ()
        found.append(Volume(directory, volume.target, (*_flags(volume), *limit)))
    return found


def _directory(volume: values.Volume, named: str, own: str) -> str:
    """Where *volume* is kept; empty for one in memory, as those of a container of which nothing is kept are."""
    if volume.name:
        return f"{named}/{volume.name}"
    return f"{own}/{file_of(volume.target)}" if own and not volume.memory else ""


def _flags(volume: values.Volume) -> tuple[str, ...]:
    flags = (
        *(("ro", volume.read_only), ("nocopy", not volume.copy)),
        *(("noexec", not volume.executable), ("U", volume.owned)),
    )
    return tuple(flag for flag, wanted in flags if wanted)


def operations(planned: list[Operation], _container: object, _facts: object) -> list[Operation]:
    """*planned*, in which the volumes are taken before any is mounted, and know the program's user."""
    user, group = next(((item.user, item.group) for item in planned if isinstance(item, User)), ("", ""))
    owner = (*((f"user={user}",) if user else ()), *((f"group={group}",) if group else ()))
    planned = [
        Volume(item.source, item.target, (*item.flags, *owner)) if isinstance(item, Volume) else item
        for item in planned
    ]
    places = [number for number, item in enumerate(planned) if isinstance(item, Volume)]
    paths = sorted({item.source for item in planned if isinstance(item, Volume) and item.source})
    if not paths:
        return planned
    return [*planned[: places[0]], Volumes(tuple(paths)), *planned[places[0] :]]
