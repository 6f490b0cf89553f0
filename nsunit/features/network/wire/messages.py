"""The classes of rtnetlink(7)'s messages: the only file that imports pyroute2."""

from __future__ import annotations

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

__all__ = ["ifaddrmsg", "ifinfmsg", "rtmsg"]
