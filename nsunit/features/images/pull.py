"""Images from registries: skopeo(1) fetches them, in a unit of its own that can write to nothing but where they go."""

from __future__ import annotations

import os

from nsunit.core.programs import directory_with
from nsunit.errors import NsunitError, UsageError
from nsunit.features.images import writing
from nsunit.features.images.bring import Imported, Source, bring_in, carried_out, refuse_users
from nsunit.features.images.config import platform_of
from nsunit.features.images.layout import full_name, is_reference
from nsunit.features.images.store import Store
from nsunit.features.images.unit import PULL_SECONDS, pull_unit
from nsunit.names import printable
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context

_LOG_MAX = 300  # characters of skopeo's last line


def pull(context: Context, text: str, platform: str = "") -> Imported:
    """Fetch the image *text* from its registry, for *platform* or this machine.

    Credentials, registries and the policy on signatures are root's: containers-auth.json(5),
    containers-registries.conf(5), containers-policy.json(5).

    Raises:
        NsunitError: skopeo is not installed or cannot have it; nothing of it is left.
    """
    refuse_users(context)
    if not is_reference(text):
        raise UsageError(f"'{printable(text)}' is not the name of an image", hint="e.g. docker.io/library/nginx:1.27")
    directory = directory_with(("skopeo",))
    if not directory:
        hint = "install the package 'skopeo', or bring it in another way: 'nsunit image import'"
        raise NsunitError("images are fetched by skopeo, which is not installed", hint=hint)
    chosen = platform_of(os.uname().machine, platform)
    name = full_name(text)
    store = Store(context.paths)
    writing.sweep(store)
    with writing.Staging(store) as staging:
        argv = [f"{directory}/skopeo", *_overrides(chosen), "copy", f"docker://{name}", f"dir:{staging.path}/image"]
        log = f"{staging.path}/log"
        files.write_file(log, b"")
        unit = pull_unit(staging.token, tuple(argv), staging.path, log)
        if not carried_out(context, unit, PULL_SECONDS):
            raise said_by(f"'{name}' cannot be fetched", files.read_file(log) or b"")
        source = Source("dir", f"{staging.path}/image", origin=f"docker://{name}")
        return bring_in(context, source, (name,), platform)


def _overrides(platform: tuple[str, ...]) -> list[str]:
    options = ("--override-os", "--override-arch", "--override-variant")
    return [f"{option}={value}" for option, value in zip(options, platform, strict=False)]


def said_by(what: str, log: bytes) -> NsunitError:
    """*what* went wrong, with the reason that skopeo has written to its *log*."""
    said = [line for line in log.decode("utf-8", "replace").splitlines() if line.strip()]
    reason = said[-1] if said else "its unit has failed"
    if 'msg="' in reason:  # time="…" level=fatal msg="…"
        reason = reason.partition('msg="')[2].removesuffix('"').replace('\\"', '"')
    hint = "see skopeo(1); root's credentials are those of 'skopeo login'"
    return NsunitError(f"{what}: {printable(reason[:_LOG_MAX])}", hint=hint)
