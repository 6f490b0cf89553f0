"""Command lines of 'docker run' and 'podman run', and containers of both as 'inspect' tells them."""

from __future__ import annotations

from nsunit.imports.model import Draft, Imported, NotCarried, Origin, Remark, Unusable
from nsunit.imports.podman import inspected
from nsunit.imports.podman.arguments import parse
from nsunit.imports.podman.table import MODULE, finish, option
from nsunit.imports.podman.target import Target
from nsunit.imports.quadlet.container import rootfs
from nsunit.imports.text import name_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.model import Given

TOOLS = ("podman", "docker", "nerdctl")
_OF_DOCKER = ("docker", "nerdctl")  # whose short names of images are those of docker.io
_EXAMPLE = "e.g. nsunit import run -- docker run -d --name web -p 80:80 nginx"


def convert(given: Given) -> Imported:
    """The definition of the container that the words of *given* start, or that its text is about.

    That text is the JSON of 'podman inspect' or 'docker inspect', and a second one that of the image.
    """
    if given.texts:
        path, text = given.texts[0]
        name, said = inspected.read(path, text, given.texts[1][1] if len(given.texts) > 1 else "[]")
        if said.command:
            return _of_words(list(said.command), given.replace(name=given.name or name), path)
        options = said.options
        if path.startswith("docker"):
            options = [(key, whole_name(value, given) if key == "image" else value) for key, value in options]
        return _of_options(options, said.words, given.replace(name=given.name or name), path)
    return _of_words(list(given.arguments), given, "")


def _of_words(words: list[str], given: Given, path: str) -> Imported:
    tool = "command line"
    rest = words[1:] if words[:1] == ["sudo"] else words
    if rest and rest[0].rpartition("/")[2] in TOOLS:
        tool = rest[0].rpartition("/")[2]
        rest = rest[1:]
    before, rest = parse(rest)  # options of the tool itself
    while rest[:1] in (["container"], ["run"], ["create"]):
        is_verb = rest[0] != "container"
        rest = rest[1:]
        if is_verb:
            break
    else:
        raise Unusable(Origin(path or tool, 0, "run"), "there is no 'run' in it", _EXAMPLE)
    options, rest = parse(rest)
    if not rest:
        raise Unusable(Origin(path or f"{tool} run", 0, "IMAGE"), "there is no image in it", _EXAMPLE)
    image = whole_name(rest[0], given) if tool in _OF_DOCKER and ("rootfs", "true") not in options else rest[0]
    found = _of_options([*options, ("image", image)], rest[1:], given, path or f"{tool} run")
    why = {"module": MODULE}
    of_tool = ("it is about the tool itself", "leave it out")
    lost = [Remark(Origin(path or tool, 0, f"--{name}"), *why.get(name, of_tool)) for name, _ in before]
    return found.replace(remarks=(*lost, *found.remarks))


def _of_options(options: list[tuple[str, str]], words: list[str], given: Given, path: str) -> Imported:
    said = dict(options)
    image = said.get("image", "")
    wanted = given.name or said.get("name", "") or _name_of(image)
    try:
        name = name_for(wanted)
    except NotCarried as lost:
        raise Unusable(Origin(path, 0, "--name"), lost.reason, "give it one: --name NAME") from None
    environ = dict(given.environ)
    base = environ.get("PWD", "/")
    target = Target(Draft(name, f"Imported from {path}"), user=given.user, base=base, read=given.read, environ=environ)
    is_rootfs = said.get("rootfs") == "true"
    last = {key: place for place, (key, _) in enumerate(options) if key in _ONCE}
    for place, (key, value) in enumerate(options):
        if last.get(key, place) != place:
            continue
        target.origin = Origin(path, 0, "IMAGE" if key == "image" else f"--{key}")
        if key == "image":
            if is_rootfs:
                rootfs(target, value)
            else:
                target.plain("Image", value)
        elif key != "name":
            option(target, key, value)
    if words:
        target.origin = Origin(path, 0, "COMMAND")
        target.hold("words", "")
    finish(target, words)
    remarks = target.remarks
    if name != wanted:
        remarks.append(Remark(Origin(path, 0, "--name"), f"its name here is '{name}'", "use that with nsunit"))
    return Imported((target.draft,), tuple(dict.fromkeys(remarks)))


# Options of which the last one counts.
_ONCE = frozenset(
    "cgroup-parent cgroupns cgroups cpu-period cpu-quota cpu-shares cpus cpuset-cpus cpuset-mems domainname entrypoint"
    " health-cmd health-interval health-on-failure health-retries health-start-interval health-start-period"
    " health-timeout hostname init ip ip6 ipc log-driver mac-address memory memory-reservation memory-swap"
    " oom-score-adj pid pids-limit pod privileged publish-all pull read-only read-only-tmpfs restart sdnotify shm-size"
    " stop-signal stop-timeout systemd timeout tz umask user userns uts workdir blkio-weight image-volume".split()
)


def whole_name(image: str, given: Given) -> str:
    """What docker means by the name of an *image*: one made here, or that of docker.io where no registry is named."""
    first, slash, _ = image.partition("/")
    if image.startswith("sha256:") or (slash and (set(first) & set(".:") or first == "localhost")):
        return image
    if given.is_local(image):
        return f"localhost/{image}"
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


def _name_of(image: str) -> str:
    """A name for a container of *image*: `nginx` of docker.io/library/nginx:1.27."""
    last = image.rstrip("/").rpartition("/")[2]
    return last.partition("@")[0].partition(":")[0]
