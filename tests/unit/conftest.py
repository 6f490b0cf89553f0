"""The tests run on this tree, whatever is installed, and share the modules beside this file."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "install: installs the package; needs the Python package index")
