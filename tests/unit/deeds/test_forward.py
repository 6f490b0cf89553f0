"""Messages to systemd, between sockets of the test's own."""

import os
import select
import socket
import struct
import subprocess
import sys
import threading

import pytest

from nsunit.deeds import forward


@pytest.mark.parametrize(
    ("message", "handed_on"),
    [
        (b"READY=1\nSTATUS=up = fine", b"READY=1\nSTATUS=up = fine"),
        (b"READY=1\nMAINPID=7\nSTATUS=\xff", b"READY=1\nSTATUS=\xff"),
        (b"NOTIFYACCESS=none", b""),
        (b"FDSTORE=1\nFDNAME=a", b""),
        (b"X_SYSTEMD_HOSTNAME=a\n\nREADY\n=1\n\xff=1", b"READY"),
        (b"", b""),
    ],
)
def test_what_is_handed_on(message, handed_on):
    assert forward.chosen(message) == handed_on


def test_turns():
    """A burst without waiting, and then one after the other; after a pause the next burst."""
    turns = forward.Turns(0.0)
    assert [turns.next(0.0) for _ in range(forward.BURST)] == [0.0] * forward.BURST
    now = 0.0
    for _ in range(5):
        wait = turns.next(now)
        assert wait == pytest.approx(1 / forward.RATE)
        now += wait
    assert turns.next(now + 3600) == 0.0
    assert turns.left == forward.BURST - 1


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(f"{tmp_path}/manager")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        found.setblocking(False)
        yield found


def received(manager):
    """The text, the sender that it claims, and how many descriptors came with it."""
    text, controls, _flags, _address = manager.recvmsg(4096, 1024)
    said = {kind: data for _level, kind, data in controls}
    fds = [fd for (fd,) in struct.iter_unpack("i", said.get(socket.SCM_RIGHTS, b""))]
    for fd in fds:
        os.close(fd)
    return text, struct.unpack("3i", said[socket.SCM_CREDENTIALS])[0], len(fds)


def test_in_whose_name(manager):
    """That of the main process; when it is gone, that of the one there is now."""
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    found = [gone.pid, os.getpid(), 0]
    speaker = forward.ForAnother(lambda: found.pop(0))
    forwarder = forward.Forwarder(manager.getsockname(), speaker)
    forwarder.hand_on(b"STATUS=lost", -1)
    forwarder.hand_on(b"STATUS=a", -1)
    forwarder.hand_on(b"MAINPID=1", -1)
    forwarder.hand_on(b"STATUS=b", -1)
    assert [received(manager), received(manager)] == [(b"STATUS=a", os.getpid(), 0), (b"STATUS=b", os.getpid(), 0)]
    speaker.pid = 0
    forwarder.hand_on(b"STATUS=nobody", -1)
    with pytest.raises(BlockingIOError):
        received(manager)


def test_a_number_that_is_another_process_s_by_now(manager):
    """That the number is somebody's is not enough, or another unit would have said it."""
    with subprocess.Popen(["true"]) as gone:
        pidfd = os.pidfd_open(gone.pid)
        gone.wait()
    speaker = forward.ForAnother(lambda: 0)
    speaker.pid, speaker.pidfd = os.getpid(), pidfd
    forward.Forwarder(manager.getsockname(), speaker).hand_on(b"STATUS=another's", -1)
    with pytest.raises(BlockingIOError):
        received(manager)
    assert speaker.pidfd == -1


def test_from_within_a_group(tmp_path):
    """A process of its own says it, from a group that is made for that; where there is none, nobody does."""
    (group := tmp_path / "group").mkdir()
    address = f"{tmp_path}/manager"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        found = ["", str(group)]
        heard = []
        reading = threading.Thread(target=lambda: heard.extend(received(manager) for _ in range(2)))
        reading.start()
        forwarder = forward.Forwarder(address, forward.Within(address, lambda: found.pop(0)))
        forwarder.hand_on(b"STATUS=nobody's", -1)
        forwarder.hand_on(b"STATUS=a\nMAINPID=1", -1)
        reading.join(30)
    (text, pid, _), (barrier, other, fds) = heard
    assert (text, barrier, fds) == (b"STATUS=a", b"BARRIER=1", 1)
    assert pid == other != os.getpid()
    assert (group / forward.SUBGROUP / "cgroup.procs").read_text() == "0"
    assert not found


def test_barriers_and_other_descriptors(manager):
    """Of a barrier the descriptor goes along; all are closed here."""
    source, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    forwarder = forward.Forwarder(manager.getsockname(), forward.ForAnother(os.getpid))
    reader, writer = os.pipe()
    with source, sender:
        for message in (b"BARRIER=1", b"STATUS=with three", b"x" * 5000):
            socket.send_fds(sender, [message], [writer] * 3)
        os.close(writer)
        forwarder.hand_on(*forward.receive(source))
        assert received(manager) == (b"BARRIER=1", os.getpid(), 1)
        forwarder.hand_on(*forward.receive(source))
        assert received(manager) == (b"STATUS=with three", os.getpid(), 0)
        message, fd = forward.receive(source)
        assert message == b""
        forwarder.hand_on(message, fd)
    poll = select.poll()
    poll.register(reader, 0)
    assert poll.poll(5000) == [(reader, select.POLLHUP)]
    os.close(reader)


def test_the_main_process(monkeypatch, tmp_path):
    stand_in = tmp_path / "systemctl"
    stand_in.write_text('#!/bin/sh\necho "$@" >"$0.asked"\necho 42\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert forward.main_process("a-b") == 42
    assert (tmp_path / "systemctl.asked").read_text() == r"show --property=MainPID --value nsunit-a-b.service" + "\n"
    stand_in.write_text('#!/bin/sh\necho "$@" >"$0.asked"\necho /user.slice/x\n')
    assert forward.control_group("a") == "/sys/fs/cgroup/user.slice/x"
    asked = (tmp_path / "systemctl.asked").read_text()
    assert asked == "--user show --property=ControlGroup --value nsunit-a.service\n"
    stand_in.write_text("#!/bin/sh\nexit 1\n")
    assert forward.main_process("a-b") == 0
    assert forward.control_group("a-b") == ""


def test_as_systemd_starts_it(manager, tmp_path):
    """With its socket as descriptor 3; it ends when nothing comes any more."""
    stand_in = tmp_path / "systemctl"
    stand_in.write_text(f"#!/bin/sh\necho {os.getpid()}\n")
    stand_in.chmod(0o755)
    source, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.send(b"READY=1")
    program = f"import os, sys; os.dup2({source.fileno()}, 3); sys.path.insert(0, {os.getcwd()!r}); "
    program += "from nsunit.deeds import forward; forward.QUIET_SECONDS = 0.01; forward.main(['', 'web'])"
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MANAGER_SOCKET": manager.getsockname()}
    command = [sys.executable, "-c", program]
    with source, sender:
        subprocess.run(command, pass_fds=[source.fileno()], env=environment, check=True, timeout=60)
    assert received(manager)[0] == b"READY=1"
