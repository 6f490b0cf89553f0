"""fork(2) right into a cgroup, as far as there needs to be none: what comes of it is in tests/vm/test_oci_cgroup.py."""

import errno
import os
import signal

import pytest

from nsunit.setup import linux


def test_what_the_kernel_refuses_is_told_and_the_caller_can_fork():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    fd = os.open("/proc/self", os.O_PATH)
    with pytest.raises(OSError, match="clone3: ") as caught:
        linux.fork_into(fd)
    os.close(fd)
    assert caught.value.errno in (errno.EBADF, errno.ENOSYS)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    child = os.fork()
    if not child:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
