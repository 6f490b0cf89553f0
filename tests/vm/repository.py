"""A repository of Debian packages on loopback: those that this system has installed, put together again."""

import functools
import hashlib
import http.server
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DPKG = Path("/var/lib/dpkg")
CONTROL = ("conffiles", "config", "postinst", "postrm", "preinst", "prerm", "shlibs", "templates", "triggers")
SUITE = "trixie"


@contextmanager
def repository(place: Path, *wanted: str) -> Iterator[str]:
    """Serve the packages *wanted*, with what they need and what is essential; gives its line for sources.list(5)."""
    packages = _installed()
    entries = [_pack(place, packages[name]) for name in sorted(_needed(packages, wanted))]
    index = place / "Packages"
    index.write_text("\n".join(entries))
    digest = hashlib.sha256(index.read_bytes()).hexdigest()
    (place / "Release").write_text(
        f"Suite: {SUITE}\nCodename: {SUITE}\nArchitectures: amd64\nDate: Sun, 01 Jun 2025 00:00:00 UTC\n"
        f"SHA256:\n {digest} {index.stat().st_size} Packages\n"
    )
    handler = functools.partial(_Quiet, directory=str(place))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"deb [trusted=yes] http://127.0.0.1:{server.server_port} ./"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Nothing."""


def _installed() -> dict[str, dict[str, str]]:
    """The fields of all packages, by their names."""
    found = {}
    for paragraph in (DPKG / "status").read_text().strip().split("\n\n"):
        fields: dict[str, str] = {}
        key = ""
        for line in paragraph.split("\n"):
            if line.startswith(" "):
                fields[key] += f"\n{line}"
            else:
                key, _, fields[key] = (part.strip() for part in line.partition(":"))
        found[fields["Package"]] = fields
    return found


def _needed(packages: dict[str, dict[str, str]], wanted: tuple[str, ...]) -> set[str]:
    providers: dict[str, str] = {name: name for name in packages}
    for name, fields in packages.items():
        for item in re.findall(r"(?:^|, )([a-z0-9+.-]+)", fields.get("Provides", "")):
            providers.setdefault(item, name)
    waiting = [*wanted, *(name for name, fields in packages.items() if fields.get("Essential") == "yes")]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        needs = ", ".join(packages[name][key] for key in ("Pre-Depends", "Depends") if key in packages[name])
        for group in filter(None, needs.split(", ")):
            names = re.findall(r"(?:^|\| )([a-z0-9+.-]+)", group)
            waiting.append(next(providers[item] for item in names if item in providers))
    return found


def _pack(place: Path, package: dict[str, str]) -> str:
    """Make `NAME.deb` in *place*, and return its paragraph of the index."""
    name = package["Package"]
    of_dpkg = DPKG / "info" / name
    if not of_dpkg.with_name(f"{name}.list").exists():
        of_dpkg = of_dpkg.with_name(f"{name}:{package['Architecture']}")
    left = ("Status", "Conffiles", "Config-Version")
    fields = "".join(f"{key}: {text}\n" for key, text in package.items() if key not in left)
    control = place / "control"
    control.mkdir()
    (control / "control").write_text(fields)
    for kind in CONTROL:
        source = of_dpkg.with_name(f"{of_dpkg.name}.{kind}")
        if source.exists():
            (control / kind).write_bytes(source.read_bytes())
            (control / kind).chmod(source.stat().st_mode & 0o777)
    # The tree was made without documentation: a package that has no file at all disappears for dpkg.
    own = place / "own/usr/share/doc" / name
    own.mkdir(parents=True)
    (own / "again").touch()
    listed = of_dpkg.with_name(f"{of_dpkg.name}.list").read_text().split("\n")
    paths = b"\0".join(os.fsencode(f".{path}") for path in listed if path not in ("", "/.") and os.path.lexists(path))
    _tar("--file=control.tar", "--directory=control", ".", cwd=place)
    data = f"--file={place}/data.tar"
    _tar(data, "--directory=/", "--no-recursion", "--null", "--files-from=-", cwd=place, input=b"./\0" + paths)
    subprocess.run(["tar", "--append", data, f"--directory={place}/own", "./usr"], check=True)
    (place / "debian-binary").write_text("2.0\n")
    deb = place / f"{name}.deb"
    with deb.open("wb") as file:
        file.write(b"!<arch>\n")
        for member in ("debian-binary", "control.tar", "data.tar"):
            content = (place / member).read_bytes()
            file.write(f"{member:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
            file.write(content + b"\n" * (len(content) % 2))
            (place / member).unlink()
    subprocess.run(["rm", "-r", place / "control", place / "own"], check=True)
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    return f"{fields}Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n"


def _tar(*words: str, **options: object) -> None:
    subprocess.run(["tar", "--create", *words], check=True, **options)  # type: ignore[call-overload]
