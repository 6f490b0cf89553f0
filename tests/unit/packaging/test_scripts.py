"""What dpkg executes around the files, where that takes no system: with stand-ins that note how they were called."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "packaging/debian"


@pytest.mark.parametrize(
    "words", ["configure", "configure 0.1.0", "abort-upgrade 0.2.0", "abort-remove", "abort-deconfigure"]
)
def test_byte_code_is_there_again_whatever_prerm_has_cleared_it_for(tmp_path, words):
    """An upgrade for which there is no room fails after the old package's prerm, and the old package goes on."""
    for name in ("py3compile", "python3", "systemctl", "systemd-tmpfiles"):
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/log\n')
        path.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh", SCRIPTS / "postinst", *words.split()], env=environment, check=True)
    assert (tmp_path / "log").read_text().splitlines()[:2] == [
        "py3compile -p nsunit",
        "python3 -SI /usr/lib/python3/dist-packages/nsunit/run.py packs",
    ]
