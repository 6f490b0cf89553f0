"""The tests run on this tree, whatever is installed, and share the modules beside this file."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from nsunit.definition.search import SearchPath  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "install: installs the package; needs the Python package index")
    gc.disable()  # what is collected stays, ten thousand tests and the trees of all modules among it


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture
def search(tmp_path: Path) -> SearchPath:
    (tmp_path / "etc").mkdir()
    return SearchPath((str(tmp_path / "etc"),), str(tmp_path / "units"))


@pytest.fixture
def define(search: SearchPath) -> Callable[[str, str], None]:
    """Write the definition of that name."""

    def write(name: str, text: str) -> None:
        Path(search.directories[0], f"{name}.nsunit").write_text(text)

    return write
