"""The bounding set of capabilities, before a kernel that is made up."""

import errno
import os

import pytest

from nsunit.setup import linux
from nsunit.setup.oci import process

LAST = 40


@pytest.fixture
def kernel(monkeypatch):
    """What is in the set, and whether the caller may take something out."""

    class Kernel:
        there = set(range(LAST + 1))
        is_allowed = True

        def prctl(self, option, capability):
            if option == linux.PR_CAPBSET_DROP and not self.is_allowed:
                raise OSError(errno.EPERM, os.strerror(errno.EPERM))  # it looks at this first
            if capability > LAST:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            if option == linux.PR_CAPBSET_READ:
                return int(capability in self.there)
            self.there.discard(capability)
            return 0

    made = Kernel()
    made.there = set(made.there)
    monkeypatch.setattr(linux, "prctl", made.prctl)
    return made


@pytest.mark.parametrize("kept", [set(), {5, 10, 29}, set(range(64))])
def test_what_is_not_kept_goes(kernel, kept):
    linux.drop_bounding_set(sum(1 << number for number in kept))
    assert kernel.there == kept & set(range(LAST + 1))


def test_who_may_drop_none_is_content_where_there_is_nothing_to_drop(kernel):
    kernel.is_allowed = False
    kernel.there = {5}
    linux.drop_bounding_set(1 << 5)
    with pytest.raises(PermissionError):
        linux.drop_bounding_set(1 << 6)
    assert kernel.there == {5}


def test_all_that_the_kernel_has_are_known(kernel, monkeypatch):
    for last in (0, 39, 40, 63):
        monkeypatch.setattr(f"{__name__}.LAST", last)
        assert process._known_capabilities() == (1 << last + 1) - 1
