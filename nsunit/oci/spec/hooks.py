"""`hooks` of config.json, and the state of the container that each is given."""

from __future__ import annotations

from nsunit.jsontext import dumps
from nsunit.oci.spec.fields import Json, take, wrong

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
        entries = take(hooks, kind, list)
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
    path: str = take(entry, "path", str)
    if not path.startswith("/"):
        raise wrong(f"{where}path", f"'{path}' is not absolute")
    seconds = entry.get("timeout")
    if seconds is not None and seconds <= 0:
        raise wrong(f"{where}timeout", f"{seconds} is not greater than zero")
    return path, tuple(take(entry, "args", list)), tuple(take(entry, "env", list)), seconds or 0
