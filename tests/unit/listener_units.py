"""Sockets and proxies of containers, some of which have failed, and a systemd that has them."""

import fnmatch

from nsunit.bus.protocol import UnitStatus


class Bus:
    """systemd with some units, of which one may fail again."""

    def __init__(self, units, result="done"):
        self.units, self.result, self.deeds = units, result, []

    def list_units(self, patterns):
        return [unit for unit in self.units if any(fnmatch.fnmatchcase(unit.name, pattern) for pattern in patterns)]

    def get(self, unit, *properties):
        return {"Result": "timeout" if unit.endswith(".service") else "resources"}

    def start(self, unit):
        self.deeds.append(("start", unit))

    def reset_failed(self, unit):
        self.deeds.append(("reset", unit))

    def wait(self, job, timeout):
        return self.result


def unit(name, state):
    return UnitStatus(name, "", "loaded", state, "", "")


SOCKETS = [
    unit("nsunit-web-port-80.socket", "active"),
    unit("nsunit-web-port-80.service", "failed"),
    unit("nsunit-web-port-81.socket", "failed"),
    unit("nsunit-web.service", "failed"),
    unit("nsunit-other-port-80.socket", "failed"),
]
