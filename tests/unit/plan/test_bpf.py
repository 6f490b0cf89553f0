"""The assembler, against the meaning of rules, in an interpreter of the instructions it uses."""

import errno
import random
import struct

import pytest

from nsunit.plan import bpf
from nsunit.plan.bpf import assemble
from nsunit.plan.syscalls import Condition, Rule

KILL, ALLOW = "kill", 0
X86_64, I386, AARCH64 = 0xC000003E, 0x40000003, 0xC00000B7


def run(program: bytes, number: int, arguments: tuple[int, ...] = (), architecture: int = X86_64) -> int | str:
    """Run *program* as the kernel does; return the errno, 0 for yes, or "kill"."""
    arguments = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments)
    instructions = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    accumulator, at = 0, 0
    while True:
        code, true, false, k = instructions[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, k)
            case 0x54:
                accumulator &= k
            case 0x05:
                at += k
            case 0x15:
                at += true if accumulator == k else false
            case 0x35:
                at += true if accumulator >= k else false
            case 0x06:
                return {0x7FFF: ALLOW, 0x8000: KILL, 0x0005: k & 0xFFFF}[k >> 16]
            case _:
                raise AssertionError(f"instruction {code:#x}")


def decide(rules: list[Rule], number: int, arguments: tuple[int, ...]) -> int:
    for rule in rules:
        if str(number) in rule.syscalls and all((arguments[c.argument] & c.mask) == c.value for c in rule.conditions):
            return rule.errno
    return errno.ENOSYS


def test_first_rule_that_holds_decides():
    program = assemble(
        [
            Rule(("a",), errno.EPERM, (Condition(1, 0xFFFF_FFFF, 5),)),
            Rule(("a",), errno.EINVAL, (Condition(0, 0xFF, 1), Condition(1, 0xFFFF_FFFF_FFFF_FFFF, 1 << 40))),
            Rule(("a", "b")),
            Rule(("a",), errno.EIO),
        ],
        {"a": 7, "b": 8},
        "x86_64",
    )
    assert run(program, 7, (0, 5)) == errno.EPERM
    assert run(program, 7, (0, 5 | 1 << 32)) == errno.EPERM
    assert run(program, 7, (0xF01, 1 << 40)) == errno.EINVAL
    assert run(program, 7, (0xF01, 1)) == ALLOW
    assert run(program, 8) == ALLOW
    assert run(program, 6) == run(program, 9) == run(program, 5000) == errno.ENOSYS


def test_conditions_without_a_last_word_end_in_enosys():
    program = assemble([Rule(("a",), 0, (Condition(0, 0xFFFF_FFFF, 1),))], {"a": 0}, "x86_64")
    assert run(program, 0, (1,)) == ALLOW
    assert run(program, 0, (2,)) == errno.ENOSYS


def test_other_architectures_are_killed():
    program = assemble([Rule(("a",))], {"a": 1}, "x86_64")
    assert run(program, 1, architecture=I386) == KILL
    assert run(program, 1 | bpf.X32_SYSCALL_BIT) == KILL
    assert run(program, 0xFFFF_FFFF) == KILL
    program = assemble([Rule(("a",))], {"a": 1}, "aarch64")
    assert run(program, 1, architecture=X86_64) == KILL
    assert run(program, 1, architecture=AARCH64) == ALLOW
    assert run(program, 1 | bpf.X32_SYSCALL_BIT, architecture=AARCH64) == errno.ENOSYS


def test_unknown_name_gets_no_rule():
    assert run(assemble([Rule(("newer",))], {}, "x86_64"), 0) == errno.ENOSYS


def test_random_rules_mean_what_they_say():
    """Long programs too, where a jump no longer fits into a byte."""
    chance = random.Random(1)
    for size in (1, 2, 3, 10, 300):
        rules = [
            Rule(
                (str(chance.randrange(size)), str(chance.randrange(size))),
                chance.choice((0, 0, errno.EPERM)),
                tuple(
                    Condition(argument, mask, chance.randrange(4) << chance.choice((0, 32)) & mask)
                    for argument, mask in zip(
                        chance.sample(range(6), chance.randrange(3)), (3, 0xFFFF_FFFF_FFFF_FFFF), strict=False
                    )
                ),
            )
            for _ in range(2 * size)
        ]
        program = assemble(rules, {str(number): number for number in range(size)}, "x86_64")
        for number in range(size + 2):
            for _ in range(5):
                arguments = tuple(chance.randrange(4) << chance.choice((0, 32)) for _ in range(6))
                assert run(program, number, arguments) == decide(rules, number, arguments)


def test_too_long_a_program_is_refused():
    rules = [Rule((str(n),), 0, tuple(Condition(a, 0xFFFF_FFFF_FFFF_FFFF, n) for a in range(6))) for n in range(400)]
    with pytest.raises(ValueError, match="the kernel takes 4096"):
        assemble(rules, {str(n): n for n in range(400)}, "x86_64")
