"""Interfaces of a real guest: queues, limits and packet sizes as ordered; given and taken while it runs."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("libvirt")

from computed import errors
from computed.objects import ImageMeta
from computed.objects.network_model import VIF
from computed.virt.collaborators import NOBODY
from computed.virt.libvirt.connection import Connection
from computed.virt.libvirt.events import Events
from computed.virt.libvirt.guest import Guest
from computed.virt.libvirt.interfaces import LibvirtInterfaces
from computed.virt.libvirt.network.plugging import Plugger
from computed.virt.libvirt.xml.devices.interface import Direction, Interface, Outbound
from tests.integration import guest_image
from tests.integration.guest_image import marks
from tests.integration.libvirt import privileged
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd
from tests.integration.libvirt.switch import Switch, can_have_devices, device, run, switch
from tests.integration.plane import waiting

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not can_have_devices(), reason="needs root and network devices"),
]

BRIDGE = "br-if-test"
BOOT_SECONDS = 90
LIMITS = {
    "quota:vif_inbound_average": "1000",
    "quota:vif_inbound_peak": "2000",
    "quota:vif_outbound_average": "500",
}
MakeVif = Callable[[], VIF]


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """Where QEMU, which is another user, may look; pytest's own directories are closed to it."""
    made = Path(f"/tmp/computed-interfaces-{uuid.uuid4().hex[:8]}")
    made.mkdir()
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def conf(directory: Path) -> Iterator[Any]:
    more = "[libvirt]\nvirt_type = qemu\ndevice_detach_attempts = 2\ndevice_detach_timeout = 4\n"
    yield privileged.configure(directory, more)
    privileged.stop_helpers()


@pytest.fixture(scope="module")
def ovs(directory: Path) -> Iterator[Switch]:
    with switch(BRIDGE, directory) as found:
        yield found


@pytest.fixture(scope="module")
def connection(own_libvirtd: OwnLibvirtd) -> Iterator[Connection]:
    made = Connection(own_libvirtd.uri())
    made.open()
    yield made
    made.close()


@pytest.fixture(scope="module")
def instance() -> Any:
    specs = {"hw:vif_multiqueue_enabled": "true"}
    return SimpleNamespace(
        uuid=str(uuid.uuid4()),
        name="computed-interfaces",
        project_id="p",
        flavor=SimpleNamespace(name="m1", vcpus=2, extra_specs=specs),
        image_meta=ImageMeta.from_dict({}),
    )


@pytest.fixture(scope="module")
def guest(connection: Connection, directory: Path, instance: Any) -> Iterator[Guest]:
    """A guest that has started, and answers the host when it wants a device back."""
    disk = directory / "disk"
    shutil.copyfile(guest_image.ensure().qcow2, disk)
    made = connection.define(
        f"""<domain type="qemu">
  <name>computed-interfaces-{instance.uuid[:8]}</name><uuid>{instance.uuid}</uuid>
  <memory unit="MiB">{guest_image.MEMORY_MIB}</memory><vcpu>2</vcpu>
  <metadata><nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
    <nova:name>x</nova:name></nova:instance></metadata>
  <os><type arch="x86_64" machine="pc">hvm</type><boot dev="hd"/></os>
  <features><acpi/></features>
  <devices>
    <disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="{disk}"/>
      <target dev="vda" bus="virtio"/></disk>
    <serial type="file"><source path="{directory}/console"/></serial>
  </devices>
</domain>"""
    )
    try:
        made.start()
        waiting.until("the guest", lambda: said(directory, "ready"), BOOT_SECONDS)
        yield made
    finally:
        made.destroy()
        made.undefine()


def said(directory: Path, word: str, text: str = "") -> None:
    """Raises NotYet until the guest has said it."""
    console = directory / "console"
    everything = console.read_text(errors="replace") if console.exists() else ""
    if not any(text in mark.text for mark in marks(everything, word)):
        raise waiting.NotYet(everything[-300:])


@pytest.fixture(scope="module")
def driver(conf: Any, connection: Connection, ovs: Switch) -> LibvirtInterfaces:
    made = LibvirtInterfaces()
    made._engine = SimpleNamespace(  # type: ignore[assignment]
        connection=connection,
        plugger=Plugger(conf),
        events=Events(connection),
        conf=conf,
        collaborators=NOBODY,
    )
    return made


@pytest.fixture
def make_vif() -> MakeVif:
    def make() -> VIF:
        port = str(uuid.uuid4())
        subnet = {"cidr": "10.61.0.0/24", "ips": [{"address": "10.61.0.7"}]}
        network = {"id": str(uuid.uuid4()), "bridge": BRIDGE, "subnets": [subnet], "meta": {"mtu": 1442}}
        return VIF.hydrate(
            {
                "id": port,
                "address": f"fa:16:3e:{port[0:2]}:{port[2:4]}:{port[4:6]}",
                "network": network,
                "type": "ovs",
                "details": {"datapath_type": "netdev"},
                "devname": f"tap{port}"[:14],
                "ovs_interfaceid": port,
                "delegate_create": True,
            }
        )

    return make


def found(guest: Guest, vif: VIF, *, inactive: bool = False) -> Interface | None:
    interfaces = guest.domain(inactive=inactive).interfaces
    return next((each for each in interfaces if each.mac == vif["address"]), None)


def ports(guest: Guest) -> list[str | None]:
    told = guest.domain().metadata
    return [port.uuid for port in told.ports] if told is not None else []


def test_an_interface_comes_and_goes_while_the_guest_runs(
    driver: LibvirtInterfaces, guest: Guest, instance: Any, ovs: Switch, make_vif: MakeVif, directory: Path
) -> None:
    vif = make_vif()
    driver.attach_interface(None, instance, instance.image_meta, vif)
    seen = f"mac={vif['address']} mtu=1442"
    waiting.until("the guest's own view", lambda: said(directory, "link", seen), 30)
    for inactive in (False, True):
        made = found(guest, vif, inactive=inactive)
        assert made is not None
        assert (made.type, made.mtu, made.model, made.driver_name) == ("ethernet", 1442, "virtio", "qemu")
    tap = device(vif["devname"])
    assert tap is not None
    assert tap["mtu"] == 1442
    assert ovs.row("Interface", vif["devname"], "external_ids")["vm-uuid"] == instance.uuid
    assert ports(guest) == [vif["id"]]
    with pytest.raises(errors.InterfaceAttachFailed):
        driver.attach_interface(None, instance, instance.image_meta, vif)
    assert ovs.ports() == [vif["devname"]]

    driver.detach_interface(None, instance, vif)
    assert (found(guest, vif), found(guest, vif, inactive=True)) == (None, None)
    assert (ovs.ports(), device(vif["devname"]), ports(guest)) == ([], None, [])
    driver.detach_interface(None, instance, vif)


def test_a_guest_that_stands_still_keeps_its_interface(
    driver: LibvirtInterfaces, guest: Guest, instance: Any, ovs: Switch, make_vif: MakeVif
) -> None:
    vif = make_vif()
    driver.attach_interface(None, instance, instance.image_meta, vif)
    guest.pause()
    try:
        with pytest.raises(errors.InterfaceDetachFailed):
            driver.detach_interface(None, instance, vif)
        assert found(guest, vif) is not None
        assert found(guest, vif, inactive=True) is not None
        assert ovs.ports() == [vif["devname"]]
    finally:
        guest.resume()
    driver.detach_interface(None, instance, vif)
    assert (found(guest, vif), ovs.ports()) == (None, [])


def test_what_libvirt_refuses_leaves_nothing(
    driver: LibvirtInterfaces, guest: Guest, instance: Any, ovs: Switch, make_vif: MakeVif
) -> None:
    vif = make_vif()
    # a name that another device has: libvirt cannot make the tap device
    run("ip", "link", "add", vif["devname"], "type", "bridge")
    with pytest.raises(errors.InterfaceAttachFailed):
        driver.attach_interface(None, instance, instance.image_meta, vif)
    assert (found(guest, vif), found(guest, vif, inactive=True), ovs.ports()) == (None, None, [])
    run("ip", "link", "del", vif["devname"], check=False)


def test_a_stopped_guest_starts_with_what_it_was_given(
    driver: LibvirtInterfaces, guest: Guest, instance: Any, ovs: Switch, make_vif: MakeVif
) -> None:
    guest.destroy()
    kept, taken = make_vif(), make_vif()
    for vif in (kept, taken):
        driver.attach_interface(None, instance, instance.image_meta, vif)
        assert found(guest, vif, inactive=True) is not None
        assert device(vif["devname"]) is None
    driver.detach_interface(None, instance, taken)
    guest.start(paused=True)
    assert (found(guest, taken), found(guest, kept) is not None) == (None, True)
    tap = device(kept["devname"])
    assert tap is not None
    assert (tap["mtu"], "UP" in tap["flags"]) == (1442, True)
    guest.destroy()
    shaped = make_vif()
    instance.flavor.extra_specs.update(LIMITS)
    driver.attach_interface(None, instance, instance.image_meta, shaped)
    made = found(guest, shaped, inactive=True)
    assert made is not None
    # What it starts with only: not every kernel that the tests run under can shape what passes.
    assert (made.inbound, made.outbound) == (Direction(average=1000, peak=2000), Outbound(average=500))
    for vif in (shaped, kept):
        driver.detach_interface(None, instance, vif)
    assert (ovs.ports(), device(kept["devname"])) == ([], None)
