"""What a container cannot do without."""

from definitions import definition

from nsunit.plan.facts import Facts
from nsunit.plan.units import needed_containers, units

FACTS = Facts(257, "/usr/bin/python3", "/h/run.py", "/run/nsunit/containers/web", extras=(("tunnels", "/proxyd"),))


def test_the_unit_is_bound_to_what_it_needs():
    web = definition("Network=bridge", "Link=db cache", "Tunnel=mail:25", "IPCNamespace=container:db")
    assert needed_containers(web.container) == {
        "cache": "it is linked with",
        "db": "it shares namespaces with",
        "mail": "a tunnel leads to",
    }
    services = ("nsunit-cache.service", "nsunit-db.service", "nsunit-mail.service")
    properties = {item.name: item.value for item in units(web, FACTS).service.properties}
    assert properties["BindsTo"] == properties["After"] == services
    assert needed_containers(definition().container) == {}
