"""What ports look like to libvirt, as table rows: binding and wishes in, XML out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("lxml")

from computed import errors
from computed.objects import ImageMeta
from computed.objects.network_model import VIF
from computed.virt.libvirt.network.interface import devices, host_device, interface
from computed.virt.libvirt.network.pci_functions import PciNames
from computed.virt.libvirt.network.wishes import (
    InterfaceOptions,
    InterfaceWishes,
    Limits,
    most_queues,
    wishes_of,
)

PORT = "00000072-0000-4000-8000-000000000072"
PLAIN = InterfaceWishes(virt_type="kvm")
NAMES = PciNames(network_device=lambda address: "enp1v3", vdpa_device=lambda address: "/dev/vhost-vdpa-0")
SLOT = {"pci_slot": "0000:81:10.1"}
PCI = '<source><address type="pci" bus="0x81" domain="0x0000" slot="0x10" function="0x1"/></source>'


def a_vif(**changes: Any) -> VIF:
    network = {"id": "00000001-0000-4000-8000-000000000001", "bridge": "br-int", "meta": {"mtu": 1450}}
    values: dict[str, Any] = {
        "id": PORT,
        "address": "fa:16:3e:00:00:01",
        "network": network,
        "type": "ovs",
        "devname": "tap00000072-00",
        "ovs_interfaceid": PORT,
        "delegate_create": True,
    }
    return VIF.hydrate({**values, **changes})


def spelled(made: Any) -> str:
    return "".join(line.strip() for line in made.to_xml().splitlines())


def xml(
    kind: str, rest: str, *, model: str = '<model type="virtio"/>', mac: str = "fa:16:3e:00:00:01"
) -> str:
    return f'<interface {kind}><mac address="{mac}"/>{rest.replace("MODEL", model)}</interface>'


TAP = '<target dev="tap00000072-00"/>'
MTU = '<mtu size="1450"/>'
DIRECT = {"vnic_type": "direct", "profile": SLOT}
ROWS = {
    "ovs": ({}, xml('type="ethernet"', f"{TAP}MODEL{MTU}")),
    "ovs whose tap is made first": (
        {"details": {"ovs_create_tap": True}},
        xml('type="ethernet"', f'<target dev="tap00000072-00" managed="no"/>MODEL{MTU}'),
    ),
    "ovs plugged by libvirt": (
        {"delegate_create": False},
        xml(
            'type="bridge"',
            f'<source bridge="br-int"/><virtualport type="openvswitch"><parameters interfaceid="{PORT}"/>'
            f"</virtualport>{TAP}MODEL{MTU}",
        ),
    ),
    "ovs behind a Linux bridge": (
        {"details": {"ovs_hybrid_plug": True}},
        xml('type="bridge"', f'<source bridge="qbr00000072-00"/>{TAP}MODEL{MTU}'),
    ),
    "ovs, virtual function": ({**DIRECT}, xml('type="hostdev" managed="yes"', PCI)),
    "ovs, remote managed": (
        {**DIRECT, "vnic_type": "remote-managed"},
        xml('type="hostdev" managed="yes"', PCI),
    ),
    "ovs, vdpa": (
        {**DIRECT, "vnic_type": "vdpa"},
        xml('type="vdpa"', '<source dev="/dev/vhost-vdpa-0"/>'),
    ),
    "bridge": (
        {"type": "bridge", "network": {"id": PORT, "bridge": "brq-net"}},
        xml('type="bridge"', f'<source bridge="brq-net"/>{TAP}MODEL'),
    ),
    "tap": (
        {"type": "tap"},
        xml('type="ethernet"', f'<target dev="tap00000072-00" managed="no"/>MODEL{MTU}'),
    ),
    "vhostuser": (
        {"type": "vhostuser", "details": {"vhostuser_socket": "/run/x.sock", "vhostuser_mode": "client"}},
        xml('type="vhostuser"', f'<source mode="client" type="unix" path="/run/x.sock"/>{TAP}MODEL'),
    ),
    "vhostuser by ovs": (
        {"type": "vhostuser", "details": {"vhostuser_socket": "/run/x.sock", "vhostuser_ovs_plug": True}},
        xml(
            'type="vhostuser"',
            '<source mode="server" type="unix" path="/run/x.sock"/><target dev="vhu00000072-00"/>MODEL',
        ),
    ),
    "hw_veb": (
        {"type": "hw_veb", "details": {"vlan": "100"}, **DIRECT},
        xml('type="hostdev" managed="yes"', f'{PCI}<vlan><tag id="100"/></vlan>'),
    ),
    "hw_veb by macvtap": (
        {"type": "hw_veb", "details": {"vlan": 100}, "vnic_type": "macvtap", "profile": SLOT},
        xml(
            'type="direct"',
            '<source dev="enp1v3" mode="passthrough"/><vlan><tag id="100"/></vlan>MODEL'
            '<driver name="vhost"/>',
        ),
    ),
    "802.1qbh": (
        {"type": "802.1qbh", "details": {"profileid": "gold"}, "vnic_type": "macvtap", "profile": SLOT},
        xml(
            'type="direct"',
            '<source dev="enp1v3" mode="passthrough"/><virtualport type="802.1Qbh">'
            '<parameters profileid="gold"/></virtualport>MODEL<driver name="vhost"/>',
        ),
    ),
    "macvtap": (
        {
            "type": "macvtap",
            "details": {"macvtap_source": "eth1.7", "macvtap_mode": "vepa", "physical_interface": "eth1"},
        },
        xml('type="direct"', '<source dev="eth1.7" mode="vepa"/>MODEL'),
    ),
    "the hypervisor's own network": ({"type": "user"}, xml('type="user"', "MODEL")),
    "without a name of its own": (
        {"devname": None},
        xml('type="ethernet"', f'<target dev="nic00000072-00"/>MODEL{MTU}'),
    ),
}


@pytest.mark.parametrize(("changes", "wanted"), ROWS.values(), ids=ROWS.keys())
def test_a_port_as_libvirt_sees_it(changes: dict[str, Any], wanted: str) -> None:
    assert spelled(interface(a_vif(**changes), PLAIN, NAMES)) == wanted


def test_a_whole_function_is_no_interface() -> None:
    vif = a_vif(type="hostdev_physical", vnic_type="direct-physical", profile=SLOT)
    assert spelled(host_device(vif)) == f'<hostdev mode="subsystem" type="pci" managed="yes">{PCI}</hostdev>'
    interfaces, host_devices = devices([a_vif(), vif], PLAIN, NAMES)
    assert [made.target_dev for made in interfaces] == ["tap00000072-00"]
    assert host_devices == [host_device(vif)]


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"type": "binding_failed"}, errors.InternalError, "not bound it to this host"),
        ({"type": "unbound"}, errors.InternalError, "not bound it to this host"),
        ({"type": "midonet"}, errors.InternalError, "unexpected vif_type=midonet"),
        ({"type": "dvs"}, errors.InternalError, "unexpected vif_type=dvs"),
        ({"type": None}, errors.InternalError, "no vif_type"),
        ({"type": "vhostuser"}, errors.VifDetailsMissingVhostuserSockPath, PORT),
        ({"type": "macvtap"}, errors.VifDetailsMissingMacvtapParameters, "macvtap_mode"),
        ({"type": "hw_veb", "vnic_type": "direct"}, errors.InternalError, "no PCI function"),
        (
            {"type": "hw_veb", "vnic_type": "direct", "profile": {"pci_slot": "../../etc"}},
            errors.PciDeviceWrongAddressFormat,
            "no PCI address",
        ),
        ({"type": "bridge", "network": {"id": PORT}}, errors.InternalError, "names no bridge"),
    ],
)
def test_what_cannot_be_had_is_refused(changes: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        interface(a_vif(**changes), PLAIN, NAMES)


def a_flavor(vcpus: int = 1, **extra_specs: str) -> Any:
    specs = {name.replace("__", ":"): value for name, value in extra_specs.items()}
    return SimpleNamespace(name="m1", vcpus=vcpus, extra_specs=specs)


def image(**properties: Any) -> ImageMeta:
    return ImageMeta.from_dict({"properties": properties})


WISHES = {
    "nothing, kvm": (a_flavor(), image(), {}, '<model type="virtio"/>'),
    "nothing, qemu": (
        a_flavor(),
        image(),
        {"virt_type": "qemu"},
        '<model type="virtio"/><driver name="qemu"/>',
    ),
    "nothing, no virtio": (a_flavor(), image(), {"is_virtio_default": False}, ""),
    "lxc": (a_flavor(), image(), {"virt_type": "lxc"}, ""),
    "a model": (a_flavor(), image(hw_vif_model="e1000"), {"rx_queue_size": 512}, '<model type="e1000"/>'),
    "queues": (
        a_flavor(4, hw__vif_multiqueue_enabled="true"),
        image(),
        {},
        '<model type="virtio"/><driver name="vhost" queues="4"/>',
    ),
    "queues by the image, as many as the kernel has": (
        a_flavor(16),
        image(hw_vif_multiqueue_enabled="yes"),
        {"max_queues": 8},
        '<model type="virtio"/><driver name="vhost" queues="8"/>',
    ),
    "queues for one processor": (
        a_flavor(1, hw__vif_multiqueue_enabled="true"),
        image(),
        {},
        '<model type="virtio"/>',
    ),
    "queues under emulation": (
        a_flavor(4, hw__vif_multiqueue_enabled="true"),
        image(),
        {"virt_type": "qemu"},
        '<model type="virtio"/><driver name="qemu"/>',
    ),
    "a long queue": (
        a_flavor(),
        image(),
        {"rx_queue_size": 512, "tx_queue_size": 1024},
        '<model type="virtio"/><driver name="vhost" rx_queue_size="512"/>',
    ),
    "a packed ring": (
        a_flavor(hw__virtio_packed_ring="true"),
        image(),
        {},
        '<model type="virtio"/><driver packed="on"/>',
    ),
}


@pytest.mark.parametrize(("flavor", "meta", "options", "wanted"), WISHES.values(), ids=WISHES.keys())
def test_what_flavor_image_and_options_say(
    flavor: Any, meta: Any, options: dict[str, Any], wanted: str
) -> None:
    wishes = wishes_of(flavor, meta, InterfaceOptions(**options))
    assert spelled(interface(a_vif(), wishes)) == xml('type="ethernet"', f"{TAP}{wanted}{MTU}")


def test_a_vhostuser_socket_has_both_queues() -> None:
    vif = a_vif(type="vhostuser", details={"vhostuser_socket": "/run/x.sock"})
    options = InterfaceOptions(rx_queue_size=512, tx_queue_size=1024)
    made = interface(vif, wishes_of(a_flavor(2, hw__vif_multiqueue_enabled="true"), image(), options))
    assert (made.driver_name, made.queues, made.rx_queue_size, made.tx_queue_size) == (None, 2, 512, 1024)


def test_a_flavor_limits_what_passes() -> None:
    flavor = a_flavor(
        quota__vif_inbound_average="100", quota__vif_inbound_peak="200", quota__vif_outbound_average="10",
        quota__vif_outbound_burst="30",
    )  # fmt: skip
    wishes = wishes_of(flavor, image(), InterfaceOptions())
    assert (wishes.inbound, wishes.outbound) == (Limits(100, 200, None), Limits(10, None, 30))
    made = spelled(interface(a_vif(), wishes))
    bandwidth = (
        '<bandwidth><inbound average="100" peak="200"/><outbound average="10" burst="30"/></bandwidth>'
    )
    assert bandwidth in made
    unlimited = {"type": "vhostuser", "details": {"vhostuser_socket": "/run/x.sock"}}
    assert "bandwidth" not in spelled(interface(a_vif(**unlimited), wishes))
    assert "bandwidth" not in spelled(interface(a_vif(**DIRECT), wishes))


@pytest.mark.parametrize(
    ("flavor", "meta", "options", "error"),
    [
        (a_flavor(), image(hw_vif_model="lan9118"), {}, errors.UnsupportedHardware),
        (a_flavor(), image(hw_vif_model="netfront"), {"virt_type": "qemu"}, errors.UnsupportedHardware),
        (a_flavor(), image(hw_vif_model="virtio"), {"virt_type": "lxc"}, errors.UnsupportedHardware),
        (a_flavor(), image(), {"virt_type": "xen"}, errors.UnsupportedVirtType),
        (
            a_flavor(2, hw__vif_multiqueue_enabled="true"),
            image(hw_vif_multiqueue_enabled="false"),
            {},
            errors.FlavorImageConflict,
        ),
        (
            a_flavor(hw__virtio_packed_ring="false"),
            image(hw_virtio_packed_ring="true"),
            {},
            errors.FlavorImageConflict,
        ),
        (a_flavor(quota__vif_inbound_average="fast"), image(), {}, errors.Invalid),
        (a_flavor(quota__vif_inbound_average="-1"), image(), {}, errors.Invalid),
    ],
)
def test_wishes_that_cannot_be_granted(
    flavor: Any, meta: Any, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        wishes_of(flavor, meta, InterfaceOptions(**options))


@pytest.mark.parametrize(
    ("release", "queues"), [("2.6.32", 1), ("3.10.0-1160.el7", 8), ("4.19.0-27-amd64", 256), ("6.1.0", None)]
)
def test_how_many_queues_a_kernel_has(release: str, queues: int | None) -> None:
    assert most_queues(release) == queues
