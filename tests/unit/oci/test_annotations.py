"""Annotations: GVariant text, properties of the scope, and what crun's ask for."""

import pytest

from nsunit.oci.spec.annotations import Wishes, parse_variant, wishes_of
from nsunit.oci.spec.check.shapes import FieldError
from nsunit.units import Property

READ = [
    ("15", ("i", 15)),
    ("-1", ("i", -1)),
    ("0x10", ("i", 16)),
    ("uint64 10000000", ("t", 10000000)),
    ("@t 5", ("t", 5)),
    ("byte 0xff", ("y", 255)),
    ("int16 -5", ("n", -5)),
    ("1.5", ("d", 1.5)),
    ("1e3", ("d", 1000.0)),
    ("double 2", ("d", 2.0)),
    ("true", ("b", True)),
    ("boolean false", ("b", False)),
    ("'inactive-or-failed'", ("s", "inactive-or-failed")),
    ('"it\'s"', ("s", "it's")),
    (r"'a\'b\n\u00e9\\'", ("s", "a'b\né\\")),
    ("objectpath '/a/b'", ("o", "/a/b")),
    ("['a.service', 'b.service']", ("as", ("a.service", "b.service"))),
    ("[uint32 1, 2]", ("au", (1, 2))),
    ("@as []", ("as", ())),
    ("@at [1, 2]", ("at", (1, 2))),
    ("('x', 1, true)", ("(sib)", ("x", 1, True))),
    ("(1,)", ("(i)", (1,))),
    ("@(ss) ('a', 'b')", ("(ss)", ("a", "b"))),
    ("[('/dev/null', 'rw')]", ("a(ss)", (("/dev/null", "rw"),))),
    ("@a(st) [('/dev/sda', 5)]", ("a(st)", (("/dev/sda", 5),))),
    ("  7 ", ("i", 7)),
]


@pytest.mark.parametrize(("text", "value"), READ)
def test_text_has_a_type(text, value):
    assert parse_variant(text) == value


UNREADABLE = [
    ("", "there is no value"),
    ("5 6", "there is '6' after the value"),
    ("inactive", "'inactive' is nothing known"),
    ("uint64 -1", f"-1 is not between 0 and {(1 << 64) - 1}"),
    ("byte 256", "256 is not between 0 and 255"),
    ("2147483648", f"2147483648 is not between {-(1 << 31)} and {(1 << 31) - 1}"),
    ("uint64 'x'", "it is none of type 't'"),
    ("boolean 1", "'1' is nothing known of type 'b'"),
    ("'open", "the string has no end"),
    (r"'\uZZZZ'", r"'\uZZZZ' is no character"),
    ("'a\0b'", "it contains a NUL byte"),
    ("[]", "an empty array has no type; write @as []"),
    ("[1, 'x']", "it is none of type 'i'"),
    ("[1 2]", "expected ',' before '2]'"),
    ("[1", "expected ',' at the end"),
    ("@q", "there is no value"),
    ("@(s 1", "'@(s' is no type"),
    ("@as 5", "'5' is nothing known of type 'as'"),
    ("@s [1]", "an array where 's' is expected"),
    ("@s (1,)", "a tuple where 's' is expected"),
    ("@(ss) ('a',)", "there are fewer values than '(ss)' has"),
    ("@(s) ('a', 'b')", "there are more values than '(s)' has"),
    ("()", "a tuple of nothing"),
    ("@z 1", "'@z 1' is no type"),
    ("{'a': 1}", "unexpected '{'a': 1}'"),
    ("uint64 byte 1", "'y' where 't' is expected"),
    ("[" * 5000, "it is nested deeper than a value of D-Bus may be"),
    ("byte " * 5000, "it is nested deeper than a value of D-Bus may be"),
    (f"@{'a' * 5000}s []", f"'@{'a' * 5000}s' is no type"),
    ("'\ud800'", "it contains half of a character"),
]


@pytest.mark.parametrize(("text", "message"), UNREADABLE)
def test_text_without_one_is_refused(text, message):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the message is looked at
        parse_variant(text)
    assert str(refused.value) == message


def test_properties_are_those_that_engines_write():
    """As podman writes them, and as crun and runc have seconds."""
    found = wishes_of(
        {
            "io.container.manager": "libpod",
            "org.systemd.property.KillSignal": "15",
            "org.systemd.property.TimeoutStopUSec": "uint64 10000000",
            "org.systemd.property.TimeoutStopSec": "1.5",
            "org.systemd.property.After": "['a.service']",
        }
    )
    assert found.properties == (
        Property("KillSignal", "i", 15),
        Property("TimeoutStopUSec", "t", 10000000),
        Property("TimeoutStopUSec", "t", 1500000),
        Property("After", "as", ("a.service",)),
    )


def test_wishes_of_crun():
    found = wishes_of(
        {
            "run.oci.keep_original_groups": "1",
            "run.oci.seccomp_fail_unknown_syscall": "0",
            "run.oci.handler": "",
            "run.oci.systemd.force_cgroup_v1": "/sys/fs/cgroup",
        }
    )
    assert found == Wishes((), True, False)


REFUSED = [
    ({"": "x"}, "annotations['']: its name is empty"),
    (
        {"org.systemd.property.X": "1"},
        "annotations['org.systemd.property.X']: 'X' is no name of a property of systemd's",
    ),
    (
        {"org.systemd.property.killSignal": "1"},
        "annotations['org.systemd.property.killSignal']: 'killSignal' is no name of a property of systemd's",
    ),
    (
        {"org.systemd.property.PIDs": "[uint32 1]"},
        "annotations['org.systemd.property.PIDs']: 'PIDs' is the runtime's to say",
    ),
    (
        {"org.systemd.property.Slice": "'x.slice'"},
        "annotations['org.systemd.property.Slice']: 'Slice' is the runtime's to say",
    ),
    (
        {"org.systemd.property.CollectMode": "inactive"},
        "annotations['org.systemd.property.CollectMode']: 'inactive': 'inactive' is nothing known",
    ),
    (
        {"org.systemd.property.TimeoutStopSec": "'5'"},
        "annotations['org.systemd.property.TimeoutStopSec']: ''5'' is no number of seconds",
    ),
    (
        {"org.systemd.property.TimeoutStopSec": "-5"},
        "annotations['org.systemd.property.TimeoutStopSec']: '-5' is less than no time",
    ),
    *(
        (
            {"org.systemd.property.TimeoutStopSec": said},
            f"annotations['org.systemd.property.TimeoutStopSec']: '{said}' {why}",
        )
        for said, why in (
            ("double inf", "is no number of seconds"),
            ("double nan", "is no number of seconds"),
            ("uint64 18446744073709551615", "is no number of seconds"),
            ("double -inf", "is less than no time"),
        )
    ),
    (
        {"org.systemd.property.Description": r"'\ud800'"},
        r"annotations['org.systemd.property.Description']: ''\ud800'': '\ud800' is no character",
    ),
    ({"run.oci.seccomp.receiver": "/x"}, "annotations['run.oci.seccomp.receiver']: there is no 'seccomp.receiver'"),
    ({"run.oci.handler": "wasm"}, "annotations['run.oci.handler']: there is no 'handler'"),
    ({"run.oci.timens_offset": "5"}, "annotations['run.oci.timens_offset']: there is no 'timens_offset'"),
]


@pytest.mark.parametrize(("said", "text"), REFUSED)
def test_what_cannot_be_had_is_named(said, text):
    with pytest.raises(FieldError) as refused:
        wishes_of(said)
    assert str(refused.value) == text
