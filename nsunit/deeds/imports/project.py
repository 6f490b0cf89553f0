"""A project of compose files: its definitions in a directory that goes with the next boot, started and stopped.

Which definitions belong to a project stands in themselves, `X-Project=`.
"""

from __future__ import annotations

import os

from nsunit import features
from nsunit.core.jobs import Outcome, as_failed
from nsunit.deeds.imports.bring import problem_of, with_images
from nsunit.deeds.imports.write import Staged
from nsunit.deeds.look.states import list_containers
from nsunit.deeds.remove import remove
from nsunit.deeds.start import start
from nsunit.deeds.stop import stop_running
from nsunit.deeds.wait import wait
from nsunit.definition.search import SUFFIX, find_network
from nsunit.dropins.files import make_directory, read
from nsunit.errors import DefinitionError, NsunitError, UsageError
from nsunit.imports.compose import plan
from nsunit.imports.model import Unusable
from nsunit.names import is_network, printable
from nsunit.storage.files import discard
from nsunit.storage.lock import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nsunit.core.context import Context
    from nsunit.imports.compose import Plan
    from nsunit.imports.model import Draft, Given, Remark

_MARK = "X-Project="


def directory(context: Context) -> str:
    """Where the definitions of projects are: the first directory of those that go with the next boot.

    Raises:
        UsageError: a user has none.
    """
    found = next(
        (path for path in context.search.directories if path.startswith(("/run/", context.paths.runtime_base))), ""
    )
    if not found:
        raise UsageError("there is no $XDG_RUNTIME_DIR for definitions", hint="use 'nsunit import compose' and 'start'")
    return found


def up(
    context: Context, given: Given, remarked: Callable[[Remark], object], services: Sequence[str] = ()
) -> list[Outcome]:
    """Have the project of *given* run as its files say, or of it only *services* and what they need.

    *remarked* is told of what is not carried over.

    Raises:
        DefinitionError: no definitions can be made of them; nothing was done.
        UsageError: --scale, or *services*, names no service.
    """
    made = _plan(context, given.replace(services=tuple(services)))
    for name in (*services, *(name for name, _ in given.scale)):
        if name not in made.containers:
            raise UsageError(
                f"'{printable(name)}' is no service of {made.name}", hint=f"there are {', '.join(made.containers)}"
            )
    target = directory(context)
    chosen = made.with_needs(services or made.containers)
    with _lock(context, made):
        _bring(context, made, chosen, target, remarked)
        return _start(context, made, chosen)


def _bring(
    context: Context, made: Plan, chosen: Sequence[str], target: str, remarked: Callable[[Remark], object]
) -> None:
    """Put the definitions of the services *chosen* of *made* into *target*.

    What runs with other ones than these is removed, and what is not in the file any more; services that were not
    chosen, or of whose profiles none was, stay as they are.  One that is enabled is only stopped: it stays so.
    """
    wanted = {name for service in chosen for name in made.containers[service]}
    left = {_definition(name) for service in made.containers.keys() - {*chosen} for name in made.containers[service]}
    drafts = [draft for draft in made.imported.drafts if draft.name not in left]
    left = {name.removesuffix("@") for name in left | made.others}  # however many there are
    own = _without_those_elsewhere(context, drafts, target)
    make_directory(target)
    running, known = _running(context), _running(context, everything=True)
    with Staged(context, own, target, target) as staged:
        for remark in (*made.imported.remarks, *staged.check()):
            remarked(remark)
        before = _texts(target, made.name)
        changed = {draft.name for draft in own if _bare(before.get(draft.name, "")) not in ("", _bare(draft.text()))}
        concerned = {name for name in before if name.removesuffix("@") not in left}
        orphans = concerned - {draft.name for draft in made.imported.drafts}
        if concerned != before.keys():
            orphans = {name for name in orphans if not is_network(name)}  # another one may be in it
        stale = [name for name in running if name in wanted and _definition(name) in changed]
        gone = [name for name in known if name not in wanted and _definition(name) in concerned]
        _refuse_enabled(context, gone)
        kept = [name for name in stale if context.paths.is_enabled(name)]
        stopped = stop_running(context, kept)
        for outcome in (*stopped, *remove(context, [*gone, *(name for name in stale if name not in kept)], force=True)):
            if outcome.error:
                raise outcome.error
        staged.install()
    _unlink(target, orphans)


def _refuse_enabled(context: Context, names: Iterable[str]) -> None:
    """See that none of *names*, which are to go, is started at the next boot."""
    enabled = [name for name in names if context.paths.is_enabled(name)]
    if enabled:
        hint = f"'nsunit disable --now {' '.join(enabled)}' first; nothing was stopped"
        raise NsunitError(f"{enabled[0]}: it is enabled", hint=hint)


def down(context: Context, given: Given, *, volumes: bool = False) -> list[Outcome]:
    """Stop the containers of the project of *given*, remove what they have kept, and the definitions that up has made.

    Its networks go, too, and with *volumes* the volumes that it has defined.

    Raises:
        DefinitionError: its files are none of compose's.
        NsunitError: one of them is enabled, and nothing was done; or a volume is used by somebody else.
    """
    made = _plan(context, given)
    with _lock(context, made):
        outcomes = _take_down(context, made, directory(context))
        # What did not go may use one: that is to be told, and not who has it.
        if volumes and not any(item.error for item in outcomes if not is_network(item.name)):
            change = features.load("volumes", "change")
            change.remove(context, made.volumes, missing=True)
        return outcomes


def _take_down(context: Context, made: Plan, target: str) -> list[Outcome]:
    texts = _texts(target, made.name)
    known = {*texts, *(draft.name for draft in made.imported.drafts)}
    names = [name for name in _running(context, everything=True) if _definition(name) in known]
    _refuse_enabled(context, names)
    for level in reversed(made.levels):  # what needs others first
        of_level = {_definition(name) for service in level for name in made.containers[service]}
        stop_running(context, [name for name in names if _definition(name) in of_level])
    stop_running(context, names)
    outcomes = remove(context, names, force=True)
    _unlink(target, [name for name in texts if not is_network(name)])
    outcomes += [item for name in texts if is_network(name) if (item := _remove_network(context, name, target))]
    return [item for item in outcomes if item.state != "absent"]


def _remove_network(context: Context, name: str, target: str) -> Outcome | None:
    """Remove a network with its definition in *target*; what came of it only if that failed."""
    bare = name.removesuffix(".network")
    try:
        if os.path.dirname(find_network(bare, context.search).main) != target:
            _unlink(target, [name])  # the one that counts is the administrator's
            return None
        features.load("network", "networks").remove(context, bare)
    except (NsunitError, OSError) as error:
        return as_failed(name, error)
    return None


def _lock(context: Context, made: Plan) -> Lock:
    """Of two that work on a project one waits; a dot begins no container's name."""
    return Lock(context.paths.locks, f".project-{made.name}")


def _plan(context: Context, given: Given) -> Plan:
    try:
        return plan(with_images(context, given))
    except Unusable as error:
        raise DefinitionError([problem_of(error.remark)]) from None


def _start(context: Context, made: Plan, chosen: Sequence[str]) -> list[Outcome]:
    """Start the containers of *chosen*, level by level; what needs one that did not start is not tried."""
    outcomes: list[Outcome] = []
    failed = ""
    for whole in made.levels:
        level = [service for service in whole if service in chosen]
        names = [name for service in level for name in made.containers[service]]
        if failed and names:
            hint = "mend that, and call up again"
            error = NsunitError(f"{failed} is not up, so others were not started: {', '.join(names)}", hint=hint)
            outcomes += [Outcome(name, "failed", error=error) for name in names[:1]]
            break
        found = start(context, names) if names else []
        outcomes += found
        jobs = [name for service in level if service in made.jobs for name in made.containers[service]]
        bad = [item.name for item in found if item.error]
        waited = [name for name in jobs if name not in bad]
        for name, ended in zip(waited, wait(context, waited) if waited else (), strict=True):
            if ended.result not in ("success", "") or ended.active_state == "failed":
                bad.append(name)
                error = NsunitError(f"{name}: ended with failure", hint=f"see 'nsunit logs {name}'")
                outcomes = [
                    item.replace(state="failed", error=error) if item.name == name else item for item in outcomes
                ]
        failed = bad[0] if bad else ""
    return outcomes


def _without_those_elsewhere(context: Context, drafts: Sequence[Draft], target: str) -> list[Draft]:
    """*drafts* but for those that a definition in an earlier directory, the administrator's own, hides."""
    earlier = context.search.directories[: context.search.directories.index(target)]
    return [draft for draft in drafts if not any(os.path.lexists(f"{place}/{draft.name}{SUFFIX}") for place in earlier)]


def _running(context: Context, *, everything: bool = False) -> list[str]:
    """The containers that run, or are known at all."""
    found = list_containers(context, everything=everything)
    return [state.name for state in found if everything or state.active_state not in ("inactive", "failed")]


def _definition(name: str) -> str:
    """What the definition of container *name* is called: for an instance its template."""
    prefix, at, _ = name.partition("@")
    return prefix + at


def _texts(target: str, project: str) -> dict[str, str]:
    """The definitions of *project* in *target*, by name."""
    found = {}
    try:
        entries = os.listdir(target)
    except FileNotFoundError:
        return {}
    for entry in entries:
        if entry.endswith(SUFFIX):
            # Others take theirs away meanwhile.
            text = (read(os.path.join(target, entry)) or b"").decode(errors="replace")
            if f"\n{_MARK}{project}\n" in text:
                found[entry.removesuffix(SUFFIX)] = text
    return found


def _bare(text: str) -> str:
    """*text* without its comments, which say on what lines of the file it stands."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def _unlink(target: str, names: Iterable[str]) -> None:
    for name in names:
        discard(os.path.join(target, name + SUFFIX))
