"""Another host: a network namespace with a link to this one."""

import contextlib

HOST, OUTSIDE = "192.0.2.1", "192.0.2.2"
HOST6, OUTSIDE6 = "2001:db8::1", "2001:db8::2"


@contextlib.contextmanager
def other_host(run):
    """Have it; yields how a command begins that runs a Python program there."""
    run(
        "ip netns add outside && ip link add out0 type veth peer name eth0 netns outside"
        f" && ip addr add {HOST}/24 dev out0 && ip addr add {HOST6}/64 dev out0 nodad && ip link set out0 up"
        f" && ip -n outside addr add {OUTSIDE}/24 dev eth0 && ip -n outside addr add {OUTSIDE6}/64 dev eth0 nodad"
        " && ip -n outside link set eth0 up"
    )
    yield ("ip", "netns", "exec", "outside", "python3", "-c")
    run("ip netns del outside; ip link del out0", check=False)
