"""The definitions that containers, groups and pods run with, kept beside what they run from."""

from __future__ import annotations

import os

from nsunit.core.running import unit_of
from nsunit.definition.load import any_of_text, load_any, serialize
from nsunit.definition.search import find, main_file
from nsunit.errors import DefinitionError, NotFoundError, NsunitError
from nsunit.features import hooks, kinds_of
from nsunit.names import service_name
from nsunit.plan.change import compare
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.plan.change import Change


def stored_text(context: Context, name: str) -> str:
    """The definition that *name* runs with, with what was changed since it was started.

    Raises:
        NsunitError: there is none.
    """
    for text_of in hooks(kinds_of(name), "deeds.stored_text"):
        found: str = text_of(context, name)
        return found
    stored = files.read_file(context.paths.runtime_of(name) + "/definition")
    if stored is None:  # one that is enabled, and only listened for since the boot, will be started from this
        stored = files.read_file(context.paths.boot_of(name) + "/definition")
    if stored is None:
        raise no_record(name)
    return stored.decode()


def no_record(name: str) -> NsunitError:
    """What is said of a container that runs, while what was written for its start is gone."""
    return NsunitError(
        f"{name}: it runs, but nsunit has no record of having started it",
        hint=f"stop it with 'systemctl stop {service_name(name)}'",
    )


def stored(context: Context, name: str) -> Definition:
    """The definition of which that is the text."""
    return any_of_text(name, stored_text(context, name), context.paths.runtime_of(name), context.host)


def place_of(context: Context, name: str) -> str:
    """The file with that text."""
    for place in hooks(kinds_of(name), "deeds.record_path"):
        found: str = place(context, name)
        return found
    return context.paths.runtime_of(name) + "/definition"


def defined(context: Context, name: str) -> Definition:
    """What container *name* is defined to be; or else as what `run --keep` has run it last.

    Raises:
        NotFoundError: it is not defined, and nothing of that kind is kept of it.
    """
    try:
        return load_any(name, context.search, context.host)
    except NotFoundError:
        path = context.paths.kept_definition_of(name)
        text = files.read_file(path)
        if text is None:
            raise
        return any_of_text(name, text.decode(), path, context.host)


def on_disk(context: Context, name: str) -> Definition | None:
    """What *name* was when its unit files were written; None if it is not enabled, or nobody can read that any more."""
    text = files.read_file(context.paths.boot_of(name) + "/definition")
    try:
        return None if text is None else any_of_text(name, text.decode(), name, context.host)
    except DefinitionError:
        return None


def known(context: Context, name: str, defined: Definition | None = None) -> Definition | None:
    """What *name* runs with, or else will be started from at boot; None if it is neither there nor enabled.

    Where that is just as it is *defined*, it is the same object: nothing is read twice.
    """
    text = files.read_file(context.paths.runtime_of(name) + "/definition")
    if text is None:
        return on_disk(context, name)
    if defined and serialize(defined).encode() == text:
        return defined
    return any_of_text(name, text.decode(), context.paths.runtime_of(name), context.host)


def is_known(context: Context, name: str) -> bool:
    """Whether *name* is defined, systemd has it loaded, or something is kept of it."""
    if main_file(name, context.search) or os.path.lexists(context.paths.state_of(name)):
        return True
    unit = unit_of(context, name)
    return bool(context.bus.get(unit, "LoadState")["LoadState"] != "not-found")


def check_known(context: Context, name: str) -> None:
    """See that there is, or was, a container *name*.

    Raises:
        NotFoundError: nobody knows it.
    """
    if not is_known(context, name):
        find(name, context.search)  # raises, and names what is near


def journal_of(context: Context, name: str) -> str:
    """The journal namespace that the payload of *name* writes to; empty for the usual journal."""
    try:
        return namespace_of_journal(known(context, name) or load_any(name, context.search, context.host))
    except (DefinitionError, NotFoundError):
        return ""


def namespace_of_journal(definition: Definition) -> str:
    """The LogNamespace= of *definition*, empty without one."""
    return dict(definition.texts_of("Service")).get("LogNamespace", "")


def differences_from_running(context: Context, definition: Definition) -> tuple[str, ...]:
    """How *definition* differs from what its container runs with, key by key."""
    text = stored_text(context, definition.name)
    if text == serialize(definition):
        return ()
    running = any_of_text(definition.name, text, context.paths.runtime_of(definition.name), context.host)
    # What was changed by `set` is meant to differ, as long as the definition has what it had.
    meant = {(item.section, item.key): item.old for item in changed_by_set(context, running)}
    return tuple(
        str(change) for change in compare(running, definition) if meant.get((change.section, change.key)) != change.new
    )


def _started_path(context: Context, name: str) -> str:
    return context.paths.runtime_of(name) + "/definition.started"


def keep_started(context: Context, name: str, text: str) -> None:
    """Keep the definition *text* that container *name* was started with, before the first `set` changes it."""
    path = _started_path(context, name)
    if files.read_file(path) is None:
        files.write_file(path, text.encode())


def changed_by_set(context: Context, running: Definition) -> tuple[Change, ...]:
    """What was changed by `set` since the container with the definition *running* was started."""
    place = _started_path(context, running.name)
    text = files.read_file(place)
    return () if text is None else compare(any_of_text(running.name, text.decode(), place, context.host), running)
