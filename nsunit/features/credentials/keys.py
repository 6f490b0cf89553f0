"""`Secret=` of [Container], and what does not go with credentials."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.systemd.values_credentials import credential_name
from nsunit.definition.values import octal_mode
from nsunit.definition.values_container import group, is_variable_name, target_path, user
from nsunit.definition.words import wrong
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

DIRECTORY = "/run/secrets"  # where images look for their secrets
_LOADED = ("LoadCredential", "LoadCredentialEncrypted", "SetCredential", "SetCredentialEncrypted")
_HINT = "use NAME[:env=VARIABLE|target=PATH][:mode=MODE][:uid=USER][:gid=GROUP]"


class Secret(Record):
    """One `Secret=`: the credential *name* as the *variable*, or as the file *target* with an owner and a mode.

    *user* and *group* are names or numbers of the container's, empty for those of its program.
    """

    name: str
    variable: str = ""
    target: str = ""
    mode: int = 0o400
    user: str = ""
    group: str = ""


class Credentials(Record):
    """What a definition says: its secrets, and the credentials *loaded* by name, by a key that is systemd's.

    *encrypted*: one of them has to be decrypted.  *literal*: the names of those whose values stand in the definition.
    """

    secrets: tuple[Secret, ...] = ()
    loaded: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()  # with `*` at the end of some
    encrypted: bool = False
    literal: tuple[str, ...] = ()

    @property
    def unloaded(self) -> tuple[str, ...]:
        """The credentials that nothing but `Secret=` asks for, so that it loads them as well."""
        names = dict.fromkeys(secret.name for secret in self.secrets)
        return tuple(name for name in names if name not in self.loaded and not self._imports(name))

    def _imports(self, name: str) -> bool:
        return any(
            name.startswith(glob[:-1]) if glob.endswith("*") else name == glob for glob in self.imported if glob != "*"
        )


def secret(text: str) -> Secret:
    """`NAME[:env=VARIABLE|target=PATH][:mode=MODE][:uid=USER][:gid=GROUP]`; podman's commas serve as well."""
    name, *options = text.replace(",", ":").split(":")
    said: dict[str, str] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if key not in ("env", "target", "mode", "uid", "gid") or not equals or not value or key in said:
            raise wrong(option, "is not an option of a secret", _HINT)
        said[key] = value
    credential_name(name)
    if "env" in said:
        if len(said) > 1:
            raise wrong(text, "is a variable, which has no path and no owner", "leave out env=, or all others")
        if not is_variable_name(said["env"]):
            raise wrong(said["env"], "is not the name of a variable", _HINT)
        return Secret(name, said["env"])
    mode = octal_mode(said.get("mode", "0400"))
    if mode & 0o7133:
        raise wrong(said["mode"], "is not the mode of a secret", "a secret can only be read: use 0400, 0440 or 0444")
    path = said.get("target", name)
    target = target_path(path if path.startswith("/") else f"{DIRECTORY}/{path}")
    return Secret(
        name, "", target, mode, user(said["uid"]) if "uid" in said else "", group(said["gid"]) if "gid" in said else ""
    )


TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Secret": own(
            *(secret, True, "NAME[:env=VARIABLE|target=PATH][:mode=MODE][:uid=USER][:gid=GROUP]"),
            "A credential as a variable or a file, /run/secrets/NAME unless given: see CREDENTIALS.",
            "token:env=API_TOKEN",
        ),
    }
}


def of(container: Container) -> Credentials:
    """What *container* was told of them."""
    found: Credentials = container.extra("credentials", Credentials())
    return found


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note it all."""
    names: dict[str, list[str]] = {}
    for key, value in values:
        if key in _LOADED:
            names.setdefault(key, []).extend(name for name, _ in value)
        elif key == "ImportCredential":
            # Of one under another name the value is the property itself.
            names.setdefault(key, []).extend(value if isinstance(value[0], str) else [value[0].value[0][1]])
    fields["extras"]["credentials"] = Credentials(
        tuple(value for key, value in values if key == "Secret"),
        tuple(name for key, found in names.items() if key != "ImportCredential" for name in found),
        tuple(names.get("ImportCredential", ())),
        bool(names.keys() & {"LoadCredentialEncrypted", "SetCredentialEncrypted"}),
        tuple(names.get("SetCredential", ())),
    )


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """What does not go with them."""
    found: list[Contradiction] = []
    secrets = of(container).secrets
    chosen = dict(container.namespaces).get("mnt")
    if chosen is not None:
        message = f"nothing is mounted with MountNamespace={chosen}, so its program would not see it"
        hint = "leave it out, or use MountNamespace=private"
        keys = ("Secret", *(f"Service.{key}" for key in (*_LOADED, "ImportCredential")))
        found += [(key, message, hint) for key in keys]
    said = {name for name, _ in container.environment}
    for item in secrets:
        if item.variable in said:
            message = f"Environment= has the variable '{item.variable}' as well"
            found.append(("Secret", message, "leave out one of the two"))
    places = [item.target for item in secrets if item.target]
    for place in dict.fromkeys(places):
        if places.count(place) > 1:
            found.append(("Secret", f"'{place}' is two secrets at once", "give each a place of its own"))
    return found
