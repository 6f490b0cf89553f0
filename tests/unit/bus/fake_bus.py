"""A stand-in for pystemd's connection: answers from a table, hands out queued signals, records what was called."""

from __future__ import annotations

import os

from nsunit.bus.marshal import SdBusError

Error = SdBusError


class FakeMessage:
    def __init__(self, body=None, member=None, sender=b":1.1"):
        self.body = body
        self.member = member
        self.sender = sender

    def is_empty(self):
        return self.body is None

    def is_signal(self, _interface, member):
        return self.member == member

    def process_reply(self, _with_headers):
        pass

    def get_sender(self):
        assert self.sender is not None, "pystemd crashes here on a direct connection"
        return self.sender


def job_removed(path, unit, result, sender=b":1.1"):
    return FakeMessage([1, path.encode(), unit.encode(), result.encode()], b"JobRemoved", sender)


class FakeBus:
    """`answers` maps a method's name to a value, an exception, or a function of the flat arguments."""

    def __init__(self, answers, signals=(), sender=None):
        self.answers = answers
        self.signals = list(signals)
        self.sender = sender
        self.calls = []
        self.closed = 0
        self.read_end, self.write_end = os.pipe()
        if self.signals:
            self.wake()

    def wake(self):
        os.write(self.write_end, b"x")

    def hang_up(self):
        os.close(self.write_end)

    def call_method(self, _destination, path, _interface, method, arguments):
        self.calls.append((method.decode(), path.decode(), arguments))
        answer = self.answers.get(method.decode())
        if callable(answer):
            answer = answer(arguments)
        if isinstance(answer, Exception):
            raise answer
        return FakeMessage(answer, sender=self.sender)

    def process(self):
        if not self.signals:
            return FakeMessage()
        signal = self.signals.pop(0)
        if isinstance(signal, Exception):
            raise signal
        return signal

    def get_fd(self):
        return self.read_end

    def close(self):
        self.closed += 1

    def methods(self):
        return [method for method, _path, _arguments in self.calls]
