import pytest

from nsunit.bus import marshal
from nsunit.units import Property

A, R, V, S = ord("a"), ord("r"), ord("v"), ord("s")
END = (-1, None)


@pytest.mark.parametrize(
    ("signature", "types"),
    [
        ("", []),
        ("s", ["s"]),
        ("sb", ["s", "b"]),
        ("asas", ["as", "as"]),
        ("sa(sv)a(sa(sv))", ["s", "a(sv)", "a(sa(sv))"]),
        ("(bas)", ["(bas)"]),
        ("a(iayu)(aiai)", ["a(iayu)", "(aiai)"]),
    ],
)
def test_split_signature(signature, types):
    assert marshal.split_signature(signature) == types


@pytest.mark.parametrize("signature", ["a", "(s", "()x)", "z", "a{sv}", "s)"])
def test_split_signature_refuses(signature):
    with pytest.raises(ValueError, match="is not a signature"):
        marshal.split_signature(signature)


@pytest.mark.parametrize(
    ("signature", "value", "flat"),
    [
        ("b", True, [(ord("b"), True)]),
        ("u", 2**32 - 1, [(ord("u"), 2**32 - 1)]),
        ("t", 2**64 - 1, [(ord("t"), 2**64 - 1)]),
        ("s", "ä", [(S, "ä".encode())]),
        ("as", ("a", "b"), [(A, b"s"), (S, b"a"), (S, b"b"), END]),
        ("as", (), [(A, b"s"), END]),
        ("ay", b"\x01\xff", [(A, b"y"), (ord("y"), 1), (ord("y"), 255), END]),
        ("(ss)", ("a", "b"), [(R, b"ss"), (S, b"a"), (S, b"b"), END]),
        ("a(st)", (("/dev/sda", 7),), [(A, b"(st)"), (R, b"st"), (S, b"/dev/sda"), (ord("t"), 7), END, END]),
        (
            "a(iayu)",
            ((2, b"\x0a", 8),),
            [
                *[(A, b"(iayu)"), (R, b"iayu"), (ord("i"), 2)],
                *[(A, b"y"), (ord("y"), 10), END, (ord("u"), 8), END, END],
            ],
        ),
        (
            "(bas)",
            (True, ("a",)),
            [(R, b"bas"), (ord("b"), True), (A, b"s"), (S, b"a"), END, END],
        ),
        (
            "a(sasb)",
            (("/bin/x", ("x", "-y"), False),),
            [
                *[(A, b"(sasb)"), (R, b"sasb"), (S, b"/bin/x"), (A, b"s"), (S, b"x"), (S, b"-y"), END],
                *[(ord("b"), False), END, END],
            ],
        ),
        ("v", ("as", ("x",)), [(V, b"as"), (A, b"s"), (S, b"x"), END, END]),
        ("d", 1, [(ord("d"), 1.0)]),
    ],
)
def test_encode(signature, value, flat):
    assert marshal.encode(signature, value) == flat


@pytest.mark.parametrize(
    ("signature", "value", "message"),
    [
        ("b", 1, "1 does not fit the D-Bus type 'b'"),
        ("u", -1, "-1 does not fit the D-Bus type 'u'"),
        ("u", True, "True does not fit"),
        ("t", 2**64, "does not fit the D-Bus type 't'"),
        ("s", 5, "5 is not a string"),
        ("s", "a\0b", "has a NUL byte in it"),
        ("s", "\udc80", "is not UTF-8"),
        ("as", "abc", "'abc' does not fit the D-Bus type 'as'"),
        ("(ss)", ("a",), "does not fit the D-Bus type '\\(ss\\)'"),
    ],
)
def test_encode_refuses(signature, value, message):
    with pytest.raises(ValueError, match=message):
        marshal.encode(signature, value)


def test_encode_properties():
    assert marshal.encode_properties((Property("Slice", "s", "x.slice"),)) == [
        *[(A, b"(sv)"), (R, b"sv"), (S, b"Slice"), (V, b"s"), (S, b"x.slice"), END, END, END]
    ]


def test_encode_properties_names_the_property():
    with pytest.raises(ValueError, match="^property 'CPUWeight': 'x' does not fit the D-Bus type 't'$"):
        marshal.encode_properties((Property("CPUWeight", "t", "x"),))


def test_decode():
    body = [b"a", (1, b"b"), {b"k": [b"v", (b"w",)]}, True]
    assert marshal.decode(body) == ["a", (1, "b"), {"k": ["v", ("w",)]}, True]


@pytest.mark.parametrize(
    ("unit", "label"),
    [
        ("postfix.service", "postfix_2eservice"),
        ("nsunit-my\\x2dapp.slice", "nsunit_2dmy_5cx2dapp_2eslice"),
        ("1a.service", "_31a_2eservice"),
        ("nsunit-web@blue.service", "nsunit_2dweb_40blue_2eservice"),
        ("ü.service", "_c3_bc_2eservice"),
        ("", "_"),
    ],
)
def test_unit_path(unit, label):
    assert marshal.unit_path(unit) == "/org/freedesktop/systemd1/unit/" + label
