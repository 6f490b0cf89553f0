"""An image from its registry into an OCI layout, but for the layers that are in the store.

skopeo(1) takes a blob that a layout has already for granted, by its name and size.  So each layer of the store gets a
file without content there, which nobody reads: what is to be unpacked from the layout is looked up in the store first.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess

from nsunit.errors import NsunitError
from nsunit.features.images.unpack import sources
from nsunit.features.images.unpack.sources import hex_of, member, parse
from nsunit.features.images.unpack.work import chain_of
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from nsunit.features.images.unpack.stream import Blob

_LOG_MAX = 300  # characters of skopeo's last line
PLAN = "plan"  # what is to be fetched, for those who watch
LAYOUT = "image"
COPY = "copy"  # where skopeo keeps what it has of a layer that is under way
UNDER_WAY = "oci-put-blob"


class Registry(sources.Directory):
    """An OCI layout in *place* that gets its documents from a registry, when they are first opened.

    *name* and *repository* are what skopeo is told: the image, and what digests are of.
    """

    def __init__(self, place: str, skopeo: str, name: str, repository: str, environment: dict[str, str]) -> None:
        self.blobs = f"{place}/blobs/sha256"
        os.makedirs(self.blobs)
        super().__init__(place)
        self.skopeo, self.name, self.repository = skopeo, name, repository
        self.environment = environment

    def open(self, name: str) -> Blob:
        """The file *name*; a manifest that is missing is fetched.

        Raises:
            NsunitError: it cannot be had.
        """
        digits = name.rpartition("/")[2]
        if not os.path.exists(f"{self.blobs}/{digits}"):
            self.keep(self.inspect(f"{self.repository}@sha256:{digits}"))
        return super().open(name)

    def document(self, digest: object, what: str) -> Any:
        """The manifest or config *digest*, of which *what* tells."""
        return parse(self.open(f"blobs/sha256/{hex_of(digest, what)}").content(sources.DOCUMENT_MAX), what)

    def keep(self, content: bytes) -> dict[str, Any]:
        """Put a manifest or a config into the layout; returns its descriptor, with what a registry's header says."""
        digits = hashlib.sha256(content).hexdigest()
        with open(f"{self.blobs}/{digits}", "wb") as file:
            file.write(content)
        return {"digest": f"sha256:{digits}", "size": len(content)}

    def inspect(self, source: str, *options: str) -> bytes:
        """The manifest of *source*, or by an option its config, as it is."""
        return self.call("inspect", "--raw", *options, source)

    def call(self, *words: str) -> bytes:
        """What `skopeo WORDS` prints; see `call` below."""
        return call(self.skopeo, f"'{printable(self.name)}' cannot be fetched", self.environment, *words)


_HINT = "see skopeo(1); credentials are those of 'skopeo login', of the same user"


def fetch(job: dict[str, Any]) -> dict[str, Any]:
    """Fetch the image that *job* names into the layout `image` in job["staging"].

    Returns the digest of its manifest, and what of it is skipped: chain ids of layers of job["layers"].  Where that
    digest is job["known"] nothing more is fetched.

    Raises:
        NsunitError: it cannot be had.
    """
    staging = job["staging"]
    registry = Registry(
        f"{staging}/{LAYOUT}", job["skopeo"], job["name"], f"docker://{job['repository']}", job["environment"]
    )
    top = _described(registry, registry.inspect(f"docker://{job['name']}"))
    _, _, asked = job["name"].partition("@")
    if asked and asked != top["digest"]:
        raise NsunitError(f"'{job['name']}' cannot be fetched: its registry has something else by that digest")
    chosen = sources.for_platform(registry, top, job["platform"])
    digest = str(chosen["digest"])
    if digest == job["known"]:
        return {"digest": digest, "skipped": [], "unchanged": True}
    manifest = registry.document(digest, "manifest")
    config = registry.keep(registry.inspect(f"{registry.repository}@{digest}", "--config"))
    if config["digest"] != member(member(manifest, "config", dict, "manifest"), "digest", str, "manifest"):
        raise NsunitError(f"'{job['name']}' cannot be fetched: its config does not have its digest")
    skipped = _leave_out(registry, job["layers"], sources.layers_of(manifest), config["digest"], staging)
    with open(f"{staging}/{LAYOUT}/index.json", "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [chosen]}, file)
    with open(f"{staging}/{LAYOUT}/oci-layout", "w") as file:
        file.write('{"imageLayoutVersion": "1.0.0"}')
    # By the name that was asked for, since the policy on signatures is about that.
    registry.call(
        *_overrides(chosen.get("platform"), job["platform"]),
        *("copy", "--quiet", "--dest-shared-blob-dir", f"{staging}/{LAYOUT}/blobs"),
        *(f"docker://{job['name']}", f"oci:{staging}/{COPY}:image"),
    )
    _see_that_all_is_there(registry, manifest, job["name"])
    return {"digest": digest, "skipped": skipped, "unchanged": False}


def copy(job: dict[str, Any]) -> dict[str, Any]:
    """Copy the image job["source"], as skopeo calls it, into the directory `image` in job["staging"].

    Raises:
        NsunitError: it cannot be had.
    """
    call(
        job["skopeo"],
        f"'{printable(job['source'])}' cannot be fetched",
        job["environment"],
        "copy",
        "--quiet",
        job["source"],
        f"dir:{job['staging']}/{LAYOUT}",
    )
    return {}


def call(skopeo: str, failure: str, environment: dict[str, str], *words: str) -> bytes:
    """What `skopeo WORDS` prints; *failure* is what to say where it fails.

    Raises:
        NsunitError: it has failed, with the reason that it gives.
    """
    done = subprocess.run(
        [skopeo, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
    )
    if done.returncode:
        reason = reason_of(done.stderr) or f"skopeo has ended with {done.returncode}"
        raise NsunitError(f"{failure}: {reason}", hint=_HINT)
    if len(done.stdout) > sources.DOCUMENT_MAX:
        raise NsunitError(f"{failure}: its manifest or config is longer than one may be")
    return done.stdout


def _described(registry: Registry, content: bytes) -> dict[str, Any]:
    """The descriptor of a manifest; without the header of the registry what is not said is known by what it has."""
    document = parse(content, "manifest")
    kept = registry.keep(content)
    if member(document, "mediaType", str, "manifest"):
        return kept
    kind = "index" if "manifests" in document else "manifest"
    return {**kept, "mediaType": f"application/vnd.oci.image.{kind}.v1+json"}


def _overrides(given: Any, platform: Sequence[str]) -> list[str]:
    """Options by which skopeo chooses the same of an index."""
    known = given if isinstance(given, dict) else {}
    wanted = dict(zip(("os", "architecture", "variant"), platform, strict=False))
    chosen = {key: str(known.get(key) or value) for key, value in wanted.items()}
    if known.get("variant"):
        chosen["variant"] = str(known["variant"])
    names = {"os": "os", "architecture": "arch", "variant": "variant"}
    return [f"--override-{names[key]}={value}" for key, value in chosen.items()]


def _leave_out(registry: Registry, store: str, layers: list[Any], config: str, staging: str) -> list[str]:
    """Have files without content for the *layers* that the *store* has; returns their chain ids."""
    rootfs = member(registry.document(config, "config"), "rootfs", dict, "config")
    diffs = member(rootfs, "diff_ids", list, "config")
    needed: dict[str, int] = {}
    there: dict[str, int] = {}
    skipped: list[str] = []
    chain = ""
    for item, diff in zip(layers, diffs, strict=False):  # that there are as many is seen when they are unpacked
        chain = chain_of(chain, hex_of(diff, "config: rootfs.diff_ids"))
        digits, size = hex_of(item.get("digest"), "manifest"), member(item, "size", int, "manifest")
        if size < 0:
            raise NsunitError("manifest: 'size' is not what it should be")
        if os.path.isdir(f"{store}/{chain}"):
            there[digits] = size
            skipped.append(chain)
        else:
            needed[digits] = size
    for digits, size in there.items():
        if digits not in needed:  # the same may be further up as well
            with open(f"{registry.blobs}/{digits}", "xb") as file:
                file.truncate(size)
    with open(f"{staging}/.{PLAN}", "w") as file:
        json.dump({"layers": len(layers), "there": len(skipped), "needed": needed}, file)
    os.rename(f"{staging}/.{PLAN}", f"{staging}/{PLAN}")
    return skipped


def _see_that_all_is_there(registry: Registry, manifest: Any, name: str) -> None:
    for item in sources.layers_of(manifest):
        if not os.path.exists(f"{registry.blobs}/{hex_of(item.get('digest'), 'manifest')}"):
            raise NsunitError(f"'{name}' was given another image while it was fetched", hint="try again")


def reason_of(log: bytes) -> str:
    """What skopeo's last line says, without what is around it: `time="…" level=fatal msg="…"`."""
    said = [line for line in log.decode("utf-8", "replace").splitlines() if line.strip()]
    reason = said[-1] if said else ""
    if 'msg="' in reason:
        reason = reason.partition('msg="')[2].removesuffix('"').replace('\\"', '"')
    return printable(reason[:_LOG_MAX])
