"""`hooks` of config.json, and the state of the container that each is given."""

from __future__ import annotations

from nsunit.jsontext import dumps
from nsunit.oci.spec.fields import Json, objects, optional, strings, take, wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.setup.oci.hooks import Hook

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def parse(config: Json) -> dict[str, tuple[Hook, ...]]:
    """The hooks by kind, those that there are.

    Raises:
        SpecError: one cannot be executed.
    """
    found: dict[str, tuple[Hook, ...]] = {}
    hooks: Json = take(config, "hooks", dict)
    for kind in KINDS:
        entries = objects(hooks, kind, "hooks.")
        if entries:
            found[kind] = tuple(_hook(entry, f"hooks.{kind}[{number}].") for number, entry in enumerate(entries))
    return found


def state(config: Json, bundle: str, identity: str, status: str, pid: int) -> str:
    """The state of a container, whose process has the number *pid*, as JSON."""
    return f'{{"pid": {pid}, ' + state_but_pid(config, bundle, identity, status)


def state_but_pid(config: Json, bundle: str, identity: str, status: str) -> str:
    """The same without its beginning, for hooks that see another number."""
    found = {"ociVersion": take(config, "ociVersion", str), "id": identity, "status": status, "bundle": bundle}
    return dumps(found | {"annotations": take(config, "annotations", dict)})[1:]


def _hook(entry: Json, where: str) -> Hook:
    path: str = take(entry, "path", str, where)
    if not path.startswith("/") or "\0" in path:
        raise wrong(f"{where}path", f"'{path}' is not absolute")
    seconds = optional(entry, "timeout", int, where)
    if seconds is not None and seconds <= 0:
        raise wrong(f"{where}timeout", f"{seconds} is not greater than zero")
    return path, tuple(strings(entry, "args", where)), tuple(strings(entry, "env", where)), seconds or 0
