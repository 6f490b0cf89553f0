"""What nsunit-oci says where nobody can hear it."""

import os
import subprocess
import sys
from pathlib import Path

import nsunit

RUN = Path(nsunit.__file__).with_name("oci") / "run.py"


def version(redirection, **streams):
    """How `--version` ends, and what it has said on standard error."""
    words = ("sh", "-c", f'exec "$0" -SI "$1" --version {redirection}', sys.executable, RUN)
    done = subprocess.run(words, stderr=subprocess.PIPE, text=True, check=False, **streams)
    return done.returncode, done.stderr


def test_an_answer_that_cannot_be_written_is_an_error():
    assert version(">/dev/full") == (1, "standard output: No space left on device\n")


def test_a_reader_that_has_gone_is_none():
    reader, writer = os.pipe()
    os.close(reader)
    assert version("", stdout=writer) == (0, "")
    os.close(writer)


def test_an_error_that_nobody_hears_is_in_the_status():
    assert version("--nonsense 2>&-") == (1, "")
