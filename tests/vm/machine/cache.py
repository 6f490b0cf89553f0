"""Where trees and images are kept. An entry is built under a lock and renamed into place when it is complete."""

import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import owned

REPOSITORY = Path(__file__).resolve().parents[3]


def directory() -> Path:
    """Return the cache directory, made if missing; `$XDG_CACHE_HOME` moves it."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache") / "nsunit-tests"
    path.mkdir(parents=True, exist_ok=True)
    return path


def key_of(*parts: str) -> str:
    """Return the content address of an entry that is made from these parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; whoever waits is told so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for {path.name}: it is being made")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def entry(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """Return the directory of an entry; if it is missing, call `build` with a directory that then becomes it."""
    path = directory() / f"{name}-{key}"
    if not path.exists():
        with locked(directory() / f".{name}.lock"):
            if not path.exists():
                for left in directory().glob(f".{name}-*"):
                    shutil.rmtree(left, ignore_errors=True)
                # No other run's name: what a killed one has started may still write there.
                partial = directory() / f".{name}-{key}.{owned.RUN}"
                partial.mkdir()
                build(partial)
                partial.rename(path)
                drop_older(name, path)
    return path


def drop_older(name: str, keep: Path, spare: int = 1) -> None:
    """Remove entries of this name that nothing refers to any more, but for the newest `spare` beside the one in use."""
    others = [path for path in directory().glob(f"{name}-{'?' * 16}") if path != keep]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[spare:]:
        shutil.rmtree(path, ignore_errors=True)


START = time.monotonic()


def say(text: str) -> None:
    """Print one line of progress with the time since the start."""
    elapsed = int(time.monotonic() - START)
    line = f"[{elapsed // 60:3}:{elapsed % 60:02}] {text}\n"  # in one write: many suites talk at once
    print(line, end="", file=sys.stderr, flush=True)
