"""Configs and secrets of compose: files, texts and variables that become files in the container."""

from __future__ import annotations

from nsunit.imports.compose.values import mode, text_of
from nsunit.imports.model import NotCarried
from nsunit.imports.text import escaped, literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.imports.compose.service import Service

_DIRECTORIES = {"configs": "/", "secrets": "/run/secrets/"}


def add(service: Service, kind: str) -> None:
    """Give *service* what it names in *kind*, configs or secrets."""
    for place, item in enumerate(service.data.get(kind) or []):
        service.at(kind, str(place))
        said = item if isinstance(item, dict) else {"source": item}
        try:
            _one(service, kind, {key: str(value) for key, value in said.items()})
        except NotCarried as lost:
            service.target.remark(lost.reason, lost.instead)


def _one(service: Service, kind: str, said: dict[str, str]) -> None:
    project, target = service.project, service.target
    name = said.get("source", "")
    known: dict[str, Any] | None = (project.data.get(kind) or {}).get(name)
    if known is None:
        raise NotCarried(f"'{name}' is not among the {kind}", f"define it there, at the top: {kind}:")
    credential = f"{project.name}.{name}"
    where = said.get("target") or name
    where = where if where.startswith("/") else _DIRECTORIES[kind] + where
    options = [credential, f"target={where}", f"mode={mode(said.get('mode', '0444'), target) & 0o444:04o}"]
    options += [f"{key}={said[key]}" for key in ("uid", "gid") if key in said]
    if known.get("external"):
        options[0] = str(known.get("name") or name)
        target.remark(f"nothing of '{options[0]}' is imported", f"put it into /etc/credstore/{options[0]}")
    elif known.get("file"):
        target.plain("LoadCredential", f"{credential}:{project.absolute(str(known['file']))}", "Service")
    else:
        _literal(service, kind, credential, known)
    target.say("Secret", literal(":".join(options)))


def _literal(service: Service, kind: str, credential: str, known: dict[str, Any]) -> None:
    content = known.get("content")
    if known.get("environment"):
        content = service.project.environ.get(str(known["environment"]))
        if content is None:
            raise NotCarried(f"the variable '{known['environment']}' is not set", "set it, or use file:")
    if content is None:
        raise NotCarried("it says neither file:, content: nor environment:", "add one of them")
    service.target.say("SetCredential", f"{credential}:{_credential(text_of(content))}", "Service")
    if kind == "secrets":
        service.target.remark(
            "its value stands in the definition, and all users can see it in properties of the unit",
            "use file:, or systemd-creds encrypt and LoadCredentialEncrypted=",
        )


def _credential(text: str) -> str:
    """*text* as SetCredential= reads it, where percent signs are literal.

    Blanks at an end would be left out, and a backslash at the end joins lines.
    """
    found = escaped(text)
    if found.startswith(" "):
        found = "\\x20" + found[1:]
    if found.endswith(" "):
        found = found[:-1] + "\\x20"
    return found[:-2] + "\\x5c" if found.endswith("\\") else found
