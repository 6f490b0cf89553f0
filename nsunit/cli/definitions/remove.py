"""The verb `rm` with --definition."""

from __future__ import annotations

import os

from nsunit.core.jobs import Outcome
from nsunit.deeds.remove import remove as remove_containers
from nsunit.errors import NotFoundError, NsunitError
from nsunit.features.images.roots.make import root_of, users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context


def remove(invocation: Invocation) -> Sequence[Outcome]:
    """Remove containers with their definitions, and then the roots that `create` has made for them."""
    context = invocation.context()
    wanted = invocation.names()
    refused = [outcome for name in wanted if (outcome := _refused(context, name, wanted))]
    names = [name for name in wanted if name not in [outcome.name for outcome in refused]]
    done = remove_containers(context, names, force=invocation.flag("force"), definition=True) if names else []
    return [*refused, *(_without_root(context, outcome) for outcome in done)]


def _refused(context: Context, name: str, removed: Sequence[str]) -> Outcome | None:
    root = root_of(context, name)
    others = users(context, root, removed) if os.path.isdir(root) else []
    if not others:
        return None
    error = NsunitError(f"{name}: its root is used by {', '.join(others)}", hint="remove those first")
    return Outcome(name, "failed", error=error)


def _without_root(context: Context, outcome: Outcome) -> Outcome:
    # Where the definition is gone already, the root may be all that is left.
    if outcome.error is not None and not isinstance(outcome.error, NotFoundError):
        return outcome
    removed = context.remove_tree(root_of(context, outcome.name))
    return Outcome(outcome.name, "removed") if removed else outcome
