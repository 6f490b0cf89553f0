"""Configs and secrets of compose: files, texts and variables that become files in the container."""

from __future__ import annotations

from nsunit.imports.model import NotCarried
from nsunit.imports.text import literal, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.imports.compose.project import Project
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
    name = said["source"]
    known: dict[str, Any] | None = (project.data.get(kind) or {}).get(name)
    if known is None:
        raise NotCarried(f"'{name}' is not among the {kind}", f"define it there, at the top: {kind}:")
    credential = f"{project.name}.{name}"
    where = said.get("target") or name
    where = where if where.startswith("/") else _DIRECTORIES[kind] + where
    options = [credential, f"target={where}", f"mode={_mode(said.get('mode', '0444'))}"]
    options += [f"{key}={said[key]}" for key in ("uid", "gid") if key in said]
    if known.get("external"):
        options[0] = str(known.get("name") or name)
        target.remark(f"nothing of '{options[0]}' is imported", f"put it into /etc/credstore/{options[0]}")
    elif known.get("file"):
        target.plain("LoadCredential", f"{credential}:{project.absolute(str(known['file']))}", "Service")
    else:
        _literal(service, kind, credential, known)
    target.say("Secret", literal(":".join(options)))


def _mode(text: str) -> str:
    """An octal mode, which YAML 1.2 writes 0o440, too; what is written to is read only."""
    digits = text.removeprefix("0o").rjust(4, "0")
    number = int(digits, 8) & 0o0644 if set(digits) <= set("01234567") else 0o444
    return f"{number & 0o444:04o}"


def _literal(service: Service, kind: str, credential: str, known: dict[str, Any]) -> None:
    content = known.get("content")
    if known.get("environment"):
        content = service.project.environ.get(str(known["environment"]))
        if content is None:
            raise NotCarried(f"the variable '{known['environment']}' is not set", "set it, or use file:")
    if content is None:
        raise NotCarried("it says neither file:, content: nor environment:", "add one of them")
    text = word(str(content), specifiers=True)
    service.target.say("SetCredential", f"{credential}:{_escaped(str(content)) if text else ''}", "Service")
    if kind == "secrets":
        service.target.remark(
            "its value stands in the definition, and all users can see it in properties of the unit",
            "use file:, or systemd-creds encrypt and LoadCredentialEncrypted=",
        )


def _escaped(text: str) -> str:
    """*text* with C escapes, as SetCredential= reads them; its percent signs are literal."""
    found = text.replace("\\", "\\\\")
    for char, escape in (("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        found = found.replace(char, escape)
    return found if not found[:1].isspace() else f"\\x20{found[1:]}"


def all_of(project: Project) -> list[tuple[str, str]]:
    """The kinds and names of all of them."""
    return [(kind, name) for kind in _DIRECTORIES for name in project.data.get(kind) or {}]
