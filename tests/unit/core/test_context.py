"""What is begun and does not succeed is taken back."""

import errno

import pytest

from nsunit.core.context import take_back
from nsunit.errors import BusError, DefinitionError, NsunitError, Problem


def failing(error):
    def step():
        raise error

    return step


def taken_back_for(error, *steps):
    """What is raised where *error* has come, and then *steps* are taken back."""
    with pytest.raises(type(error)) as caught:
        try:
            raise error
        except BaseException:
            take_back(steps)
            raise
    assert caught.value is error
    return error


def test_all_steps_the_last_one_first():
    done = []
    full = NsunitError("it is full")
    with pytest.raises(OSError) as caught:
        take_back([lambda: done.append(1), failing(full), lambda: done.append(3), failing(OSError(5, "no"))])
    assert done == [3, 1]
    assert str(caught.value) == "[Errno 5] no"  # of several the first


def test_what_has_failed_first_is_told_and_that_it_could_not_be_taken_back():
    """Else one would look for a fault where none is: of the bus, say, and not of the value that systemd has refused."""
    done = []
    lost = BusError("Lost", "the connection to systemd was lost", hint="run it again")
    error = taken_back_for(
        BusError("Refused", "web: no such value", hint="say another"), lambda: done.append(1), failing(lost)
    )
    assert done == [1]
    assert (
        error.message
        == str(error)
        == ("web: no such value; not all of it could be taken back: the connection to systemd was lost")
    )
    assert (error.name, error.hint) == ("Refused", "say another")

    full = OSError(errno.ENOSPC, "No space left on device", "/etc/x")
    error = taken_back_for(PermissionError(errno.EACCES, "Permission denied", "/etc/y"), failing(full))
    assert (error.errno, error.filename) == (errno.EACCES, "/etc/y")
    assert error.strerror == ("Permission denied; not all of it could be taken back: /etc/x: No space left on device")

    error = taken_back_for(DefinitionError([Problem("a.nsunit", 3, "bad", "good")]), failing(lost))
    assert [str(problem) for problem in error.problems] == [
        "a.nsunit:3: bad",
        "a.nsunit: not all of it could be taken back: the connection to systemd was lost",
    ]


def test_who_interrupts_is_told_what_could_not_be_taken_back():
    with pytest.raises(NsunitError, match="^it is full$"):
        taken_back_for(KeyboardInterrupt(), failing(NsunitError("it is full")))


def test_nothing_is_said_where_all_could_be_taken_back():
    assert taken_back_for(NsunitError("web: no"), lambda: None).message == "web: no"
