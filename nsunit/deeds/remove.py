"""Remove containers."""

from __future__ import annotations

from nsunit.core.dropin import forget_drop_ins
from nsunit.core.jobs import Outcome, as_failed, forget_failed, forget_failure
from nsunit.core.listeners import is_listening, links
from nsunit.core.running import unit_of
from nsunit.deeds.mount.mounted import unmount
from nsunit.deeds.stop import stop_running, wait_for_run
from nsunit.definition.search import list_groups, list_names, list_pods, main_file
from nsunit.dropins.definitions import remove_own
from nsunit.errors import NotFoundError, NsunitError
from nsunit.features import hooks, kinds_of
from nsunit.names import check_name, is_group, is_pod, split_instance
from nsunit.storage.lock import Lock
from nsunit.storage.mounted import refuse_mounted_state
from nsunit.units import DOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context


def remove(context: Context, names: Sequence[str], *, force: bool = False, definition: bool = False) -> list[Outcome]:
    """Remove the kept state of the stopped containers *names*: upper layer, id range, what a killed start left.

    With *force* those that run are stopped first, but for one that is enabled, which is refused in any case; with
    *definition* that and its drop-ins go as well.
    """
    refused = [name for name in names if context.paths.is_enabled(check_name(name))] if force else []
    going = [name for name in names if name not in refused]
    stopped = stop_running(context, _of_groups(context, going)) if force else []
    failed = {outcome.name: outcome for outcome in stopped if outcome.error}
    ended = [outcome.name for outcome in stopped]
    outcomes = {
        name: _remove_one(context, name, ran=name in ended, definition=definition)
        for name in names
        if name not in failed
    }
    of_members = [failed[name] for name in failed if name not in names]
    return [*of_members, *(failed.get(name) or outcomes[name].after(stopped) for name in dict.fromkeys(names))]


def _of_groups(context: Context, names: Sequence[str]) -> list[str]:
    """*names* with the containers that run in them in the place of groups."""
    found: list[str] = []
    for name in names:
        runs_in = next(hooks(kinds_of(name), "deeds.running_members"), None) if is_group(name) else None
        found += runs_in(context, name) if runs_in else [name]
    return list(dict.fromkeys(found))


def _remove_one(context: Context, name: str, *, ran: bool, definition: bool) -> Outcome:
    try:
        with Lock(context.paths.locks, check_name(name)):
            unit = unit_of(context, name)
            state = context.bus.get(unit, "LoadState", "ActiveState")
            runs = state.get("ActiveState") not in DOWN or is_listening(context, name)
            if context.paths.is_enabled(name):
                raise _still_enabled(context, name, runs)
            if runs:
                raise NsunitError(f"{name}: it is running", hint=f"stop it first with 'nsunit stop {name}'")
            if state.get("LoadState") != "not-found":
                forget_failed(context, unit)
            is_listed = forget_failure(context, name) or state.get("ActiveState") == "failed"
            paths = context.paths
            wait_for_run(context, name)
            unmount(context, name)
            refuse_mounted_state(context.paths, name)
            kept = (paths.state_of(name), paths.runtime_of(name), paths.network_of(name))
            removed = [ran, *(context.remove_tree(path) for path in kept)]  # one of `run` is gone once it has ended
            if forget_drop_ins(context, name):  # else a later container of the name would inherit them
                context.bus.reload()
                removed.append(True)
            if definition:
                removed.append(bool(_remove_definition(context, name)))
            if not any(removed) and not is_listed and name not in _defined(context):
                hint = (
                    "'nsunit list --all' lists them; of what 'nsunit run' has started, nothing stays once it has ended"
                )
                raise NotFoundError(f"{name}: there is no such container", hint=hint)
            return Outcome(name, "removed" if any(removed) else "absent")
    except (NsunitError, OSError) as error:
        return as_failed(name, error)


def _still_enabled(context: Context, name: str, runs: bool) -> NsunitError:
    """The refusal to remove what has unit files of nsunit's making; `systemctl disable` leaves them there."""
    disable = f"nsunit disable {'--now ' if runs else ''}{name}"
    if is_pod(name) or links(context, name):  # those of a pod are there for its containers, too
        return NsunitError(f"{name}: it is enabled", hint=f"'{disable}' first")
    text = f"{name}: it has the unit files that 'nsunit enable' has made, though nothing starts it at boot"
    return NsunitError(text, hint=f"'{disable}' takes them away")


def _defined(context: Context) -> tuple[str, ...]:
    search = context.search
    return (*list_names(search), *list_pods(search), *list_groups(search))


def _remove_definition(context: Context, name: str) -> list[str]:
    found = remove_own(name, context.search)
    if left := main_file(name, context.search):
        is_template = split_instance(name)[1] and not left.endswith(f"/{name}.nsunit")
        why = (
            "it is a template's"
            if is_template
            else f"link {context.search.directories[0]}/{name}.nsunit to /dev/null to mask it"
        )
        context.warn(f"warning: {name}: its definition '{left}' stays: {why}")
    return found
