"""What the files in `corpus` become; all of it is loaded as nsunit loads it."""

import imports_corpus as corpus
import pytest

from nsunit import imports


@pytest.mark.parametrize("case", corpus.cases())
def test_case(case):
    """A text that differs is to be looked at: python3 tests/unit/imports_corpus.py, and git diff."""
    assert corpus.result(case) == corpus.parts(case)[1]


def test_there_are_cases_of_all_formats():
    assert {case.partition("/")[0] for case in corpus.cases()} == set(imports.names())
