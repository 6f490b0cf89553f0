"""The verb `rm` with --definition."""

from __future__ import annotations

import os
import shutil

from nsunit.core.jobs import Outcome
from nsunit.deeds.stop import remove as remove_containers
from nsunit.definition.search import SUFFIX, find
from nsunit.errors import NotFoundError, NsunitError
from nsunit.features.images.roots.make import root_of, users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context


def remove(invocation: Invocation) -> Sequence[Outcome]:
    """Remove containers, then their definitions and the roots that `create` has made for them."""
    context = invocation.context()
    refused = {name: _refusal(context, name) for name in invocation.names()}
    outcomes = [Outcome(name, "failed", error=error) for name, error in refused.items() if error]
    names = [name for name, error in refused.items() if not error]
    done = remove_containers(context, names, force=invocation.flag("force")) if names else []
    # Of one whose definition is gone already only the root may be left.
    return [*outcomes, *(item if _has_failed(item) else _forget(context, item.name) for item in done)]


def _has_failed(outcome: Outcome) -> bool:
    return outcome.error is not None and not isinstance(outcome.error, NotFoundError)


def _refusal(context: Context, name: str) -> NsunitError | None:
    root = root_of(context, name)
    if os.path.isdir(root) and (others := users(context, root, name)):
        return NsunitError(f"{name}: its root is used by {', '.join(others)}", hint="remove them first")
    try:
        found = find(name, context.search).main
    except NotFoundError as error:
        return None if os.path.isdir(root) else error
    if os.path.dirname(found) != context.search.directories[0]:
        return NsunitError(f"{name}: its definition is '{found}', which is not nsunit's to remove", hint="remove it")
    return None


def _forget(context: Context, name: str) -> Outcome:
    file = os.path.join(context.search.directories[0], name + SUFFIX)
    try:
        os.unlink(file)
    except FileNotFoundError:
        pass  # the root alone was left
    shutil.rmtree(file + ".d", ignore_errors=True)
    context.remove_tree(root_of(context, name))
    return Outcome(name, "removed")
