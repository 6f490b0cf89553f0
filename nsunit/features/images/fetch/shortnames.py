"""What a short name stands for, by containers-registries.conf(5); skopeo itself takes full names alone."""

from __future__ import annotations

import os
import tomllib

from nsunit.errors import NsunitError
from nsunit.features.images.layout import full_name, split
from nsunit.names import base_directory, printable
from nsunit.record import Record
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_SYSTEM = "/etc/containers/registries.conf"
_RECORDED = "containers/short-name-aliases.conf"  # what podman has asked its user for


class Registries(Record):
    """What the files say: aliases, where names without a host are looked for, and whether each of these is tried."""

    aliases: tuple[tuple[str, str], ...] = ()
    search: tuple[str, ...] = ()
    tries_all: bool = False


def full_names(text: str, registries: Registries) -> list[str]:
    """The full names that *text* may stand for, to be tried in this order.

    Raises:
        NsunitError: it stands for several, of which the files do not let one be chosen.
    """
    rest, at, digest = text.partition("@")
    host, path, tag = split(rest)
    if host:
        return [full_name(text)]
    end = f"@{digest}" if at else f":{tag}" if tag else ""
    alias = dict(registries.aliases).get(path)
    if alias:
        return [full_name(alias + end)]
    found = [full_name(f"{registry}/{path}{end}") for registry in registries.search] or [full_name(text)]
    if len(found) > 1 and not registries.tries_all:
        raise NsunitError(
            f"'{printable(text)}' may be {' or '.join(found)}",
            hint="say which, with its host; or give it an alias, see containers-registries.conf(5)",
        )
    return found


def registries_of(documents: Iterable[Mapping[str, Any]]) -> Registries:
    """What *documents* say together, a later one more than those before it."""
    aliases: dict[str, str] = {}
    search: list[str] = []
    mode = "permissive"
    for document in documents:
        given = document.get("aliases")
        aliases |= {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
        listed = document.get("unqualified-search-registries")
        search = [str(item) for item in listed] if isinstance(listed, list) else search
        mode = str(document.get("short-name-mode", mode))
    return Registries(tuple(aliases.items()), tuple(search), mode != "enforcing")


def read_registries(environment: Mapping[str, str], home: str, *, user: bool) -> Registries:
    """What holds for who has *environment* and the directory *home*: root, or a *user*.

    Raises:
        NsunitError: one of the files is damaged.
    """
    config = base_directory(environment, "XDG_CONFIG_HOME", f"{home}/.config")
    own = f"{config}/containers/registries.conf"
    main = environment.get("CONTAINERS_REGISTRIES_CONF") or (own if os.path.exists(own) else _SYSTEM)
    paths = [main]
    for directory in (f"{_SYSTEM}.d", f"{own}.d"):
        names = sorted(name for name in files.list_directory(directory) if name.endswith(".conf"))
        paths += [f"{directory}/{name}" for name in names]
    cache = base_directory(environment, "XDG_CACHE_HOME", f"{home}/.cache")
    recorded = f"{cache}/{_RECORDED}" if user else f"/var/cache/{_RECORDED}"
    return registries_of(_read(path) for path in (*paths, recorded))


def _read(path: str) -> dict[str, Any]:
    content = files.read_file(path)
    try:
        return tomllib.loads((content or b"").decode())
    except ValueError as error:
        raise NsunitError(f"{path}: {error}", hint="see containers-registries.conf(5)") from None
