"""From seccomp rules to the classic BPF program the kernel runs for every system call.

libseccomp is not used for this: its rules for one call have no order (two conditions with different answers on one
argument are an error or quietly merged, depending on the version), and "all families but these" cannot be said.
Written out by hand the program is a binary search over ranges of call numbers, about a fifth of the size.

The layout of `struct seccomp_data`, the return values and the limit are those of seccomp(2) and
linux/seccomp.h; instruction codes are those of linux/bpf_common.h.
"""

from __future__ import annotations

import errno
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nsunit.plan.syscalls import Condition, Rule

    Instruction = tuple[int, int, int, int]  # struct sock_filter: code, jump if true, jump if false, k
    Decision = tuple[tuple[tuple[Condition, ...], int], ...]  # (conditions, errno), the first that holds decides

MAX_INSTRUCTIONS = 4096

# AUDIT_ARCH_*, by uname(2) machine name.  All are little-endian and pass clone's flags first; what is not here is not
# supported, since conditions would look at the wrong argument or half.
AUDIT_ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7, "riscv64": 0xC000_00F3}
# x32 calls come with the x86-64 architecture and this bit in the number.
X32_SYSCALL_BIT = 0x4000_0000

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_JUMP, _JUMP_EQUAL, _JUMP_GREATER_OR_EQUAL = 0x05, 0x15, 0x35
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE, _OFFSET_ARGUMENTS = 0, 4, 16
_RETURN_ALLOW, _RETURN_ERRNO, _RETURN_KILL_PROCESS = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
_BYTE_MAX = 255


def assemble(rules: Sequence[Rule], numbers: Mapping[str, int], architecture: str) -> bytes:
    """Return the program for *rules* as an array of `struct sock_filter`.

    *numbers* maps system call names to numbers on *architecture*; names it lacks are left out.

    Raises:
        KeyError: *architecture* is none of `AUDIT_ARCHITECTURES`.
        ValueError: the program exceeds what the kernel takes.
    """
    ranges = _ranges(_decisions(rules, numbers))
    if architecture == "x86_64":
        ranges.append((X32_SYSCALL_BIT, None))
    program = [
        (_LOAD, 0, 0, _OFFSET_ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, AUDIT_ARCHITECTURES[architecture]),
        (_RETURN, 0, 0, _RETURN_KILL_PROCESS),
        (_LOAD, 0, 0, _OFFSET_NUMBER),
        *_search(ranges),
    ]
    if len(program) > MAX_INSTRUCTIONS:
        raise ValueError(f"{len(program)} instructions, the kernel takes {MAX_INSTRUCTIONS}")
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _decisions(rules: Sequence[Rule], numbers: Mapping[str, int]) -> dict[int, Decision]:
    decisions: dict[int, Decision] = {}
    for rule in rules:
        for name in rule.syscalls:
            number = numbers.get(name)
            if number is None:
                continue
            earlier = decisions.get(number, ())
            if not earlier or earlier[-1][0]:  # nothing comes after a rule without conditions
                decisions[number] = (*earlier, (rule.conditions, rule.errno))
    return decisions


def _ranges(decisions: Mapping[int, Decision]) -> list[tuple[int, Decision | None]]:
    """Return (first number, decision) pairs, in order; each goes up to the next one's first number."""
    absent: Decision = (((), errno.ENOSYS),)
    ranges: list[tuple[int, Decision | None]] = []
    for number in range(max(decisions, default=-1) + 2):
        decision = decisions.get(number, absent)
        if not ranges or ranges[-1][1] != decision:
            ranges.append((number, decision))
    return ranges


def _search(ranges: Sequence[tuple[int, Decision | None]]) -> list[Instruction]:
    """Return instructions that find the range of the number in the accumulator, and decide."""
    if len(ranges) == 1:
        return _decide(ranges[0][1])
    middle = len(ranges) // 2
    below, above = _search(ranges[:middle]), _search(ranges[middle:])
    first = ranges[middle][0]
    if len(below) <= _BYTE_MAX:
        return [(_JUMP_GREATER_OR_EQUAL, len(below), 0, first), *below, *above]
    return [(_JUMP_GREATER_OR_EQUAL, 0, 1, first), (_JUMP, 0, 0, len(below)), *below, *above]


def _decide(decision: Decision | None) -> list[Instruction]:
    """Return instructions that go through *decision*; None kills the process."""
    if decision is None:
        return [(_RETURN, 0, 0, _RETURN_KILL_PROCESS)]
    program: list[Instruction] = []
    for conditions, number in decision:
        answer = _RETURN_ERRNO | number if number else _RETURN_ALLOW
        program += [*_check(conditions), (_RETURN, 0, 0, answer)]
    if decision[-1][0]:
        program.append((_RETURN, 0, 0, _RETURN_ERRNO | errno.ENOSYS))
    return program


def _check(conditions: Sequence[Condition]) -> list[Instruction]:
    """Return instructions that fall through if *conditions* hold, and else skip one instruction after the last."""
    halves: list[list[Instruction]] = []
    for condition in conditions:
        for half in (0, 1):
            mask, value = (number >> 32 * half & 0xFFFF_FFFF for number in (condition.mask, condition.value))
            if not mask:
                continue
            load = (_LOAD, 0, 0, _OFFSET_ARGUMENTS + 8 * condition.argument + 4 * half)
            cut = [] if mask == 0xFFFF_FFFF else [(_AND, 0, 0, mask)]
            halves.append([load, *cut, (_JUMP_EQUAL, 0, 0, value)])
    program: list[Instruction] = []
    for half_check in reversed(halves):  # from the end, so that the distance to skip is known
        code, _, _, value = half_check[-1]
        program = [*half_check[:-1], (code, 0, len(program) + 1, value), *program]
    return program
