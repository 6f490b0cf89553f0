"""Numbers at the edges of what systemd, and Python, take."""

import pytest

from nsunit.definition.host import find_user
from nsunit.definition.values import nsec, size, usec
from nsunit.definition.words import ValueProblem
from nsunit.units import INFINITY

NINES = "9" * 5000  # int() refuses more than 4300 digits, with an error of its own


@pytest.mark.parametrize("text", [NINES, f"1.{NINES}", f"1.{NINES}G"])
def test_a_size_of_thousands_of_digits_is_none(text):
    with pytest.raises(ValueProblem, match="is not a size$"):
        size(text)


@pytest.mark.parametrize("parse", [usec, nsec])
@pytest.mark.parametrize("text", [NINES, f"1.{NINES}s"])
def test_a_time_of_thousands_of_digits_is_none(parse, text):
    with pytest.raises(ValueProblem, match="is not a time span$"):
        parse(text)


@pytest.mark.parametrize("text", ["18446744073709551615", "99999999999999999999ns", "585years", "18446744073709552us"])
def test_nanoseconds_have_64_bits_on_the_bus(text):
    with pytest.raises(ValueProblem, match="is too long a time$"):
        nsec(text)


def test_the_longest_time_in_nanoseconds():
    assert nsec("18446744073709551614") == INFINITY - 1
    assert nsec("584years") == 584 * 31_557_600 * 10**9


def test_a_user_of_thousands_of_digits_is_nobody():
    assert find_user(NINES) is None
