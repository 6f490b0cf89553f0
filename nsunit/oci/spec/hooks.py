"""`hooks` of config.json, and the state of the container that each is given."""

from __future__ import annotations

from nsunit.jsontext import dumps
from nsunit.oci.spec.fields import Json, take, wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.setup.oci.hooks import Hook

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_INSIDE = ("createContainer", "startContainer")


def parse(config: Json) -> dict[str, tuple[Hook, ...]]:
    """The hooks by kind, those that there are.

    Raises:
        SpecError: one cannot be executed.
    """
    found: dict[str, tuple[Hook, ...]] = {}
    hooks: Json = take(config, "hooks", dict)
    for kind in KINDS:
        entries = take(hooks, kind, list)
        if entries:
            found[kind] = tuple(_hook(entry, kind, number) for number, entry in enumerate(entries))
    return found


def state(config: Json, bundle: str, identity: str, status: str, pid: int) -> str:
    """The state of a container, whose process has the number *pid*, as JSON."""
    return f'{{"pid": {pid}, ' + state_but_pid(config, bundle, identity, status)


def state_but_pid(config: Json, bundle: str, identity: str, status: str) -> str:
    """The same without its beginning, for hooks that see another number."""
    found = {"ociVersion": take(config, "ociVersion", str), "id": identity, "status": status, "bundle": bundle}
    return dumps(found | {"annotations": take(config, "annotations", dict)})[1:]


def _hook(entry: Json, kind: str, number: int) -> Hook:
    """A hook; without an environment one outside of the container has the caller's, as with runc and crun."""
    where = f"hooks.{kind}[{number}]."
    path: str = take(entry, "path", str)
    if not path.startswith("/"):
        raise wrong(f"{where}path", f"'{path}' is not absolute")
    seconds = entry.get("timeout")
    if seconds is not None and seconds <= 0:
        raise wrong(f"{where}timeout", f"{seconds} is not greater than zero")
    inherits = entry.get("env") is None and kind not in _INSIDE
    environment = None if inherits else tuple(take(entry, "env", list))
    return path, tuple(take(entry, "args", list)), environment, seconds or 0
