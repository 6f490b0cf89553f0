"""Images from registries: skopeo(1) fetches them, in a unit of its own that can write to nothing but where they go."""

from __future__ import annotations

import json
import os

from nsunit.core.programs import directory_with
from nsunit.errors import NsunitError, UsageError
from nsunit.features.images import writing
from nsunit.features.images.bring import Imported, Source, bring_in
from nsunit.features.images.config import platform_of
from nsunit.features.images.deeds import is_there
from nsunit.features.images.fetch import tasks
from nsunit.features.images.fetch.shortnames import full_names, read_registries
from nsunit.features.images.fetch.watch import Watch
from nsunit.features.images.fetch.work import LAYOUT
from nsunit.features.images.layout import file_of, is_reference
from nsunit.features.images.store import Store
from nsunit.features.images.unit import pull_unit
from nsunit.names import printable
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.definition.model import Definition
    from nsunit.features.images.keys import Chosen

# What the caller's environment says of the way to registries; it is in no property of the unit, which all can read.
_PASSED_ON = (
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("REGISTRY_AUTH_FILE", "CONTAINERS_REGISTRIES_CONF", "DOCKER_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
_ATTEMPTS = 3  # at an image whose layers in the store go while the others are fetched


def pull(context: Context, text: str, platform: str = "", called: Sequence[str] = ()) -> Imported:
    """Fetch the image *text* from its registry, for *platform* or this machine, but for the layers that are here.

    It is known by that name then, or as *called*.

    Credentials, registries and the policy on signatures are the caller's: containers-auth.json(5),
    containers-registries.conf(5), containers-policy.json(5).

    Raises:
        NsunitError: skopeo is not installed or cannot have it; nothing of it is left.
    """
    text = text.removeprefix("docker://")
    if not is_reference(text):
        raise UsageError(f"'{printable(text)}' is not the name of an image", hint="e.g. docker.io/library/nginx:1.27")
    skopeo = directory_with(("skopeo",))
    if not skopeo:
        hint = "install the package 'skopeo', or bring it in another way: 'nsunit image import'"
        raise NsunitError(f"'{text}' would be fetched by skopeo, which is not installed", hint=hint)
    chosen = platform_of(os.uname().machine, platform)
    names = full_names(text, read_registries(os.environ, _home(context), user=bool(context.user)))
    for name in names[:-1]:
        try:
            return _pull(context, name, chosen, f"{skopeo}/skopeo", called)
        except NsunitError as error:
            context.warn(error.message)
    return _pull(context, names[-1], chosen, f"{skopeo}/skopeo", called)


def _home(context: Context) -> str:
    return os.path.expanduser("~") if context.user else "/root"


def _pull(context: Context, name: str, platform: tuple[str, ...], skopeo: str, called: Sequence[str] = ()) -> Imported:
    store = Store(context.paths, context.remove_tree)
    writing.sweep(store)
    for left in reversed(range(_ATTEMPTS)):
        with writing.Staging(store) as staging:
            identity, known = _known(store, name) if not called else ("", "")
            job = {
                "task": "fetch",
                "skopeo": skopeo,
                "name": name,
                "repository": _repository(name),
                "platform": platform,
                "known": known,
                "layers": store.layers,
                "staging": staging.path,
                "environment": environment_of(context, staging.path),
                "ids": [],
            }
            unit = pull_unit(staging.token, tasks.command(staging.path), staging.path, user=context.user)
            try:
                found = tasks.carry_out(context, staging.path, job, unit, Watch(context, name, staging.path))
            finally:
                if context.progress is not None:
                    context.progress(name, 0, 0)
            if found["unchanged"]:
                image = store.image(identity)
                if image is not None:
                    return Imported(identity, (name,), len(image.layers), 0)
                continue  # it was taken away meanwhile
            source = Source("oci", f"{staging.path}/{LAYOUT}", origin=f"docker://{name}")
            try:
                return bring_in(context, source, called or (name,), "/".join(platform))
            except NsunitError:
                if not left or all(os.path.isdir(f"{store.layers}/{chain}") for chain in found["skipped"]):
                    raise
    raise NsunitError(f"'{name}' is taken away again and again while it is fetched", hint="try again")


def _repository(name: str) -> str:
    rest = name.partition("@")[0]
    head, _, tail = rest.rpartition("/")
    return f"{head}/{tail.partition(':')[0]}"


def _known(store: Store, name: str) -> tuple[str, str]:
    """The id of the image that is here as *name*, and the digest of its manifest; nothing if there is none."""
    try:
        identity = os.path.basename(os.readlink(f"{store.names}/{file_of(name)}"))
    except FileNotFoundError:
        return "", ""
    about = json.loads(files.read_file(f"{store.about}/{identity}") or b"{}")
    return (identity, str(about.get("digest") or "")) if store.image(identity) else ("", "")


def environment_of(context: Context, place: str) -> dict[str, str]:
    """What skopeo is to have in its environment, beside that of its unit; it keeps in *place* what is under way."""
    given = {name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)}
    # What skopeo keeps in between is as large as the image.
    return {"HOME": _home(context), "TMPDIR": place, **given}


def pull_for(context: Context, definition: Definition, chosen: Chosen) -> None:
    """Fetch the image of a container that is about to start, as its Pull= says.

    Raises:
        NsunitError: it cannot be had, and has to be.
    """
    try:
        name = Store(context.paths).named(chosen.reference)  # what it is here may not be what it would be by itself
        if not name.startswith("localhost/"):
            pull(context, name or chosen.reference)
    except NsunitError as error:
        if chosen.pull == "always" or not is_there(context, definition, chosen):
            raise NsunitError(f"{definition.name}: [Container] Image=: {error.message}", hint=error.hint) from None
        context.warn(f"warning: {definition.name}: it starts with the image that is here: {error.message}")
