"""Guests of stock nova-compute live on under `computed`, and guests of both live on under stock again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration import accounts
from tests.integration.agents import COMPUTED, STOCK, Agent
from tests.integration.cloud import Cloud
from tests.integration.guest_image import marks
from tests.integration.libvirt.site import LARGE, Guest, Site
from tests.integration.plane import waiting

pytestmark = pytest.mark.long

#: fields of a hypervisor that tell one moment from another
_MOMENTARY = (
    "current_workload",
    "disk_available_least",
    "running_vms",
    "memory_mb_used",
    "free_ram_mb",
    "service",
)


@pytest.fixture(scope="module")
def stock(compute: Agent, agent_kind: str, cloud: Cloud) -> Iterator[Agent]:
    """The hypervisor under stock nova-compute; afterwards it is again what is tested."""
    _become(compute, STOCK, cloud)
    yield compute
    _become(compute, agent_kind, cloud)


def _become(agent: Agent, kind: str, cloud: Cloud) -> None:
    if agent.kind == kind:
        return
    if agent.kind == COMPUTED:
        agent.stop(30)
    else:
        # Stock waits minutes for threads that never end; it makes no difference to the guests.
        agent.kill()
    agent.become(kind)
    agent.start()
    cloud.wait_heartbeat([agent])


def test_the_operator_sees_the_same_host(stock: Agent, cloud: Cloud) -> None:
    _become(stock, STOCK, cloud)
    before = _seen(cloud, stock.host)
    _become(stock, COMPUTED, cloud)
    # By then it has looked at the host and told placement.
    waiting.until("a look at the host", lambda: _is_ready(stock), 60)
    # Ours does not check the signatures of images, and says so.
    before["traits"].remove("COMPUTE_TRUSTED_CERTS")
    assert _seen(cloud, stock.host) == before


def _is_ready(agent: Agent) -> None:
    if "This compute service is ready" not in agent.daemon.log.read_text().rpartition("\n=== ")[2]:
        raise waiting.NotYet(agent.daemon.tail())


def _seen(cloud: Cloud, host: str) -> dict[str, Any]:
    """What the control plane was told about a host, without what changes by the second."""
    node = cloud.hypervisor(host)
    assert node is not None
    facts = {key: value for key, value in node.items() if key not in _MOMENTARY}
    if isinstance(facts["cpu_info"], str):
        facts["cpu_info"] = json.loads(facts["cpu_info"])
    facts["cpu_info"]["features"].sort()
    inventories = cloud.provider(node["id"], "inventories")["inventories"]
    traits = sorted(cloud.provider(node["id"], "traits")["traits"])
    return {"facts": facts, "inventories": inventories, "traits": traits}


@pytest.fixture(scope="module")
def guests(stock: Agent, site: Site, cloud: Cloud) -> Iterator[list[Guest]]:
    """Three guests, born under stock."""
    _become(stock, STOCK, cloud)
    born = site.boot(3, "adopted")
    for guest in born:
        guest.ready(boots=1)
    yield born
    cloud.delete([guest.id for guest in born if guest.id in cloud.servers()])


def test_what_stock_booted_runs_on_under_ours(guests: list[Guest], stock: Agent, cloud: Cloud) -> None:
    before = _traces(guests)
    _become(stock, COMPUTED, cloud)
    cloud.wait_status(list(before), "ACTIVE")
    assert _traces(guests) == before


def test_power_of_an_adopted_guest(guests: list[Guest]) -> None:
    guest = guests[0]
    pid = guest.pid
    guest.verbs.there_and_back("pause_server", "PAUSED", "unpause_server")
    assert guest.pid == pid
    guest.lives_on()
    guest.verbs.there_and_back("suspend_server", "SUSPENDED", "resume_server")
    guest.lives_on()
    _reboot(guest, boots=2)
    _stop_and_start(guest, boots=3)
    guest.demo.reboot_server(guest.id, "HARD")
    guest.verbs.active()
    guest.ready(boots=4)


def test_disks_and_interfaces_of_an_adopted_guest(guests: list[Guest], cloud: Cloud) -> None:
    guest = guests[1]
    cloud.demo.image.delete_image(guest.snapshot("of adopted"))
    _interface(guest)
    guest.demo.rescue_server(guest.id)
    cloud.wait_status([guest.id], "RESCUE")
    guest.said("ready")
    guest.demo.unrescue_server(guest.id)
    guest.verbs.active()
    guest.ready(boots=2)


def test_shapes_of_an_adopted_guest(guests: list[Guest], site: Site) -> None:
    guest, host = guests[2], site.host.host
    guest.verbs.resize(LARGE[0], host)
    guest.verbs.revert(host)
    guest.ready(boots=2)
    guest.verbs.resize(LARGE[0], host)
    guest.verbs.confirm()
    guest.ready(boots=3)
    guest.verbs.shelve()
    guest.verbs.unshelve(host)
    guest.ready(boots=4)
    guest.verbs.rebuild(site.agent_image)
    guest.ready(boots=1)


def test_what_ours_booted_runs_on_under_stock(
    guests: list[Guest], stock: Agent, site: Site, cloud: Cloud
) -> None:
    assert stock.kind == COMPUTED
    guests += site.boot(1, "native")
    guests[-1].ready(boots=1)
    before = _traces(guests)
    assert accounts.faults(cloud, [stock], list(before)) == []
    _become(stock, STOCK, cloud)
    cloud.wait_status(list(before), "ACTIVE")
    assert _traces(guests) == before


def test_guests_given_back_obey_stock(guests: list[Guest], stock: Agent, site: Site, cloud: Cloud) -> None:
    assert stock.kind == STOCK
    power, disks, shapes, native = guests
    _reboot(power, boots=5)
    _interface(disks)
    _stop_and_start(shapes, boots=2)
    native.verbs.there_and_back("suspend_server", "SUSPENDED", "resume_server")
    native.lives_on()
    _interface(native)
    cloud.demo.image.delete_image(native.snapshot("of native"))
    _reboot(native, boots=2)
    before = native.pid
    native.verbs.resize(LARGE[0], site.host.host)
    native.verbs.confirm()
    # It cannot be heard: where serial consoles are on, stock gives a guest that it resizes on its host none.
    assert native.pid != before
    ids = [guest.id for guest in guests]
    assert accounts.faults(cloud, [stock], ids) == []
    cloud.delete(ids)
    assert site.domains() == []
    assert not [path for path in stock.instances.iterdir() if path.name in ids]


def _traces(guests: list[Guest]) -> dict[str, tuple[int, str]]:
    """What shows that nobody touched the running guests."""
    return {guest.id: (guest.pid, guest.domain) for guest in guests}


def _reboot(guest: Guest, boots: int) -> None:
    guest.demo.reboot_server(guest.id, "SOFT")
    guest.verbs.active()
    guest.ready(boots=boots)


def _stop_and_start(guest: Guest, boots: int) -> None:
    guest.demo.stop_server(guest.id)
    guest.site.cloud.wait_status([guest.id], "SHUTOFF")
    guest.demo.start_server(guest.id)
    guest.verbs.active()
    guest.ready(boots=boots)


def _interface(guest: Guest) -> None:
    # A guest that was suspended has a new process of QEMU, and with it a new log.
    known = len(marks(guest.console(), "link"))
    with guest.second_interface() as interface:
        assert guest.said("link", known + 1)[-1].values["mac"] == interface.mac_addr
    guest.said("gone")
