"""What criu is asked for, and how."""

import socket

import pytest

from nsunit.oci.criu import mounts, request, wire, worker
from nsunit.oci.criu.mounts import Mount, Outside
from nsunit.oci.errors import OciError, SpecError, UsageError
from nsunit.oci.options import find, parse

# As Python's protobuf encodes with criu's own rpc_pb2: criu_req {type: DUMP, opts {images_dir_fd: 300,
# leave_running: true, log_file: "dump.log", inherit_fd {key: "pipe:[1]", fd: 2}}}, and criu_resp {type: NOTIFY,
# success: true, notify {script: "post-restore", pid: 4321}}.
REQUEST = bytes.fromhex("0801121e08ac021801520864756d702e6c6f67da010c0a08706970653a5b315d1002")
NOTIFICATION = bytes.fromhex("080610012a110a0c706f73742d726573746f726510e121")


def given(verb, *words):
    return parse(words, find(verb).options, stops=False)[0]


def test_a_request_is_as_the_library_encodes_it():
    options = [(1, 300), (3, True), (10, "dump.log"), (27, [(1, "pipe:[1]"), (2, 2)])]
    assert wire.encode([(1, wire.DUMP), (2, options)]) == REQUEST


def test_answers_are_read():
    assert wire.answer(NOTIFICATION) == wire.Answer(wire.NOTIFY, True, "post-restore", 4321)
    failed = wire.encode([(1, wire.RESTORE), (2, False), (7, 17), (9, "why"), (99, b"later")])
    assert wire.answer(failed) == wire.Answer(wire.RESTORE, errno=17, message="why")
    done = wire.encode([(1, wire.RESTORE), (2, True), (4, [(1, 77)])])
    assert wire.answer(done) == wire.Answer(wire.RESTORE, True, pid=77)
    told = wire.encode([(1, wire.VERSION), (2, True), (10, [(1, 3), (2, 17), (4, 1)])])
    assert wire.answer(told) == wire.Answer(wire.VERSION, True, version=(3, 17))


def test_negative_numbers_and_bytes_go_both_ways():
    fields = list(wire.decode(wire.encode([(1, -1), (2, b"\xff\x00"), (200, 1 << 63)])))
    assert fields == [(1, (1 << 64) - 1), (2, b"\xff\x00"), (200, 1 << 63)]


@pytest.mark.parametrize("text", ["08", "0a05", "0a0561", "0b", "ff" * 11, "0d0000"])
def test_what_is_no_message_is_told(text):
    with pytest.raises(ValueError, match="cut off"):
        list(wire.decode(bytes.fromhex(text)))


def test_options_are_fields():
    said = given("checkpoint", "--tcp-established", "--file-locks", "--parent-path", "../1", "--leave-running", "x")
    request.check(said)
    fields = [
        *request.common(said, {}, 5, 6, "dump.log", (4, 1)),
        *request.of_dump(said, 42, "/sys/fs/cgroup/x", ["mnt[/a]:/a"]),
    ]
    found = dict(fields)
    assert found[request.IMAGES_DIR_FD] == 5 and found[request.WORK_DIR_FD] == 6 and found[request.PID] == 42
    names = ("TCP_ESTABLISHED", "FILE_LOCKS", "LEAVE_RUNNING", "TRACK_MEM", "NOTIFY_SCRIPTS", "ORPHAN_PTS_MASTER")
    assert all(found[getattr(request, name)] is True for name in names)
    assert found[request.PARENT_IMG] == "../1" and found[request.NETWORK_LOCK] == 2
    assert found[request.MANAGE_CGROUPS_MODE] == 3 and found[request.CONFIG_FILE] == "/etc/criu/runc.conf"
    assert found[request.FREEZE_CGROUP] == "/sys/fs/cgroup/x" and found[request.EXTERNAL] == "mnt[/a]:/a"


def test_a_restore_is_a_sibling_in_its_cgroup():
    said = given("restore", "--tcp-close", "--lsm-profile", "apparmor:x", "--manage-cgroups-mode", "ignore", "x")
    fields = request.of_restore(said, "/root", "/a.slice/b", ["mnt[/a]:/b"], [("pipe:[1]", 1), ("extRootNetNS", 9)])
    assert (request.RST_SIBLING, True) in fields and (request.ROOT, "/root") in fields
    assert (request.CG_ROOT, [(1, ""), (2, "/a.slice/b")]) in fields
    assert (request.INHERIT_FD, [(1, "extRootNetNS"), (2, 9)]) in fields
    assert (request.LSM_PROFILE, "apparmor:x") in fields
    shared = dict(request.common(said, {"org.criu.config": ""}, 5, 5, "restore.log", (3, 19)))
    assert request.CONFIG_FILE not in shared and shared[request.TCP_CLOSE] is True
    assert shared[request.NETWORK_LOCK] == 3 and shared[request.MANAGE_CGROUPS_MODE] == 0
    assert request.TRACK_MEM not in shared


def test_an_older_criu_knows_no_network_that_is_not_locked():
    locks = [dict(request.common(given("checkpoint", "x"), {}, 5, 6, "", version)) for version in ((3, 18), (3, 19))]
    assert [fields[request.NETWORK_LOCK] for fields in locks] == [2, 3]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--lazy-pages"], "--lazy-pages: there is none; "),
        (["--page-server", "host:1"], "--page-server: there is none; copy the directory"),
        (["--status-fd", "3"], "--status-fd: there is none; it belongs to --lazy-pages"),
        (["--empty-ns", "ipc"], "--empty-ns: namespace 'ipc' is not supported"),
        (["--manage-cgroups-mode", "none"], "--manage-cgroups-mode: 'none' is none of ignore, soft, full, strict"),
        (["--parent-path", "/1"], "--parent-path must be relative to --image-path"),
    ],
)
def test_what_cannot_be_is_told(words, text):
    with pytest.raises(UsageError) as caught:
        request.check(given("checkpoint", *words, "x"))
    assert caught.value.message.startswith(text)


def test_namespaces_that_criu_cannot_join_are_told():
    request.refuse_joined(["net", "pid"])
    with pytest.raises(OciError, match="back into a ipc namespace of others"):
        request.refuse_joined(["net", "ipc"])


@pytest.mark.parametrize(
    ("link", "mount", "said", "key"),
    [
        ("pipe:[17]", 15, "", "pipe:[17]"),
        ("socket:[18]", 9, "unix[18]", "socket:[18]"),
        ("/dev/null", 57, "file[39:ff]", "file[39:ff]"),
        ("/dev/null", 30, "", "/dev/null"),
        ("/dev/pts/0", 30, "", "/dev/pts/0"),
    ],
)
def test_streams_that_are_outside(link, mount, said, key):
    assert request.stream(link, mount, 255, [30, 31]) == (said, key)


def test_a_terminal_of_others_has_another_in_its_place_or_is_told():
    key = request.terminal_key(0x8803, 0x1F)
    assert key == "tty[8803:1f]"
    assert request.stream("/dev/pts/3", 57, 255, [30, 31], key) == (key, key)
    assert request.stream("/dev/pts/3", 30, 255, [30, 31], key) == ("", "/dev/pts/3")
    with pytest.raises(OciError, match="a terminal of others, /dev/pts/3: with --shell-job another takes its place"):
        request.stream("/dev/pts/3", 57, 255, [30, 31])


def test_the_reason_is_the_first_error_that_is_one():
    log = (
        "(00.1) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted\n"
        "(00.2) Warn  (criu/x.c:1): nothing\n"
        "(00.3)      1: Error (criu/files-reg.c:1790): Can't lookup mount=57 for fd=0 path=/dev/null\n"
        "(00.4) Error (criu/cr-dump.c:2111): Dumping FAILED.\n"
    )
    assert request.reason(log) == "Can't lookup mount=57 for fd=0 path=/dev/null"
    assert request.reason("") == ""


INFO = r"""100 90 0:40 / / rw,relatime - overlay overlay rw
101 100 0:41 / /proc rw - proc proc rw
102 100 8:1 /srv /data\040x ro shared:3 - ext4 /dev/sda1 rw
103 102 0:42 / /data\040x/below rw - tmpfs tmpfs rw
104 102 0:43 / /data\040x/own rw - tmpfs tmpfs rw
105 102 0:44 /null /data\040x/secret rw - tmpfs tmpfs rw
106 100 0:6 /null /dev/null rw - devtmpfs udev rw
107 101 0:6 /null /proc/keys rw - devtmpfs udev rw
108 100 0:45 / /rootfs-has-it rw - tmpfs tmpfs rw
109 100 0:46 / /tmp rw - tmpfs tmpfs rw
"""
CONFIG = {
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/link", "type": "bind", "source": "data", "options": ["rbind"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
    ]
}
POINTS = {"/proc": "/proc", "/link": "/data x", "/tmp": "/tmp"}
HOST = [Mount(1, 0, "0:42", "/b/data/below", "tmpfs"), Mount(2, 0, "0:45", "/r/rootfs-has-it", "tmpfs")]


def test_what_is_mounted_of_the_host():
    """What the container has mounted itself, and what is masked, is not."""
    behind = mounts.sources(CONFIG, "/b", "/r")
    assert behind == {"/": "/r", "": "", "/link": "/b/data"}
    found = mounts.outside(behind, POINTS, ["/data x/secret", "/proc/keys"], mounts.parse(INFO), HOST)
    assert found == [
        Outside("/data x", "/link", ""),
        Outside("/data x/below", "/link", "/below"),
        Outside("/dev/null", "", "/dev/null"),
        Outside("/proc/keys", "", "/dev/null"),
        Outside("/rootfs-has-it", "/", "/rootfs-has-it"),
    ]
    assert request.external_at_dump(found[:1], [("net", 7)]) == ["mnt[/data x]:/data x", "net[7]:extRootNetNS"]
    assert request.external_at_restore([("/data x", "/srv")]) == ["mnt[/data x]:/srv"]


def test_a_mount_point_may_have_what_ends_a_line_elsewhere():
    (found,) = mounts.parse("7 6 0:1 / /tmp/a\x0c\u2028\xa0b rw - tmpfs none rw\n")
    assert (found.point, found.kind) == ("/tmp/a\x0c\u2028\xa0b", "tmpfs")


def test_mount_points_of_the_root_are_made_again():
    points = [mount.point for mount in mounts.on_root(mounts.parse(INFO))]
    assert points == ["/proc", "/data x", "/dev/null", "/rootfs-has-it", "/tmp"]


def test_mounts_that_criu_would_bring_back_as_others_are_told():
    wrong = {"mounts": [{"destination": "/x", "source": "/x", "options": ["bind", "idmap"]}]}
    with pytest.raises(SpecError, match=r"mounts\[0\]: criu knows no id-mapped mounts"):
        mounts.sources(wrong, "/b", "/r")
    with pytest.raises(SpecError, match="/rootfs-has-it is a mount below root.path"):
        mounts.outside({"/": "/r"}, {}, [], mounts.parse(INFO), HOST, users=True)


def test_a_user_has_none(monkeypatch):
    monkeypatch.setattr("nsunit.setup.system.geteuid", lambda: 1000)
    with pytest.raises(OciError, match="criu needs the privileges of root"):
        worker.find()
    assert not worker.is_there()


def test_it_is_looked_for_in_the_search_path(monkeypatch, tmp_path):
    monkeypatch.setattr("nsunit.oci.criu.worker.is_users", lambda: False)
    monkeypatch.setenv("PATH", f"relative:{tmp_path}")
    assert not worker.is_there()
    (tmp_path / "criu").touch(0o755)
    assert worker.find() == f"{tmp_path}/criu"


@pytest.mark.parametrize("message", [b"\xff", b"\x0a\x05a", b"\x0b"])
def test_an_answer_that_is_none(message):
    found = object.__new__(worker.Worker)
    found.socket, criu = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with found.socket, criu:
        criu.send(message)
        with pytest.raises(OciError, match="criu has answered with no message of its own: it is cut off"):
            found.ask(wire.VERSION, (), lambda *_: None)
