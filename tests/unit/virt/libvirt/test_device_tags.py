"""What a guest is told of its tagged devices, from the definition that libvirt has completed."""

from types import SimpleNamespace

import pytest

from computed.objects.network_model import VIF
from computed.virt.libvirt.device_tags import describe, wants_description
from computed.virt.libvirt.xml.domain import Domain
from computed.virt.specs import DiskSpec, GuestSpec

MAC = "52:54:00:00:00:01"
XML = f"""<domain><devices>
<disk type='file' device='disk'><target dev='vda' bus='virtio'/>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x04' function='0x0'/></disk>
<disk type='file' device='disk'><target dev='sda' bus='scsi'/>
  <address type='drive' controller='0' bus='0' target='0' unit='3'/></disk>
<disk type='file' device='disk'><target dev='hdb' bus='ide'/>
  <address type='drive' controller='0' bus='1' target='0' unit='0'/></disk>
<disk type='file' device='disk'><target dev='sdb' bus='usb'/></disk>
<interface type='bridge'><mac address='{MAC}'/>
  <address type='pci' domain='0x0000' bus='0x1f' slot='0x03' function='0x1'/></interface>
</devices></domain>"""


def make_spec(disks=(), **vif):
    vifs = [VIF(id="p1", address=MAC, **vif)] if vif else []
    return GuestSpec(SimpleNamespace(), None, vifs, tuple(disks))


@pytest.mark.parametrize(
    ("name", "bus", "address"),
    [
        ("/dev/vda", "PCIDeviceBus", "0000:00:04.0"),
        ("/dev/sda", "SCSIDeviceBus", "0:0:0:3"),
        ("/dev/hdb", "IDEDeviceBus", "1:0"),
        ("/dev/sdb", "USBDeviceBus", None),
    ],
)
def test_a_tagged_disk(name, bus, address):
    spec = make_spec(
        [DiskSpec("volume", name, 1, tag="data", volume_id="v1"), DiskSpec("blank", "/dev/vdz", 1)]
    )
    (told,) = describe(Domain.from_xml(XML), spec, {}).devices
    assert (told.tags, told.serial, told.bus.obj_name()) == (["data"], "v1", bus)
    assert (told.bus.address if "address" in told.bus else None) == address


@pytest.mark.parametrize(
    ("vif", "tags", "expected"),
    [
        ({"profile": None}, {MAC: "net"}, (["net"], None, False)),
        ({"profile": {"trusted": "true"}}, {MAC: "net"}, (["net"], None, True)),
        ({"details": {"vlan": "7"}}, {}, (None, 7, False)),
    ],
)
def test_an_interface(vif, tags, expected):
    (told,) = describe(Domain.from_xml(XML), make_spec(**vif), tags).devices
    given = [getattr(told, name) if name in told else None for name in ("tags", "vlan", "vf_trusted")]
    assert (tuple(given), told.bus.address) == (expected, "0000:1f:03.1")


def test_nothing_to_tell():
    spec = make_spec([DiskSpec("blank", "/dev/vda", 1)], profile=None)
    assert not wants_description(spec, {})
    assert describe(Domain.from_xml(XML), spec, {}) is None
