"""Make roots by templates, and take them away."""

from __future__ import annotations

import os

from nsunit.definition.load import load
from nsunit.definition.search import list_names
from nsunit.errors import NsunitError, UsageError
from nsunit.features.images import writing
from nsunit.features.images.fetch import tasks
from nsunit.features.images.fetch.pull import environment_of
from nsunit.features.images.store import Store
from nsunit.features.images.unit import FILL, fill_unit
from nsunit.record import Record
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.core.context import Context
    from nsunit.features.images.roots.templates import Template

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LXC_KEYS = {"lxc.init.cmd": "Exec", "lxc.signal.halt": "StopSignal", "lxc.environment": "Environment"}


class Made(Record):
    """A root at *path*, and the lines `KEY=VALUE` that its template has for the definition."""

    path: str
    lines: tuple[str, ...]


def root_of(context: Context, name: str) -> str:
    """Where the root is that a template has made for container *name*."""
    return f"{context.paths.state}/roots/{name}"


def make(context: Context, name: str, template: Template, replace: bool, use: Callable[[Made], object]) -> None:
    """Have *template* fill the root of container *name*, and call *use* when it is in its place.

    With *replace* one that is there gives way.  What goes wrong or is interrupted, in *use* as well, leaves all as it
    was.

    Raises:
        NsunitError: the template has failed, or there is a root already.
    """
    if context.user:
        raise UsageError("a template takes root, to make files of others", hint="use --image, or have root do it")
    target = root_of(context, name)
    if os.path.lexists(target) and not replace:
        raise NsunitError(f"there is a root already: '{target}'", hint="--force makes a new one in its place")
    store = Store(context.paths, context.remove_tree)
    writing.sweep(store)
    with writing.Staging(store) as staging:
        said = _filled(context, name, template, staging)
        staging.sync()
        files.make_private_directory(os.path.dirname(target))
        own = f"{staging.path}/root"
        former = os.lstat(target) if os.path.lexists(target) else None
        try:  # before it has its name: a signal may come in between, and what is in *staging* goes
            if former:
                writing.swap(own, target)
            else:
                files.move(own, target)
            use(Made(target, said))
        except BaseException:
            if former:
                writing.swap_back(own, target, former)
            elif not os.path.lexists(own):
                context.remove_tree(target)
            raise


def _filled(context: Context, name: str, template: Template, staging: writing.Staging) -> tuple[str, ...]:
    for directory in ("root", "cache", "tmp", "lock", "lxc"):
        os.mkdir(f"{staging.path}/{directory}", 0o755)
    os.chmod(f"{staging.path}/root", 0o755)  # whatever the caller's umask takes away
    os.chmod(f"{staging.path}/tmp", 0o1777)
    root = f"{staging.path}/root"
    job = {
        "task": "fill",
        "words": template.words(name, root, f"{staging.path}/lxc"),
        "root": root,
        "of_lxc": template.of_lxc,
        "config": f"{staging.path}/lxc",
        "identifier": FILL,
        "environment": {**environment_of(context, "/tmp"), "PATH": _PATH, "LANG": "C.UTF-8"},
        "ids": [],
    }
    unit = fill_unit(staging.token, tasks.command(staging.path), staging.path)
    answer = tasks.carry_out(context, staging.path, job, unit)
    if template.of_lxc:
        return _of_lxc(answer["config"], root)
    return tuple(line for line in answer["said"].splitlines() if line.strip())


def _of_lxc(config: str, root: str) -> tuple[str, ...]:
    """What of the config of LXC that a template has written a definition has to say."""
    found = []
    for line in config.splitlines():
        key, _, value = line.partition("=")
        if key.strip() in _LXC_KEYS:
            found.append(f"{_LXC_KEYS[key.strip()]}={value.strip()}")
    if not any(line.startswith("Exec=") for line in found):
        found.append(starts(root))
    return tuple(found)


def starts(root: str) -> str:
    """How what is in the directory *root* is started: systemd as a system, another init as a program."""
    try:
        init = os.readlink(f"{root}/sbin/init")
    except OSError:
        init = ""
    return "Boot=yes" if "systemd" in init else "Exec=/sbin/init"


def users(context: Context, root: str, apart: Sequence[str]) -> list[str]:
    """The containers, but for *apart*, whose definitions have the directory *root*, or what is in it."""
    found = []
    for name in list_names(context.search):
        try:
            container = load(name, context.search, context.host).container
        except NsunitError:
            continue  # it cannot start
        used = (*container.layers, *((container.rootfs,) if container.rootfs else ()))
        if name not in apart and any(f"{path}/".startswith(f"{root}/") for path in used):
            found.append(name)
    return found
