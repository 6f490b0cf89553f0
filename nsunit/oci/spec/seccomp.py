"""A seccomp profile of runtime-spec: what of it is wrong, the flags of seccomp(2), and the program, from a cache.

Making the program takes libseccomp and ctypes; a container whose profile was seen before pays for neither.  Engines
give all their containers one profile, or one for each set of capabilities.
"""

from __future__ import annotations

from nsunit.core.seccomp import cached, identity, library_path
from nsunit.jsontext import dumps
from nsunit.oci.spec.check.schema import SECCOMP
from nsunit.oci.spec.check.shapes import FieldError, check
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WHERE = "linux.seccomp"
CACHE = "/run/nsunit/seccomp"
# linux/seccomp.h
FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1 << 0,
    "SECCOMP_FILTER_FLAG_LOG": 1 << 1,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 1 << 2,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 1 << 5,
}
NEW_LISTENER = 1 << 3
NOTIFY = "SCMP_ACT_NOTIFY"
_WITH_ERRNO = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
_ARGUMENTS = 6
# What the process that installs the filter still has to call to hand the listener on.
_NEEDED_TO_TELL = ("sendto", "write")


class Filter(Record):
    """An array of `struct sock_filter`, the flags of seccomp(2), and whether these ask for a listener."""

    program: bytes
    flags: int
    asks: bool


def compile_filter(seccomp: dict[str, Any], *, strict: bool = False, cache: str = CACHE) -> Filter | None:
    """The filter of `linux.seccomp`; None where it asks for none.

    *strict*: a name that this libseccomp does not know is an error, not left out.  *cache*: a directory for programs;
    who cannot have one there goes without.

    Raises:
        FieldError: it cannot be had.
        NsunitError: libseccomp is missing.
    """
    if not seccomp:
        return None
    check_profile(seccomp)
    return Filter(program_of(seccomp, cache, strict=strict), flags_of(seccomp), notifies(seccomp))


def notifies(profile: dict[str, Any]) -> bool:
    """Whether some calls are put to a listener."""
    return any(rule["action"] == NOTIFY for rule in profile.get("syscalls") or ())


def flags_of(profile: dict[str, Any]) -> int:
    """The flags for seccomp(2) of a checked *profile*.

    A profile that does not speak of flags gets SPEC_ALLOW, as with runc: the mitigation it turns off costs much and is
    of no use to what does not run code of others in its own process.  TSYNC is for processes with threads.
    """
    named = profile.get("flags")
    if named is None:
        named = ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]
    flags = NEW_LISTENER if notifies(profile) else 0
    for name in named:
        if name != "SECCOMP_FILTER_FLAG_TSYNC":
            flags |= FLAGS[name]
    return flags


def check_profile(profile: dict[str, Any]) -> None:
    """See that a *profile* can be had.

    Raises:
        FieldError: it cannot; the first thing that is wrong is named.
    """
    check(profile, SECCOMP, WHERE)
    default = profile["defaultAction"]
    if default == NOTIFY:
        raise FieldError(
            f"{WHERE}.defaultAction", f"'{NOTIFY}' cannot answer all calls: the listener could not be told"
        )
    _check_errno(profile.get("defaultErrnoRet"), default, f"{WHERE}.defaultErrnoRet")
    for index, rule in enumerate(profile.get("syscalls") or ()):
        _check_rule(rule, f"{WHERE}.syscalls[{index}]")
    listener = profile.get("listenerPath") or ""
    if notifies(profile) and not listener:
        raise FieldError(f"{WHERE}.listenerPath", f"it is missing, and '{NOTIFY}' needs somebody to ask")
    if profile.get("listenerMetadata") and not listener:
        raise FieldError(f"{WHERE}.listenerMetadata", "there is no listenerPath that it would be for")
    if "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" in (profile.get("flags") or ()) and not notifies(profile):
        raise FieldError(f"{WHERE}.flags", f"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is for '{NOTIFY}'")


def _check_rule(rule: dict[str, Any], where: str) -> None:
    if not rule["names"]:
        raise FieldError(f"{where}.names", "it is empty")
    if "" in rule["names"]:
        raise FieldError(f"{where}.names", "'' is no system call")
    _check_errno(rule.get("errnoRet"), rule["action"], f"{where}.errnoRet")
    if rule["action"] == NOTIFY:
        for name in _NEEDED_TO_TELL:
            if name in rule["names"]:
                raise FieldError(f"{where}.names", f"'{NOTIFY}' cannot be for '{name}': the listener could not be told")
    for place, argument in enumerate(rule.get("args") or ()):
        if (argument.get("index") or 0) >= _ARGUMENTS:
            raise FieldError(
                f"{where}.args[{place}].index", f"{argument['index']} is not between 0 and {_ARGUMENTS - 1}"
            )


def _check_errno(number: int | None, action: str, where: str) -> None:
    if number is not None and action not in _WITH_ERRNO:
        raise FieldError(where, f"'{action}' returns none", hint=f"it is for {' and '.join(_WITH_ERRNO)}")


def program_of(profile: dict[str, Any], cache_directory: str, *, strict: bool = False) -> bytes:
    """The program, an array of `struct sock_filter`, of a checked *profile*.

    *strict*: a name that this libseccomp does not know is an error, not left out.

    Raises:
        FieldError: *strict*, and a name is not known; or libseccomp refuses a rule.
        NsunitError: libseccomp is missing.
    """

    def make() -> bytes:
        from nsunit.oci.spec import seccomp_compiler  # the first time only: it brings ctypes

        return seccomp_compiler.compile_profile(profile, library_path(), strict=strict)

    said = {key: profile[key] for key in sorted(profile) if not key.startswith("listener")}
    compiler = f"{__file__.rpartition('/')[0]}/seccomp_compiler.py"
    content = f"{dumps(said)} {strict} {[identity(path) for path in (library_path(), compiler)]}"
    try:
        return cached(content, cache_directory, make)[1]
    except OSError:
        return make()  # a user's, or a root's that may not write there
