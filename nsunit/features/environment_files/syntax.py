"""Environment files, read as systemd reads them: EnvironmentFile= in systemd.exec(5), parse_env_file_internal().

Quotes count at the beginning of a value only, where several quoted parts may follow each other; behind anything else
they are characters like others.  A value that has begun with quotes may end with the file.
"""

from __future__ import annotations

from nsunit.record import Record

_COMMENTS = "#;"
_NEWLINES = "\n\r"
_BLANKS = " \t\n\r"
_ESCAPED_IN_QUOTES = '"\\`$'


class Assignment(Record):
    """`NAME=VALUE` as it stands in a file, whatever NAME is; *line* is where it begins, from 1."""

    name: str
    value: str
    line: int


class Reader:
    """Reads one file: `assignments`, in their order, and `others`, the numbers of the lines that have no `=`.

    With *comments_continue* a backslash at the end of a comment takes the next line along, as before systemd 254.
    """

    def __init__(self, text: str, comments_continue: bool = False) -> None:
        self.assignments: list[Assignment] = []
        self.others: list[int] = []
        self._comments_continue = comments_continue
        self._name = ""
        self._value: list[str] = []
        self._kept = 0  # as much of the value stays if it ends here: blanks at the end of a line go
        self._begin = 0
        state: State = self._before_name
        number = 1
        for char in text:
            if state == self._before_name:
                self._begin = number
            state = state(char)
            number += char == "\n"
        if state == self._in_name:
            self.others.append(self._begin)
        elif state == self._in_value:
            self._push(self._kept)
        elif state not in (self._before_name, self._in_comment, self._escape_in_comment):
            self._push(len(self._value))

    def _push(self, end: int) -> State:
        self.assignments.append(Assignment(self._name.rstrip(_BLANKS), "".join(self._value[:end]), self._begin))
        self._value, self._kept = [], 0
        return self._before_name

    def _take(self, *chars: str) -> None:
        self._value += chars
        self._kept = len(self._value)

    def _before_name(self, char: str) -> State:
        if char in _COMMENTS:
            return self._in_comment
        self._name = char
        return self._before_name if char in _BLANKS else self._in_name

    def _in_name(self, char: str) -> State:
        if char in _NEWLINES:
            self.others.append(self._begin)
            return self._before_name
        if char == "=":
            return self._before_value
        self._name += char
        return self._in_name

    def _before_value(self, char: str) -> State:
        """Also behind a quoted part of it."""
        if char in _NEWLINES:
            return self._push(len(self._value))
        if char == "'":
            return self._in_single_quotes
        if char == '"':
            return self._in_double_quotes
        if char == "\\":
            return self._escape
        if char in _BLANKS:
            return self._before_value
        self._take(char)
        return self._in_value

    def _in_value(self, char: str) -> State:
        if char in _NEWLINES:
            return self._push(self._kept)
        if char == "\\":
            return self._escape
        if char in _BLANKS:
            self._value.append(char)
        else:
            self._take(char)
        return self._in_value

    def _escape(self, char: str) -> State:
        self._take(*(() if char in _NEWLINES else char))
        return self._in_value

    def _in_single_quotes(self, char: str) -> State:
        if char == "'":
            return self._before_value
        self._take(char)
        return self._in_single_quotes

    def _in_double_quotes(self, char: str) -> State:
        if char == '"':
            return self._before_value
        if char == "\\":
            return self._escape_in_quotes
        self._take(char)
        return self._in_double_quotes

    def _escape_in_quotes(self, char: str) -> State:
        if char in _ESCAPED_IN_QUOTES:
            self._take(char)
        elif char != "\n":
            self._take("\\", char)
        return self._in_double_quotes

    def _in_comment(self, char: str) -> State:
        if char == "\\":
            return self._escape_in_comment
        return self._before_name if char in _NEWLINES else self._in_comment

    def _escape_in_comment(self, char: str) -> State:
        ends = char in _NEWLINES and not self._comments_continue
        return self._before_name if ends else self._in_comment


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    State = Callable[[str], Any]
