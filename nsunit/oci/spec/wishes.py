"""What a container asks of the runtime by its annotations."""

from __future__ import annotations

from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.units import Property


class Wishes(Record):
    """What the annotations of a container ask of the runtime."""

    properties: tuple[Property, ...] = ()
    keeps_groups: bool = False  # run.oci.keep_original_groups: a user's groups that have no place in the maps
    strict_calls: bool = False  # run.oci.seccomp_fail_unknown_syscall
