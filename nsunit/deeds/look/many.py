"""What is asked about many containers at once."""

from __future__ import annotations

from nsunit.bus.snapshot import Snapshot
from nsunit.deeds.look import query
from nsunit.errors import AS_ROOT, BusError, NsunitError
from nsunit.setup.operation import PlanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nsunit.core.context import Context
    from nsunit.deeds.look.query import Status


_FEW = 5


def statuses(context: Context, names: Sequence[str], failures: list[NsunitError]) -> Iterator[Status]:
    """The `status` of each of *names*, or why there is none; systemd is asked for nothing twice.

    What is damaged of one keeps nobody from seeing the others.

    Raises:
        BusError: systemd does not answer.
    """
    snapshot = Snapshot(context.bus, few=len(names) <= _FEW)
    context = context.with_bus(snapshot)  # one for all of them: it knows its host once it has looked
    for name in names:
        snapshot.forget()
        try:
            yield query.status(context, name)
        except BusError:
            raise
        except NsunitError as error:
            failures.append(error)
        except (OSError, PlanError) as error:
            why = str(error)
            if isinstance(error, OSError) and error.filename:
                why = f"{error.filename}: {error.strerror}"
            hint = AS_ROOT if isinstance(error, PermissionError) else None
            failures.append(NsunitError(f"{name}: what is kept of it cannot be read: {why}", hint=hint))
