"""Where the tests write definitions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nsunit.definition.search import SearchPath


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
