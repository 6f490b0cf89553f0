"""Where the credentials that only `Secret=` names are on the host, and who can have which."""

from __future__ import annotations

import os

from nsunit.errors import DefinitionError, NsunitError, Problem
from nsunit.features.credentials.keys import of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.plan.facts import Facts

# As systemd looks for them, systemd.exec(5); each with a directory for what is encrypted beside it.
_STORES = ("/etc/credstore", "/run/credstore", "/usr/local/lib/credstore", "/usr/lib/credstore")
_OF_MANAGER = "/run/credentials/@system"  # what the machine itself was given
_ENCRYPTED_FOR_USERS = 256  # the first systemd that asks the system's to decrypt for a user


def check(context: Context, definition: Definition) -> None:
    """See that the secrets are there, and that who asks can have them; warn of what is no secret.

    Raises:
        DefinitionError: some cannot be had.
    """
    said = of(definition.container)
    found = _found(context, definition)
    problems = [
        Problem(
            *(definition.name, 0, f"Secret=: there is no credential '{name}' in {_stores(context)[0]}[.encrypted]"),
            f"put it there, or say where it is: [Service] LoadCredential={name}:PATH",
        )
        for name in said.unloaded
        if name not in {name for _, name, _ in found}
    ]
    encrypted = said.encrypted or any(key == "LoadCredentialEncrypted" for key, _, _ in found)
    if context.user and encrypted and context.host.systemd_version < _ENCRYPTED_FOR_USERS:
        message = f"encrypted credentials of users need systemd {_ENCRYPTED_FOR_USERS}, {context.host.has}"
        problems.append(Problem(definition.name, 0, message, "use LoadCredential= with a file of your own"))
    if problems:
        raise DefinitionError(problems)
    for name in said.literal:
        context.warn(
            f"warning: {definition.name}: all users can read what SetCredential={name}: says;"
            " if it is secret, use SetCredentialEncrypted= or LoadCredential="
        )


def facts(context: Context, definition: Definition, facts: Facts) -> Facts:
    """*facts* with (key, name, path) of each credential that systemd has to be told to load."""
    return facts.with_extra("credentials", tuple(_found(context, definition)))


def foreground(_context: Context, definition: Definition) -> Definition:
    """Refuse to run it in the foreground: systemd loads credentials for services.

    Raises:
        NsunitError: always.
    """
    text = f"{definition.name}: systemd hands out credentials to services, and this would be none"
    raise NsunitError(text, hint="run it in the background with --detach")


def _found(context: Context, definition: Definition) -> list[tuple[str, str, str]]:
    return [found for name in of(definition.container).unloaded for found in _places(context, name)]


def _places(context: Context, name: str) -> Iterator[tuple[str, str, str]]:
    """Where credential *name* is, the first place that systemd would look at."""
    for directory in _stores(context):
        for key, suffix in (("LoadCredential", ""), ("LoadCredentialEncrypted", ".encrypted")):
            path = f"{directory}{suffix}/{name}"
            if os.path.lexists(path):
                yield key, name, path
                return


def _stores(context: Context) -> tuple[str, ...]:
    if context.user:
        return (f"{os.path.dirname(context.search.directories[0])}/credstore",)
    return (*_STORES, _OF_MANAGER)
