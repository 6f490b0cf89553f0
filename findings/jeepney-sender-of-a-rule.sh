#!/bin/bash
# jeepney: of a MatchRule with sender='org.example.It', the bus delivers the signals, and jeepney's own filter drops them all
#
# Versions: jeepney 0.9.0 (PyPI).
#
# Expected: a MatchRule is given to the bus by AddMatch() and to filter() of the connection, as jeepney's example of a
# subscription does, and means the same for both.  For the bus a sender may be a well-known name: it knows who owns it.
#
# Seen, of signals of a connection that owns org.example.It, whose unique name is :1.0, with one rule for both:
#   sender of the rule       the bus delivers     filter() yields
#   none                     the signal           the signal
#   :1.0                     the signal           the signal
#   org.example.It           the signal           nothing: recv_until_filtered() waits, until its timeout
# matches() compares the name with the sender that is in the message, and there the bus always puts the unique one; only the bus
# itself has a well-known name there, "org.freedesktop.DBus", so that a rule for NameOwnerChanged works with it.
#
# Where it matters: `sender=` is what keeps signals of others out, and a name such as org.freedesktop.systemd1 is what one has
# for it.  AddMatch() is answered without an error, and no event ever comes.  The owner has to be asked for by
# GetNameOwner(), anew whenever it changes; or there are two rules, the one for filter() without a sender.
#
# Needs: python3 with pip, PyPI, dbus-daemon.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: 'jeepney==0.9.0'

cat >"$tmp/bus.conf" <<EOP
<busconfig>
  <type>session</type>
  <listen>unix:path=$tmp/bus</listen>
  <policy context="default"><allow send_destination="*"/><allow own="*"/><allow eavesdrop="false"/></policy>
</busconfig>
EOP
cat >"$tmp/show.py" <<'EOP'
import subprocess
import sys

from jeepney import DBusAddress, MatchRule, message_bus, new_signal
from jeepney.io.blocking import open_dbus_connection

NAME = "org.example.It"
here = sys.argv[1]
command = ["dbus-daemon", f"--config-file={here}/bus.conf", "--nofork", "--print-address"]
with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as daemon:
    address = daemon.stdout.readline().strip()
    emitter = open_dbus_connection(address)
    emitter.send_and_get_reply(message_bus.RequestName(NAME))
    for sender in (None, emitter.unique_name, NAME):
        rule = MatchRule(type="signal", sender=sender, interface=NAME, member="Told")
        signal = new_signal(DBusAddress("/it", interface=NAME), "Told", "s", ("x",))
        for way in "delivered", "filtered":
            with open_dbus_connection(address) as listener:
                listener.send_and_get_reply(message_bus.AddMatch(rule))
                try:
                    if way == "filtered":
                        with listener.filter(rule) as queue:
                            emitter.send(signal)
                            got = listener.recv_until_filtered(queue, timeout=3)
                    else:
                        emitter.send(signal)
                        while (got := listener.receive(timeout=3)).body != ("x",):
                            pass
                    print(f"sender={sender!r}, {way}: the signal, of", got.header.fields[7], flush=True)
                except TimeoutError:
                    print(f"sender={sender!r}, {way}: nothing", flush=True)
    rule = MatchRule(type="signal", sender="org.freedesktop.DBus", member="NameOwnerChanged")
    with open_dbus_connection(address) as listener, listener.filter(rule) as queue:
        listener.send_and_get_reply(message_bus.AddMatch(rule))
        emitter.send_and_get_reply(message_bus.ReleaseName(NAME))
        print("of the bus: a signal, of", listener.recv_until_filtered(queue, timeout=3).header.fields[7])
    emitter.close()
    daemon.terminate()
EOP
"$tmp/venv/bin/python" "$tmp/show.py" "$tmp" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
sender=None, delivered: the signal, of :1.0
sender=None, filtered: the signal, of :1.0
sender=':1.0', delivered: the signal, of :1.0
sender=':1.0', filtered: the signal, of :1.0
sender='org.example.It', delivered: the signal, of :1.0
sender='org.example.It', filtered: nothing
of the bus: a signal, of org.freedesktop.DBus
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
