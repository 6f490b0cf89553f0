"""The user's editor."""

from __future__ import annotations

import os
import shlex
import subprocess

from nsunit.errors import NsunitError
from nsunit.names import printable

_EDITORS = ("editor", "nano", "vim", "vi")
_HINT = "name one in $SYSTEMD_EDITOR, or give the text to 'nsunit edit --stdin'"


def run_editor(path: str) -> None:
    """Let the user edit *path* with $SYSTEMD_EDITOR, $VISUAL, $EDITOR, or the first editor that is there.

    Raises:
        NsunitError: there is none, or it failed.
    """
    chosen = next((os.environ[key] for key in ("SYSTEMD_EDITOR", "VISUAL", "EDITOR") if os.environ.get(key)), None)
    for command in [chosen] if chosen else _EDITORS:
        try:
            words = shlex.split(command)
        except ValueError as error:  # a quote that does not end
            raise NsunitError(f"the editor '{printable(command)}' cannot be read: {error}", hint=_HINT) from None
        try:
            status = subprocess.run([*words, path], check=False).returncode
        except FileNotFoundError:
            continue
        if status:
            raise NsunitError(f"'{printable(command)}' failed with status {status}", hint="nothing was changed")
        return
    what = f"the editor '{printable(chosen)}' is not there" if chosen else "there is no editor"
    raise NsunitError(what, hint=_HINT)
