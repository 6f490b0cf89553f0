"""What two nsunits tell each other when one deploys to the other: pure, and over pipes."""

from __future__ import annotations

import hashlib
import json
import os
import threading

import pytest

from nsunit.definition.model import Definition
from nsunit.errors import NsunitError, UsageError
from nsunit.features.images.store import Store
from nsunit.features.images.unpack.catalog import lines
from nsunit.features.images.unpack.work import chain_of
from nsunit.features.transfer.deploy import folder, offer, receive, send, unpack
from nsunit.features.transfer.deploy.channel import Channel, EndedError
from nsunit.features.transfer.deploy.offer import Layer, Offer
from nsunit.storage.paths import Paths

DIFFS = ["a" * 64, "b" * 64]
CHAINS = [DIFFS[0], chain_of(*DIFFS)]
CONFIG = json.dumps({"rootfs": {"diff_ids": [f"sha256:{diff}" for diff in DIFFS]}}).encode()
WEB = Offer(
    "web",
    (("definition/web.nsunit", "[Container]\nImage=web:1\n"), ("definition/web.nsunit.d/a.conf", "\udcff")),
    hashlib.sha256(CONFIG).hexdigest(),
    CONFIG,
    ("localhost/web:1",),
    "",
    tuple(Layer(chain, diff, "c" * 64, "d" * 64, 5, 1) for chain, diff in zip(CHAINS, DIFFS, strict=True)),
    beside=(("shop.network.nsunit", "[Network]\n"), ("a-b.slice.nsunit.d/c.conf", "[Slice]\n")),
)


def test_an_offer_comes_as_it_was_sent():
    assert offer.load(json.loads(json.dumps(offer.dump(WEB)))) == WEB
    bare = Offer("web", WEB.texts[:1], state=True, force=True)
    assert offer.load(offer.dump(bare)) == bare
    former = {key: value for key, value in offer.dump(bare).items() if key != "beside"}
    assert offer.load(former) == bare


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../web"},
        {"name": "web.pod"},
        {"image": "e" * 64},
        {"config": "no base64"},
        {"layers": []},
        {"layers": offer.dump(WEB)["layers"][::-1]},
        {"layers": [{**item, "chain": "../../etc"} for item in offer.dump(WEB)["layers"]]},
        {"names": ["../../x"]},
        {"image": "", "config": ""},
        {"texts": [["definition/web.nsunit", "x" * (5 << 20)]]},
        {"texts": 5},
        {"beside": [["web.nsunit", "[Container]"]]},
        {"beside": [["../shop.network.nsunit", "[Network]"]]},
        {"beside": [["shop.network.nsunit.d/../../a.conf", "[Network]"]]},
        {"beside": [["shop.network.nsunit/a.conf", "[Network]"]]},
    ],
)
def test_an_offer_that_makes_no_sense_is_none(changes):
    with pytest.raises(NsunitError, match="what is offered makes no sense"):
        offer.load({**offer.dump(WEB), **changes})


@pytest.mark.parametrize("path", ["definition/other.nsunit", "definition/../x", "definition/web.nsunit.d/a/b.conf"])
def test_files_of_others_are_no_part_of_it(path):
    with pytest.raises(NsunitError, match="which is no file of container 'web'"):
        offer.load({**offer.dump(WEB), "texts": [*WEB.texts, [path, "x"]]})


def test_the_catalog_of_a_user_is_that_of_the_system():
    line = "/a\t40000\t755\t0\t0\t0\t5\t{}\t"
    of_user = line.format("user.note=01,user.overlay.opaque=79")
    of_system = line.format("trusted.overlay.opaque=79,user.note=01")
    assert offer.catalog_digest([of_user + "\n"]) == offer.catalog_digest([of_system])
    assert offer.catalog_digest([of_user]) != offer.catalog_digest([line.format("user.note=01")])


def test_contents_that_are_worth_asking_for(tmp_path):
    (tmp_path / "large\n").write_bytes(b"x" * 2000)
    (tmp_path / "same").write_bytes(b"x" * 2000)
    (tmp_path / "zeros").write_bytes(bytes(2000))
    (tmp_path / "more-zeros").write_bytes(bytes(3000))
    (tmp_path / "small").write_bytes(b"x")
    (tmp_path / "link").symlink_to("x" * 1500)
    found = dict(offer.contents(line + "\n" for line in lines(str(tmp_path))))
    assert sorted(found) == ["/large\\n", "/more-zeros", "/same", "/zeros"]
    assert found["/large\\n"] == found["/same"]
    assert len(set(found.values())) == 3, "zeros at the end are no part of a digest, so the size counts as well"


@pytest.mark.parametrize("flags", [[], [True], [False] * 4, [True, False, True, True, False], [True] * 9])
def test_flags_travel_as_digits(flags):
    assert offer.flags_of(offer.bitmap(flags), len(flags)) == flags
    with pytest.raises(ValueError, match="not as many"):
        offer.flags_of(offer.bitmap(flags) + "0", len(flags))


def test_a_definition_is_another_s_unless_a_deploy_has_left_it_so():
    wanted, record = {"a": "new", "b": "new"}, {"a": ["old", "older"]}
    assert offer.taken({}, wanted, {}) == ""
    assert offer.taken({"a": "new"}, wanted, {}) == ""
    assert offer.taken({"a": "old"}, wanted, record) == ""
    assert offer.taken({"a": "older", "b": "new"}, wanted, record) == ""
    assert offer.taken({"a": "by hand"}, wanted, record) == "a"
    assert offer.taken({"a": "old", "c": "x"}, wanted, record) == "c"


# The channel


def pair():
    """Two channels, each of which hears the other."""
    (first, second), (third, fourth) = os.pipe(), os.pipe()
    return Channel(first, fourth), Channel(third, second)


def test_lines_and_files_follow_each_other(tmp_path):
    here, there = pair()
    source, target = tmp_path / "source", tmp_path / "target"
    content = os.urandom(3 << 20)
    source.write_bytes(content)

    def speak():
        with source.open("rb") as file:
            there.say({"first": "\n"})
            there.send_file(file.fileno())
            there.say({"second": 2})
            there.send_file(os.open(os.devnull, os.O_RDONLY))
            there.say({"third": 3})

    speaker = threading.Thread(target=speak)
    speaker.start()
    assert here.hear() == {"first": "\n"}
    with target.open("wb") as file:
        here.take_file(file.fileno())
    assert here.hear() == {"second": 2}
    here.take_file(-1)  # to which nothing is written
    assert here.hear() == {"third": 3}
    speaker.join()
    assert target.read_bytes() == content
    assert here.received == there.sent > len(content)


def test_a_shell_s_noise_is_passed_over():
    here, there = pair()
    os.write(there.writer, b'Welcome!\n{"not": "it"}\n5\n')
    there.greet("1.0")
    here.wait_for_greeting()
    there.say({"x": 1})
    assert here.hear() == {"x": 1}


def test_another_format_is_told():
    here, there = pair()
    there.say({"nsunit-deploy": 99, "nsunit": "9.9"})
    with pytest.raises(NsunitError, match=r"its nsunit, 9\.9, speaks another format than this one"):
        here.wait_for_greeting()


@pytest.mark.parametrize("said", [b"", b"no greeting\n", b"x" * 60_000 + b"\n" + b"y" * 60_000 + b"\n"])
def test_without_a_greeting_nobody_is_there(said):
    here, there = pair()
    speaker = threading.Thread(target=lambda: (os.write(there.writer, said), os.close(there.writer)))
    speaker.start()
    with pytest.raises(EndedError):
        here.wait_for_greeting()
    os.close(here.reader)
    speaker.join()


def test_what_makes_no_sense_is_told():
    here, there = pair()
    os.write(there.writer, b"{]\n[1]\n\xff\xff\xff\xff")
    for _ in range(2):
        with pytest.raises(NsunitError, match="what the other side says makes no sense"):
            here.hear()
    with pytest.raises(NsunitError, match="what the other side sends makes no sense"):
        here.take_file(-1)


def test_a_file_that_is_cut_off_is_none(tmp_path):
    here, there = pair()
    os.write(there.writer, b"\0\0\0\5abc")
    os.close(there.writer)
    with (tmp_path / "x").open("wb") as file, pytest.raises(EndedError):
        here.take_file(file.fileno())


# The sender's side of the dialogue


class _Context:
    user = False
    progress = None

    def __init__(self, tmp_path):
        self.paths = Paths(state=str(tmp_path))
        self.warnings = []
        self.warn = self.warnings.append


def test_nothing_is_sent_of_what_is_there(tmp_path):
    here, there = pair()
    context = _Context(tmp_path)
    there.say({"warn": "warning: so and so"})
    there.say({"lacks": []})
    there.say({"done": "running"})
    assert send.converse(context, WEB, here, delta=True, enable=True) == ("running", 0)
    said = there.hear()
    assert (offer.load(said), said["delta"], said["enable"]) == (WEB, True, True)
    assert context.warnings == ["warning: so and so"]


def test_what_is_refused_comes_back_with_its_status(tmp_path):
    here, there = pair()
    there.say({"error": "web: no", "hint": "do so", "status": 3})
    with pytest.raises(NsunitError, match="web: no") as caught:
        send.converse(_Context(tmp_path), WEB, here)
    assert (caught.value.hint, caught.value.exit_status) == ("do so", 3)


def test_who_ends_while_it_is_sent_to_may_have_said_why(tmp_path):
    here, there = pair()
    there.say({"error": "the disk is full", "hint": None, "status": 1})
    os.close(there.reader)
    with pytest.raises(NsunitError, match="the disk is full"):
        send.converse(_Context(tmp_path), WEB, here)
    os.close(there.writer)
    with pytest.raises(EndedError):
        send.converse(_Context(tmp_path), WEB, here)


def layer_in(store, chain, **files):
    """Make a layer in *store*, as unpacking leaves it."""
    place = f"{store.layers}/{chain}"
    os.makedirs(f"{place}/root")
    for name, content in files.items():
        with open(f"{place}/root/{name}", "wb") as file:
            file.write(content)
    with open(f"{place}/files", "w") as file:
        file.writelines(line + "\n" for line in lines(f"{place}/root"))


def test_who_receives_knows_what_it_has(tmp_path):
    store = Store(Paths(state=str(tmp_path)))
    layer_in(store, CHAINS[0], one=b"1" * 2000)
    (key,) = dict(offer.contents(unpack.catalog(f"{store.layers}/{CHAINS[0]}"))).values()
    assert offer.flags_of(send.known_contents(store, ["2000:none", key]), 2) == [True, False]
    context = _Context(tmp_path)
    assert [layer.chain for layer in receive.lacking(context, WEB)] == [CHAINS[1]]


def test_a_layer_without_its_catalog_is_damaged(tmp_path):
    with pytest.raises(NsunitError, match="is damaged: what is noted of it cannot be read"):
        send._layer(Store(Paths(state=str(tmp_path))), CHAINS[0])


def test_what_does_not_go_along_is_named():
    assigned = [("Bind", "/srv:/srv"), ("Volume", "data:/d"), ("Network", "bridge"), ("Network", "shop:ip=1")]
    definition = Definition.__new__(Definition)
    assigned += [("Slice", "shop"), ("Secret", "token:mode=0400"), ("Secret", "own:env=A"), ("Secret", "file")]
    of_service = [("SetCredential", "own:x"), ("LoadCredential", "file:/srv/f"), ("SetCredentialEncrypted", "e:abc")]
    texts = [("Container", *item) for item in assigned] + [("Service", *item) for item in of_service]
    items = [type("Item", (), {"section": section, "key": key, "text": text}) for section, key, text in texts]
    definition.__dict__.update(name="web", assignments=items)
    assert list(send.unsent(definition)) == [
        "web: Bind=/srv:/srv: the directory is not sent, what is there by that name is used",
        "web: Volume=data:/d: the volume is not sent, an empty one if there is none there",
        "web: Secret=token: the secret is not sent, put it into /etc/credstore there",
        "web: LoadCredential=file: the secret is not sent, put it where that says, on the other side",
        "web: SetCredentialEncrypted=e: the secret is not sent, put it into the definition there, encrypted there: "
        "this host's key is not that one's",
    ]


# Filling


def test_files_are_filled_from_other_layers(tmp_path):
    store = Store(Paths(state=str(tmp_path)))
    sparse = bytes(1 << 20) + b"end" + bytes(5000)
    layer_in(store, CHAINS[0], one=b"1" * 2000)
    place = f"{store.layers}/{CHAINS[0]}"
    with open(f"{place}/root/sparse", "wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
        file.truncate(len(sparse))
    with open(f"{place}/files", "w") as file:
        file.writelines(line + "\n" for line in lines(f"{place}/root"))
    keys = dict(offer.contents(unpack.catalog(place)))
    upper = tmp_path / "upper"
    upper.mkdir()
    for name in ("a", "b"):
        (upper / name).touch()
        os.utime(upper / name, ns=(5, 7))
    (upper / "a").chmod(0o4751)
    unpack._fill(str(upper), [("a", keys["/sparse"]), ("b", keys["/one"])], store.layers, "layer x")
    assert ((upper / "a").read_bytes(), (upper / "b").read_bytes()) == (sparse, b"1" * 2000)
    status = (upper / "a").stat()
    assert (status.st_mtime_ns, oct(status.st_mode & 0o7777), status.st_blocks < 100) == (7, "0o4751", True)
    with pytest.raises(NsunitError, match="layer x: a layer with some of its files went meanwhile"):
        unpack._fill(str(upper), [("a", "5000:none")], store.layers, "layer x")


def test_only_regular_files_are_filled(tmp_path):
    store = Store(Paths(state=str(tmp_path)))
    layer_in(store, CHAINS[0], one=b"1" * 2000)
    (key,) = dict(offer.contents(unpack.catalog(f"{store.layers}/{CHAINS[0]}"))).values()
    upper = tmp_path / "upper"
    upper.mkdir()
    os.mkfifo(upper / "pipe")
    with pytest.raises(NsunitError, match="something else came in a file's place"):
        unpack._fill(str(upper), [("pipe", key)], store.layers, "layer x")
    (upper / "link").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="link"):
        unpack._fill(str(upper), [("link", key)], store.layers, "layer x")


# Directories


def test_what_lies_in_a_directory(tmp_path):
    with pytest.raises(UsageError, match="nothing that was deployed lies in"):
        folder.offers_in(str(tmp_path))
    (tmp_path / "web.json").write_text(json.dumps(offer.dump(WEB)))
    (tmp_path / "note.txt").write_text("mine")
    assert folder.offers_in(str(tmp_path), force=True) == [WEB.replace(force=True)]
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(NsunitError, match=r"/bad\.json': what is offered makes no sense"):
        folder.offers_in(str(tmp_path))
