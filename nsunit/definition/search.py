"""Where definitions are: the search path, drop-in directories, templates (systemd.unit(5))."""

from __future__ import annotations

import os

from nsunit.errors import NotFoundError, NsunitError, UsageError, did_you_mean
from nsunit.names import (
    GROUP_SUFFIX,
    NETWORK_SUFFIX,
    POD_SUFFIX,
    base_directory,
    check_any_name,
    check_name,
    former_unit,
    is_valid_group,
    is_valid_name,
    is_valid_network,
    pod_name,
    printable,
    split_instance,
)
from nsunit.record import Record

SUFFIX = ".nsunit"
SLICE_SUFFIX = GROUP_SUFFIX + SUFFIX
NO_CONTAINERS = (SLICE_SUFFIX, POD_SUFFIX + SUFFIX, NETWORK_SUFFIX + SUFFIX)
UNIT_DROP_IN = "50-nsunit.conf"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_UNREADABLE = (FileNotFoundError, NotADirectoryError)


class SearchPath(Record):
    """Directories that are searched for definitions; a file in an earlier one hides its namesakes in later ones.

    *units* is where systemd looks for the administrator's unit files: what nsunit put there for a container's units
    belongs to its definition.  Nothing does where it is empty.
    """

    directories: tuple[str, ...]
    units: str = ""


class Found(Record):
    """The files of one definition: *main*, and its *drop_ins* in the order in which they are applied."""

    main: str
    drop_ins: tuple[str, ...]


SYSTEM_SEARCH_PATH = SearchPath(
    ("/etc/nsunit", "/run/nsunit/definitions", "/usr/local/lib/nsunit", "/usr/lib/nsunit"),
    "/etc/systemd/system",
)


def user_search_path(environ: dict[str, str]) -> SearchPath:
    """Return the search path of an unprivileged user; *environ* is os.environ or a stand-in."""
    home = environ.get("HOME", "/")
    config = base_directory(environ, "XDG_CONFIG_HOME", f"{home}/.config")
    data = base_directory(environ, "XDG_DATA_HOME", f"{home}/.local/share")
    directories = [f"{config}/nsunit"]
    runtime = base_directory(environ, "XDG_RUNTIME_DIR", "")
    if runtime:
        directories.append(f"{runtime}/nsunit/definitions")
    directories += [f"{data}/nsunit", "/etc/nsunit/user", "/usr/local/lib/nsunit/user", "/usr/lib/nsunit/user"]
    return SearchPath(tuple(directories), f"{config}/systemd/user")


def find(name: str, search: SearchPath) -> Found:
    """Return the files that define container or pod *name*; an instance falls back to its template.

    Raises:
        UsageError: *name* is not a container's name.
        NotFoundError: there is no such definition, or it is masked by a link to /dev/null.
    """
    stems = _stems(check_name(name))
    main = _first(stems, search)
    if main is None:
        raise _not_found(name, search)
    if _is_masked(main):
        raise NotFoundError(f"container '{name}' is masked by {main}", hint="remove that link to use it")
    return Found(main, _drop_ins(stems, search))


def _is_masked(path: str) -> bool:
    return os.path.islink(path) and os.path.realpath(path) == "/dev/null"  # realpath() is posixpath's, which is loaded


def is_defined(name: str, search: SearchPath) -> bool:
    """Whether container or pod *name* is defined."""
    try:
        find(name, search)
    except NsunitError:
        return False
    return True


def find_network(name: str, search: SearchPath) -> Found:
    """Return the files that define the network *name*: `NAME.network.nsunit` and its drop-ins.

    Raises:
        NotFoundError: there is no such definition, or it is masked by a link to /dev/null.
    """
    stem = name + NETWORK_SUFFIX
    main = _first([stem], search)
    if main is None:
        plain = name.removesuffix(".nsunit").removesuffix(".network")
        if plain != name:
            hint = f"name it without suffix: {plain}"
        else:
            hint = did_you_mean(name, list_networks(search), "'{}'") or f"make it with 'nsunit network create {name}'"
        raise NotFoundError(f"the network '{printable(name)}' is not defined", hint=hint)
    if _is_masked(main):
        raise NotFoundError(f"the network '{name}' is masked by {main}", hint="remove that link to use it")
    return Found(main, _drop_ins([stem], search))


def list_networks(search: SearchPath) -> tuple[str, ...]:
    """Return the names of all defined networks, sorted."""
    found: dict[str, bool] = {}
    for directory in search.directories:
        for entry in _entries(directory):
            name = entry.removesuffix(NETWORK_SUFFIX + SUFFIX)
            if name != entry and is_valid_network(name):
                found.setdefault(name, not _is_masked(os.path.join(directory, entry)))
    return tuple(sorted(name for name, usable in found.items() if usable))


def find_group(name: str, search: SearchPath) -> Found:
    """Return the files that define the group *name*, `shop.slice`: `shop.slice.nsunit` and its drop-ins.

    Without that file they are those of the pod `shop.pod`, if there is one.

    Raises:
        UsageError: *name* is not a group's name.
        NotFoundError: there is no such definition, or it is masked by a link to /dev/null.
    """
    check_any_name(name)
    stem = name
    main = _first([stem], search)
    if main is None:
        stem = pod_name(name.removesuffix(GROUP_SUFFIX))
        main = _first([stem], search)
    if main is None:
        looked = ", ".join(search.directories)
        raise NotFoundError(f"group '{name}' is not defined", hint=f"looked for {name}{SUFFIX} in {looked}")
    if _is_masked(main):
        raise NotFoundError(f"group '{name}' is masked by {main}", hint="remove that link to use it")
    return Found(main, _drop_ins([stem], search))


def list_groups(search: SearchPath) -> tuple[str, ...]:
    """Return the names of all defined groups, `shop.slice`, sorted; pods are not among them."""
    return _list_ending(GROUP_SUFFIX, search)


def list_pods(search: SearchPath) -> tuple[str, ...]:
    """Return the names of all defined pods, `shop.pod`, sorted."""
    return _list_ending(POD_SUFFIX, search)


def _list_ending(suffix: str, search: SearchPath) -> tuple[str, ...]:
    found: dict[str, bool] = {}
    for directory in search.directories:
        for entry in _entries(directory):
            name = entry.removesuffix(SUFFIX)
            if entry.endswith(suffix + SUFFIX) and is_valid_group(name.removesuffix(suffix)):
                found.setdefault(name, not _is_masked(os.path.join(directory, entry)))
    return tuple(sorted(name for name, usable in found.items() if usable))


def unit_drop_ins(units: Iterable[str], search: SearchPath) -> tuple[str, ...]:
    """Return those of nsunit's drop-ins for *units* that are there (see nsunit.core.dropin)."""
    if not search.units:
        return ()
    called = (name for unit in units for name in (former_unit(unit), unit) if name)
    paths = (f"{search.units}/{unit}.d/{UNIT_DROP_IN}" for unit in called)
    return tuple(path for path in paths if os.path.lexists(path))


def list_names(search: SearchPath) -> tuple[str, ...]:
    """Return the names of all defined containers, sorted; templates, groups, pods and networks are none."""
    found: dict[str, bool] = {}
    for directory in search.directories:
        for entry in _entries(directory):
            name = entry.removesuffix(SUFFIX)
            if name == entry or entry.endswith(NO_CONTAINERS) or not is_valid_name(name):
                continue
            found.setdefault(name, not _is_masked(os.path.join(directory, entry)))
    return tuple(sorted(name for name, usable in found.items() if usable))


def main_file(name: str, search: SearchPath) -> str:
    """Return the file that defines container or pod *name*, or its template's; empty if it is not defined."""
    main = _first(_stems(name), search)
    return main if main and os.path.realpath(main) != "/dev/null" else ""


def _of_any_case(search: SearchPath) -> list[str]:
    return [os.path.join(directory, entry) for directory in search.directories for entry in _entries(directory)]


def list_templates(search: SearchPath) -> tuple[str, ...]:
    """Return the prefixes of all templates, sorted (`web` for `web@.nsunit`)."""
    end = "@" + SUFFIX
    found = {
        entry.removesuffix(end)
        for directory in search.directories
        for entry in _entries(directory)
        if entry.endswith(end) and is_valid_name(entry.removesuffix(end))
    }
    return tuple(sorted(found))


def _stems(name: str) -> list[str]:
    """What the files that may define container or pod *name* are called, without the suffix."""
    if name.endswith((GROUP_SUFFIX, NETWORK_SUFFIX)):
        return []
    prefix, instance = split_instance(name)
    return [name, f"{prefix}@"] if instance else [name]


def _first(stems: list[str], search: SearchPath) -> str | None:
    for stem in stems:
        for directory in search.directories:
            path = os.path.join(directory, stem + SUFFIX)
            if os.path.lexists(path):
                return path
    return None


def _drop_ins(stems: list[str], search: SearchPath) -> tuple[str, ...]:
    """Return all `*.conf`, sorted by file name; the first directory that has a name decides, /dev/null drops it."""
    chosen: dict[str, str] = {}
    for stem in stems:
        for directory in search.directories:
            folder = os.path.join(directory, stem + SUFFIX + ".d")
            for entry in _entries(folder):
                if entry.endswith(".conf") and entry[0] != "." and entry.isprintable():
                    chosen.setdefault(entry, os.path.join(folder, entry))
    return tuple(chosen[entry] for entry in sorted(chosen) if os.path.realpath(chosen[entry]) != "/dev/null")


def list_misnamed(search: SearchPath) -> tuple[str, ...]:
    """Return the paths of files that look like definitions, and that no name leads to: `/etc/nsunit/Web.nsunit`."""
    found = []
    for directory in search.directories:
        for entry in sorted(_entries(directory)):
            stem = entry.removesuffix(SUFFIX)
            if stem != entry and not entry.startswith(".") and not _is_name(stem):
                found.append(f"{directory}/{entry}")
    return tuple(found)


def _is_name(stem: str) -> bool:
    if stem.endswith(NETWORK_SUFFIX):
        return is_valid_network(stem.removesuffix(NETWORK_SUFFIX))
    try:
        check_any_name(stem.removesuffix("@"))
    except UsageError:
        return False
    return True


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except _UNREADABLE:
        return []


def _not_found(name: str, search: SearchPath) -> NotFoundError:
    prefix, instance = split_instance(name)
    if name.endswith(".slice"):
        hint: str | None = "that is the name of a group; 'nsunit list --tree' shows groups with their containers"
    elif name.endswith(SUFFIX):
        hint = f"its definition is a file of that name, the container is '{name.removesuffix(SUFFIX)}'"
    elif instance:
        hint = did_you_mean(prefix, list_templates(search), "'{}@" + instance + "'")
    else:
        hint = did_you_mean(name, list_names(search), "'{}'")
        if name in list_templates(search):
            hint = f"'{name}' is a template; start an instance of it, e.g. {name}@1"
        plain = name.removesuffix(".service").removeprefix("nsunit-")
        if plain != name and _first([plain], search):
            hint = f"that is the name of its unit, the container is '{plain}'"
        if _first([f"{name}{GROUP_SUFFIX}"], search):
            hint = f"there is a group of that name: '{name}{GROUP_SUFFIX}'"
        other = next((path for path in _of_any_case(search) if os.path.basename(path).lower() == name + SUFFIX), "")
        if other:
            hint = f"names have small letters only: rename '{printable(other)}' to {name}{SUFFIX}"
    if name.endswith(NETWORK_SUFFIX):
        network = name.removesuffix(NETWORK_SUFFIX)
        hint = f"containers join it by Network={network}; 'nsunit network inspect {network}' shows it"
        return NotFoundError(f"'{name}' is the name of a network", hint=hint)
    looked = ", ".join(search.directories)
    if name.endswith(POD_SUFFIX):
        return NotFoundError(f"pod '{name}' is not defined", hint=f"looked for {name}{SUFFIX} in {looked}")
    if _first([pod_name(name)], search):
        hint = f"there is a pod of that name: '{pod_name(name)}'"
    return NotFoundError(f"container '{name}' is not defined", hint=hint or f"looked for {name}{SUFFIX} in {looked}")
