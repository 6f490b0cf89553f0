"""Rules about devices: what they come to, as properties, and as a program, which is run here step by step."""

import errno
import os
import struct

import pytest

from nsunit.oci.spec.check.shapes import FieldError
from nsunit.oci.spec.limits.devices import needs_program, program_of, properties_of, rules_of
from nsunit.units import Property

NONE = {"allow": False, "access": "rwm"}
R, W, M = 2, 4, 1


def allow(kind, major=None, minor=None, access="rwm"):
    return {"allow": True, "type": kind, "major": major, "minor": minor, "access": access}


def deny(kind, major=None, minor=None, access="rwm"):
    return {**allow(kind, major, minor, access), "allow": False}


def run(program, kind, major, minor, access):
    """What the program answers: a machine with the instructions that are used."""
    context = struct.pack("=III", access << 16 | kind, major, minor)
    code = [struct.unpack_from("=BBhi", program, place) for place in range(0, len(program), 8)]
    registers, place = [0] * 11, 0
    while True:
        operation, both, offset, value = code[place]
        target, source = both & 15, both >> 4
        place += 1
        if operation == 0x61:
            registers[target] = struct.unpack_from("=I", context, offset)[0]
        elif operation == 0xB7:
            registers[target] = value
        elif operation == 0xBF:
            registers[target] = registers[source]
        elif operation == 0x57:
            registers[target] &= value
        elif operation == 0x77:
            registers[target] >>= value
        elif operation == 0x15:
            place += offset if registers[target] == value else 0
        elif operation == 0x55:
            place += offset if registers[target] != value else 0
        else:
            assert operation == 0x95
            return registers[0]


BLOCK, CHAR = 1, 2
# Rules; then (type, major, minor, access) that are allowed, and that are not.
CASES = {
    "podman's": (
        [NONE],
        [(CHAR, 1, 3, R | W), (CHAR, 136, 7, R | W), (CHAR, 99, 9, M), (BLOCK, 8, 0, M), (CHAR, 5, 2, R)],
        [(BLOCK, 8, 0, R), (CHAR, 10, 200, R | W), (CHAR, 1, 1, R), (CHAR, 1, 1, R | M), (CHAR, 5, 1, R)],
    ),
    "docker's, with a device": (
        [NONE, allow("c", 10, 229, "rw"), allow("b", 8, None, "r")],
        [(CHAR, 10, 229, R | W), (BLOCK, 8, 5, R), (BLOCK, 8, 5, M)],
        [(CHAR, 10, 229, R | M), (BLOCK, 8, 5, W), (BLOCK, 8, 5, R | W), (BLOCK, 9, 5, R)],
    ),
    "taken back": (
        [NONE, allow("c", 10, 229), deny("c", 10, 229, "w")],
        [(CHAR, 10, 229, R)],
        [(CHAR, 10, 229, W), (CHAR, 10, 229, R | W)],
    ),
    "all of a type": ([NONE, allow("b")], [(BLOCK, 8, 0, R | W)], [(CHAR, 10, 229, R)]),
    "all but": (
        [{"allow": True}, deny("c", 1, 3, "w"), deny("b", 8)],
        [(CHAR, 1, 3, R), (CHAR, 1, 5, W), (BLOCK, 9, 0, R)],
        [(CHAR, 1, 3, W), (CHAR, 1, 3, R | W), (BLOCK, 8, 3, R), (BLOCK, 8, 3, M)],
    ),
    "all after all": (
        [NONE, allow("c", 1, 1), {"allow": True, "access": "rwm"}],
        [(CHAR, 1, 1, R), (BLOCK, 8, 0, W)],
        [],
    ),
    "reading only": ([NONE, {"allow": True, "type": "a", "access": "r"}], [(BLOCK, 8, 0, R)], [(BLOCK, 8, 0, W)]),
}


@pytest.mark.parametrize("name", CASES)
def test_program_answers_as_the_rules_say(name):
    said, allowed, denied = CASES[name]
    program = program_of(rules_of(said))
    assert [run(program, *asked) for asked in allowed] == [1] * len(allowed)
    assert [run(program, *asked) for asked in denied] == [0] * len(denied)


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_takes_the_program(name):
    """As far as this host lets its root load one; that it takes effect is shown on a real system."""
    from nsunit.oci import devices as effects

    try:
        os.close(effects._load(program_of(rules_of(CASES[name][0]))))
    except OSError as error:
        assert error.errno in (errno.EPERM, errno.ENOSYS), error  # EINVAL and EACCES are the verifier's


def test_a_scope_has_them_by_systemd():
    found = properties_of(rules_of([NONE, allow("c", 10, 229, "rw"), allow("b", 8, None, "r")]))
    assert found[0] == Property("DevicePolicy", "s", "strict")
    assert found[1].signature == "a(ss)"
    assert set(found[1].value) >= {
        ("char-*", "m"),
        ("block-*", "m"),
        ("/dev/char/1:3", "rwm"),
        ("char-136", "rwm"),
        ("/dev/char/10:229", "rw"),
        ("block-8", "r"),
    }
    assert not needs_program(rules_of([NONE]))


def test_exceptions_from_all_are_no_propertys():
    rules = rules_of([deny("c", 1, 3)])
    assert properties_of(rules)[0] == Property("DevicePolicy", "s", "auto")
    assert needs_program(rules)
    assert not needs_program(None)
    assert rules_of([]) is None
    assert properties_of(None) == (Property("DevicePolicy", "s", "auto"), Property("DeviceAllow", "a(ss)", ()))


WRONG = [
    ([allow("c", 1, -2)], "linux.resources.devices[0].minor: -2 is no number of a device"),
    ([NONE, allow("c", None, 3)], "linux.resources.devices[1].major: it is missing, and minor alone is no device"),
    ([allow("c", 1, 3, "rx")], "linux.resources.devices[0].access: 'rx' has other letters than r, w and m"),
    (
        [allow("a", 1, 3)],
        "linux.resources.devices[0].type: it is missing: a number is of a device of type 'b' or 'c'",
    ),
    (
        [NONE, allow("c", 1), deny("c", 1, 3)],
        "linux.resources.devices[2]: it takes back a part of what a rule before it says of more devices",
    ),
]


@pytest.mark.parametrize(("said", "text"), WRONG)
def test_what_cannot_be_had_is_named(said, text):
    with pytest.raises(FieldError) as refused:
        rules_of(said)
    assert str(refused.value) == text
