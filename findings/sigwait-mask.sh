#!/bin/bash
# A process that waits for a signal in sigwait(3) is shown as one that neither blocks it nor has a handler for it
#
# Versions: Linux 6.18 (the running kernel is shown), python3.13-minimal 3.13.5-2+deb13u5 (Debian 13).
#
# Expected: sigwait(3) takes signals that are blocked, and proc_pid_status(5) says that SigBlk has the mask of signals
# that are blocked.  So whoever waits that way has the signal in SigBlk, as whoever reads it from a signalfd(2) has.
#
# Seen: for as long as the process sleeps in rt_sigtimedwait(2), SigBlk lacks the signals that it waits for; they are
# there before and after.  (The kernel takes them out of the mask so that they wake the process up; what was blocked
# before is kept in another field, which /proc does not show.)  SigCgt does not have them either.  Nevertheless the
# signal is delivered, even to a process 1 of a PID namespace, for which signals without a handler are dropped.
#
# Where it matters: inits of containers wait that way (busybox init, tini, dumb-init).  Who asks /proc whether process 1
# would hear a stop signal, before it waits in vain, takes them for deaf, and kills them without their clean-up.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='python3.13-minimal=3.13.5-2+deb13u5,base-files' trixie "$tree"
mkdir -p "$tree/proc"

cat >"$tree/show.py" <<'EOF'
import os, signal, time

def mask(pid, name):
    with open(f"/proc/{pid}/status") as file:
        line = next(line for line in file if line.startswith(name))
    return "has it" if int(line.split()[1], 16) >> (signal.SIGUSR1 - 1) & 1 else "lacks it"

def show(what, pid):
    print(f"{what}: SigBlk {mask(pid, 'SigBlk')}, SigCgt {mask(pid, 'SigCgt')}", flush=True)

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
show("blocked", "self")
reader, writer = os.pipe()
pid = os.fork()
if not pid:
    taken = signal.sigwait([signal.SIGUSR1])
    show("afterwards", "self")
    os._exit(7 if taken == signal.SIGUSR1 else 1)
while open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "S":
    time.sleep(0.05)
show("in sigwait", pid)
os.kill(pid, signal.SIGUSR1)
print("sent:", "taken" if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7 else "lost")
EOF

echo "Linux $(uname -r | cut -d. -f1,2)"
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child \
    sh -c 'mount -t proc proc "$1/proc" && chroot "$1" python3.13 -SI /show.py' - "$tree" | tee "$tmp/out"

for line in "blocked: SigBlk has it, SigCgt lacks it" "in sigwait: SigBlk lacks it, SigCgt lacks it" \
    "afterwards: SigBlk has it, SigCgt lacks it" "sent: taken"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
