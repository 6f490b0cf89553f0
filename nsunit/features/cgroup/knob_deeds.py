"""`nsunit cgroup get` and `set`: the files of groups, by the names of either version of cgroups."""

from __future__ import annotations

import os
import stat

from nsunit.bus.protocol import ACCESS_DENIED
from nsunit.core.context import attempt, take_back
from nsunit.definition.words import ValueProblem, wrong
from nsunit.errors import BusError, NotFoundError, NsunitError, UsageError, did_you_mean
from nsunit.features.cgroup import version1 as cgroup_v1
from nsunit.features.cgroup.deeds import check_controllers, find, host_controllers, write_file
from nsunit.features.cgroup.knobs import DELEGATED, is_setting, properties, put_back, to_copy, verb_for
from nsunit.features.cgroup.plan import resolve_controllers
from nsunit.names import printable
from nsunit.storage.files import read_kernel_file
from nsunit.units import Property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.core.context import Context
    from nsunit.features.cgroup.plan import Group

_WRITABLE = 0o200


def get(group: Group, names: Sequence[str]) -> list[tuple[str, str]]:
    """The values of the files *names* of *group*, each with the name it was asked for.

    Raises:
        NotFoundError: there is no such group.
        NsunitError: there is no such file, or it cannot be read.
    """
    path = find(group)
    found = []
    for name in names:
        _check_name(name)
        text = _read(group, path, name)
        found.append((name, cgroup_v1.shown(name, text)))
    return found


def names_of(context: Context, group: Group, controllers: Sequence[str]) -> list[str]:
    """The files of *group* that belong to *controllers*, all that can be read for none.

    Raises:
        UsageError: a controller is none.
        NotFoundError: there is no such group.
        NsunitError: it lacks one of the controllers.
    """
    path = find(group)
    check_controllers(context, group, controllers)
    controllers = resolve_controllers(controllers, host_controllers()) if controllers else ()
    files = sorted(name for name in os.listdir(path) if os.path.isfile(f"{path}/{name}") and _readable(path, name))
    if not controllers:
        return files
    return [name for name in files if name.partition(".")[0] in controllers]


def set_values(context: Context, group: Group, values: Sequence[tuple[str, str]]) -> None:
    """Give files of *group* new values, by their names in either version; all of them, or none.

    In the cgroup of a unit, systemd's properties are changed; in what is below, the files are written.

    Raises:
        NotFoundError: there is no such group.
        NsunitError: there is no such file, or the value is wrong.
    """
    path = find(group)
    undo: list[Callable[[], object]] = []
    try:
        for name, value in values:
            _check_name(name)
            now = _read_now(path, cgroup_v1.file_of(name))
            try:
                file, text = cgroup_v1.translate(name, value, now)
                verb = verb_for(file)
                if verb:
                    raise NsunitError(f"'{file}' is not set", hint=f"'{verb}' does it")
                _check_file(group, path, file, name)
                text = _with_device_number(file, text)
                asked = None if group.below else properties(file, text, now)
            except ValueProblem as problem:
                raise NsunitError(f"{group.path}: {name}: {problem.message}", hint=problem.hint) from None
            _set(context, group, file, text, now, asked, undo)
    except BaseException:
        take_back(undo)
        raise


def copy(context: Context, source: Group, target: Group) -> None:
    """Give *target* all the settings of *source*, or none.

    Raises:
        NotFoundError: there is no such group.
        NsunitError: *target* lacks a controller that *source* has, or the kernel refuses a value.
    """
    here, there = find(source), find(target)
    values = []
    for file in sorted(os.listdir(here)):
        mode = os.stat(f"{here}/{file}").st_mode
        if stat.S_ISREG(mode) and mode & _WRITABLE and is_setting(file) and _readable(here, file):
            wanted = to_copy(file, _read_now(here, file), _read_now(there, file))
            values += [(file, value) for value in wanted]
    set_values(context, target, values)


def _set(
    context: Context,
    group: Group,
    file: str,
    value: str,
    now: str,
    asked: tuple[Property, ...] | None,
    undo: list[Callable[[], object]],
) -> None:
    if asked is not None:
        if asked[0].signature == "a(st)":  # a value for each device
            before = properties(file, put_back(file, now, value), now) or ()
        else:
            before = _as_it_is(context, group, asked)
        attempt(lambda: _tell_systemd(context, group, asked), undo, lambda: _tell_systemd(context, group, before))
    elif file == "cgroup.freeze" and not group.below:
        attempt(lambda: _freeze(context, group, value), undo, lambda: _freeze(context, group, now.strip()))
    else:
        if not group.below and file not in DELEGATED:
            raise NsunitError(
                f"systemd has no property for '{file}', and the cgroup of '{group.path}' is systemd's",
                hint=f"set it in a subgroup: 'nsunit cgroup create -g {file.partition('.')[0]}:{group.path}/NAME'",
            )
        path = f"{find(group)}/{file}"
        before_it = put_back(file, now, value) if now else ""  # else it holds no value: memory.reclaim
        back = (lambda: write_file(path, before_it)) if now else (lambda: None)
        attempt(lambda: _write(group, path, file, value), undo, back)


def _as_it_is(context: Context, group: Group, asked: Sequence[Property]) -> tuple[Property, ...]:
    """What gives back to systemd what it has for *asked*: the files say less, an idle group has no weight there."""
    signatures = {item.name: item.signature for item in asked}
    kept = [name.removesuffix("Scale") for name in signatures]
    there = context.bus.get(group.unit, *kept)
    return tuple(Property(name, signatures.get(name, "t"), there[name]) for name in kept if name in there)


def _tell_systemd(context: Context, group: Group, asked: Sequence[Property]) -> None:
    try:
        context.bus.set_properties(group.unit, True, asked)
    except BusError as error:
        if error.name == ACCESS_DENIED or "authentication" in error.message:
            raise _not_yours(group) from None
        raise
    # systemd answers before it writes the files, and does that before it answers again.
    context.bus.get(group.unit, "ActiveState")


def _freeze(context: Context, group: Group, value: str) -> None:
    if value not in ("0", "1"):
        raise NsunitError(f"{group.path}: cgroup.freeze: '{printable(value)}' is neither 0 nor 1")
    try:
        (context.bus.freeze if value == "1" else context.bus.thaw)(group.unit)
    except BusError as error:
        if error.name == ACCESS_DENIED or "authentication" in error.message:
            raise _not_yours(group) from None
        raise


def _not_yours(group: Group) -> NsunitError:
    return NsunitError(
        f"the limits of '{group.path}' itself are root's", hint=f"a subgroup of yours, '{group.path}/NAME', has its own"
    )


def _write(group: Group, path: str, file: str, value: str) -> None:
    try:
        write_file(path, value)
    except PermissionError:
        raise NsunitError(
            f"you may not set {file} of '{group.path}'", hint="it belongs to somebody else, see 'ls -l'"
        ) from None
    except OSError as error:
        raise NsunitError(
            f"the kernel refuses '{printable(value)}' for {file} of '{group.path}': {error.strerror}"
        ) from None


def _with_device_number(file: str, value: str) -> str:
    """*value* with the number of a device in place of its path, so that each device has one name for systemd."""
    first, blank, rest = value.partition(" ")
    if not file.startswith("io.") or not first.startswith("/"):
        return value
    try:
        info = os.stat(first)
    except OSError as error:
        raise wrong(first, f"cannot be looked at: {error.strerror}") from None
    number = info.st_rdev if stat.S_ISBLK(info.st_mode) else info.st_dev
    return f"{os.major(number)}:{os.minor(number)}{blank}{rest}"


def _check_name(name: str) -> None:
    if not name or "/" in name or name.startswith("."):
        raise UsageError(f"'{printable(name)}' is not the name of a file of a group", hint="e.g. memory.max")
    why = cgroup_v1.reason(name) if cgroup_v1.file_of(name) == name else None
    if why is not None:
        raise NsunitError(f"'{printable(name)}' belongs to cgroup version 1", hint=why)


def _check_file(group: Group, path: str, file: str, name: str) -> None:
    try:
        mode = os.stat(f"{path}/{file}").st_mode
    except FileNotFoundError:
        raise _no_file(group, path, file, name) from None
    if not mode & _WRITABLE:
        raise NsunitError(f"'{printable(name)}' can only be read")


def _read(group: Group, path: str, name: str) -> str:
    file = cgroup_v1.file_of(name)
    if not os.path.isfile(f"{path}/{file}"):
        raise _no_file(group, path, file, name)
    try:
        return read_kernel_file(f"{path}/{file}") or ""
    except OSError as error:
        raise NsunitError(f"'{printable(name)}' of '{group.path}' cannot be read: {error.strerror}") from None


def _read_now(path: str, file: str) -> str:
    if not _readable(path, file):
        return ""
    return read_kernel_file(f"{path}/{file}") or ""


def _readable(path: str, file: str) -> bool:
    try:
        return bool(os.stat(f"{path}/{file}").st_mode & 0o400)
    except FileNotFoundError:
        return False


def _no_file(group: Group, path: str, file: str, name: str) -> NsunitError:
    controller = file.partition(".")[0]
    present = (read_kernel_file(f"{path}/cgroup.controllers") or "").split()
    if controller in present or controller == "cgroup":
        hint = did_you_mean(file, os.listdir(path), "'{}'") or "see 'nsunit cgroup get --all'"
        return NotFoundError(f"'{group.path}' has no file '{printable(name)}'", hint=hint)
    return NsunitError(
        f"the group '{group.path}' has no controller '{printable(controller)}', so it has no '{printable(name)}'",
        hint=f"it has {' '.join(present) or 'none'}; its controllers are chosen when it is made",
    )
