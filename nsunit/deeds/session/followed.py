"""Limits of nsunit.slice, which hold for all containers, shown to those that see just their own slice's until now.

deeds.shown goes on here, as `run.py deeds.session.followed DIRECTORY`, where there are such limits.
"""

from __future__ import annotations

import os
import time

from nsunit.core.context import open_context
from nsunit.deeds.session.covered import show_first_limits
from nsunit.deeds.shown import AGAIN_SECONDS, refresh
from nsunit.errors import NotFoundError, NsunitError
from nsunit.setup.namespaces import LIMITS, SHOWN_DIRECTORY
from nsunit.setup.operation import PlanError
from nsunit.storage.files import list_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context


def show_to_all(context: Context, runtimes: str) -> list[NsunitError]:
    """Put files over the slice's in the running containers that lack one; they follow all changes from then on.

    Returns why it could not be done for some.
    """
    failed = []
    for name in list_directory(runtimes):
        if {*LIMITS} <= {*list_directory(f"{runtimes}/{name}/{SHOWN_DIRECTORY}")}:
            continue
        try:
            show_first_limits(context, name)
        except (NotFoundError, FileNotFoundError):
            continue  # it does not run yet, or no more
        except NsunitError as error:
            failed.append(error)
        except (OSError, PlanError) as error:  # of one that ends just now, or that an older nsunit has started
            why = error.strerror if isinstance(error, OSError) else error
            failed.append(NsunitError(f"{name}: its limits cannot be shown: {why}"))
    return failed


def main(argv: list[str]) -> int:
    """Do it twice, as deeds.shown does: who was about to start the first time runs by then."""
    context = open_context()
    failed = show_to_all(context, argv[1])
    time.sleep(AGAIN_SECONDS)
    refresh(argv[1])
    failed = show_to_all(context, argv[1])
    for error in failed:
        os.write(2, f"<3>{error}\n".encode())
    return 1 if failed else 0
