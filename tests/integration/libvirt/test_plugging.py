"""Ports plugged into real switches: Open vSwitch in user space, a Linux bridge, bare tap devices."""

from __future__ import annotations

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
from computed.virt.libvirt.network.plugging import Plugger
from tests.integration.libvirt import privileged
from tests.integration.libvirt.switch import Switch, can_have_devices, device, run, switch, vsctl

pytestmark = pytest.mark.skipif(not can_have_devices(), reason="needs root and network devices")

BRIDGE = "br-net-test"
MAC = "fa:16:3e:0a:0b:0c"
MakeVif = Callable[..., VIF]


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield privileged.configure(tmp_path_factory.mktemp("conf"))
    privileged.stop_helpers()


@pytest.fixture(scope="module")
def ovs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    with switch(BRIDGE, tmp_path_factory.mktemp("ovs")) as found:
        yield found


@pytest.fixture
def plugger(conf: Any) -> Plugger:
    return Plugger(conf)


@pytest.fixture
def instance() -> Any:
    flavor = SimpleNamespace(name="m1", vcpus=2, extra_specs={"hw:vif_multiqueue_enabled": "true"})
    return SimpleNamespace(
        uuid=str(uuid.uuid4()),
        name="instance-00000abc",
        project_id="p",
        flavor=flavor,
        image_meta=ImageMeta.from_dict({}),
    )


@pytest.fixture
def make_vif() -> Iterator[MakeVif]:
    """Ports of this test; devices that bear their names are gone afterwards."""
    made: list[str] = []

    def make(**changes: Any) -> VIF:
        port = str(uuid.uuid4())
        made.append(port)
        network = {"id": str(uuid.uuid4()), "bridge": BRIDGE, "label": "net", "meta": {"mtu": 1442}}
        values = {
            "id": port,
            "address": MAC,
            "network": network,
            "type": "ovs",
            "details": {"datapath_type": "netdev"},
            "devname": f"tap{port}"[:14],
            "ovs_interfaceid": port,
            "delegate_create": True,
        }
        return VIF.hydrate({**values, **changes})

    yield make
    for port in made:
        for prefix in ("tap", "qbr", "qvb"):
            run("ip", "link", "del", f"{prefix}{port}"[:14], check=False)


def identity(vif: VIF, instance: Any) -> dict[str, str]:
    """What stock agents write beside a port (contract host_files.json, interface_external_ids)."""
    return {
        "iface-id": vif["id"],
        "iface-status": "active",
        "attached-mac": MAC,
        "vm-uuid": instance.uuid,
    }


def test_a_port_of_open_vswitch(ovs: Switch, plugger: Plugger, instance: Any, make_vif: MakeVif) -> None:
    vif = make_vif()
    for _ in range(2):
        plugger.plug(instance, vif)
        assert ovs.ports() == [vif["devname"]]
        assert ovs.row("Interface", vif["devname"], "external_ids") == identity(vif, instance)
    # libvirt makes the tap device when the guest starts, and it goes with the guest; or it does not
    run("ip", "tuntap", "add", vif["devname"], "mode", "tap")
    for _ in range(2):
        plugger.unplug(instance, vif)
        assert (ovs.ports(), device(vif["devname"])) == ([], None)
    assert vsctl("--columns=name", "find", "Interface", f"name={vif['devname']}") == ""


def test_a_port_whose_tap_is_made_first(
    ovs: Switch, plugger: Plugger, instance: Any, make_vif: MakeVif
) -> None:
    vif = make_vif(details={"datapath_type": "netdev", "ovs_create_tap": True})
    for _ in range(2):
        plugger.plug(instance, vif)
        tap = device(vif["devname"])
        assert tap is not None
        assert tap["linkinfo"]["info_data"]["multi_queue"] is True
        assert (tap["address"], tap["mtu"]) == (MAC, 1442)
    plugger.unplug(instance, vif)
    assert (ovs.ports(), device(vif["devname"])) == ([], None)


def test_a_port_behind_a_bridge_of_its_own(
    ovs: Switch, plugger: Plugger, instance: Any, make_vif: MakeVif
) -> None:
    vif = make_vif(details={"datapath_type": "netdev", "ovs_hybrid_plug": True})
    bridge, inner, outer = (f"{prefix}{vif['id']}"[:14] for prefix in ("qbr", "qvb", "qvo"))
    for _ in range(2):
        plugger.plug(instance, vif)
        joined = device(inner)
        assert joined is not None
        assert (joined["master"], joined["mtu"]) == (bridge, 1442)
        assert ovs.ports() == [outer]
        assert ovs.row("Interface", outer, "external_ids") == identity(vif, instance)
    for _ in range(2):
        plugger.unplug(instance, vif)
        assert (ovs.ports(), device(bridge), device(inner), device(outer)) == ([], None, None, None)


@pytest.mark.parametrize(("mode", "kind"), [("server", "dpdkvhostuserclient"), ("client", "dpdkvhostuser")])
def test_a_vhostuser_socket(
    ovs: Switch, plugger: Plugger, instance: Any, make_vif: MakeVif, mode: str, kind: str
) -> None:
    details = {
        "vhostuser_ovs_plug": True,
        "vhostuser_mode": mode,
        "vhostuser_socket": "/run/net-test.sock",
        "datapath_type": "netdev",
    }
    vif = make_vif(type="vhostuser", details=details)
    name = f"vhu{vif['id']}"[:14]
    plugger.plug(instance, vif)
    assert ovs.row("Interface", name, "type") == kind
    assert ovs.row("Interface", name, "mtu_request") == 1442
    assert ovs.row("Interface", name, "external_ids") == identity(vif, instance)
    plugger.unplug(instance, vif)
    assert ovs.ports() == []


def test_a_linux_bridge(plugger: Plugger, instance: Any, make_vif: MakeVif) -> None:
    network = {"id": str(uuid.uuid4()), "bridge": "brq-net-test", "meta": {"mtu": 1400}}
    vif = make_vif(type="bridge", network=network, details={})
    try:
        for _ in range(2):
            plugger.plug(instance, vif)
            made = device("brq-net-test")
            assert made is not None
            assert (made["linkinfo"]["info_kind"], made["mtu"]) == ("bridge", 1400)
            assert made["linkinfo"]["info_data"]["forward_delay"] == 0
            assert "UP" in made["flags"]
        assert Path("/proc/sys/net/ipv6/conf/brq-net-test/disable_ipv6").read_text().strip() == "1"
        plugger.unplug(instance, vif)
        # other guests may be in it
        assert device("brq-net-test") is not None
    finally:
        run("ip", "link", "del", "brq-net-test", check=False)


def test_a_bare_tap_device(plugger: Plugger, instance: Any, make_vif: MakeVif) -> None:
    vif = make_vif(type="tap", details={"mac_address": "fa:16:3e:ff:ff:01"})
    for _ in range(2):
        plugger.plug(instance, vif)
        made = device(vif["devname"])
        assert made is not None
        assert (made["address"], made["mtu"]) == ("fa:16:3e:ff:ff:01", 1442)
        assert made["linkinfo"]["info_data"]["multi_queue"] is True
    for _ in range(2):
        plugger.unplug(instance, vif)
        assert device(vif["devname"]) is None


def test_what_is_no_tap_device_is_not_deleted(plugger: Plugger, instance: Any, make_vif: MakeVif) -> None:
    vif = make_vif(type="tap", details={})
    run("ip", "link", "add", vif["devname"], "type", "bridge")
    with pytest.raises(errors.VirtualInterfaceUnplugException, match="not a tap device"):
        plugger.unplug(instance, vif)
    assert device(vif["devname"]) is not None


@pytest.mark.parametrize("kind", ["binding_failed", "unbound"])
def test_a_port_that_is_bound_nowhere(plugger: Plugger, instance: Any, make_vif: MakeVif, kind: str) -> None:
    vif = make_vif(type=kind)
    with pytest.raises(errors.VirtualInterfacePlugException, match="not bound it to this host"):
        plugger.plug(instance, vif)
    plugger.unplug(instance, vif)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"type": "midonet"}, "unexpected vif_type=midonet"),
        ({"type": None}, "no vif_type"),
        ({"type": "vrouter"}, "no os-vif plugin for vif_type=vrouter"),
        ({"type": "vhostuser", "details": {}}, "names no vhost-user socket"),
        ({"type": "bridge", "network": {"id": str(uuid.uuid4()), "bridge": "../../x"}}, "not the name"),
        ({"type": "hw_veb", "vnic_type": "macvtap", "profile": {"pci_slot": "0000:ff:1f.7"}}, "PCI device"),
    ],
)
def test_what_cannot_be_plugged_is_said(
    plugger: Plugger, instance: Any, make_vif: MakeVif, changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(errors.VirtualInterfacePlugException, match=text):
        plugger.plug(instance, make_vif(**changes))
