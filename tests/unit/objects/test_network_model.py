"""The network model and what live migration does with it."""

from __future__ import annotations

import copy
import json

from computed import objects
from computed.objects.network_model import VIF, NetworkInfo

PORT = {
    "id": "port",
    "address": "fa:16:3e:00:00:01",
    "type": "ovs",
    "details": {"physical_network": "wire"},
    "profile": {"allocation": "rp"},
    "network": {
        "id": "net",
        "bridge": "br-int",
        "label": "private",
        "mtu": 1450,
        "subnets": [
            {
                "cidr": "2001:db8::/64",
                "gateway": {"address": "2001:db8::1", "type": "gateway"},
                "ips": [
                    {"address": "2001:db8::7", "floating_ips": [{"address": "192.0.2.9", "type": "floating"}]}
                ],
            }
        ],
    },
}


def test_what_has_no_key_of_its_own_is_meta() -> None:
    network = VIF.hydrate(PORT)["network"]
    assert network.meta("mtu") == 1450
    assert "mtu" not in network


def test_versions_are_worked_out_from_addresses() -> None:
    vif = VIF.hydrate(PORT)
    subnet = vif["network"]["subnets"][0]
    assert (subnet["version"], subnet["gateway"]["version"], subnet["ips"][0]["version"]) == (6, 6, 6)
    assert subnet["ips"][0]["type"] == "fixed"
    assert vif.floating_ips()[0]["version"] == 4


def test_text_read_and_written_again_is_the_same() -> None:
    text = NetworkInfo.hydrate([PORT]).json()
    again = NetworkInfo.from_json(text)
    assert json.loads(again.json()) == json.loads(text)
    assert again.vif("port") is again[0]
    assert again.vif("other") is None


def test_a_copy_shares_nothing_with_its_original() -> None:
    original = NetworkInfo.hydrate([PORT])
    copied = copy.deepcopy(original)
    copied[0]["network"]["subnets"][0]["ips"].clear()
    assert [ip["address"] for ip in original.fixed_ips()] == ["2001:db8::7"]
    assert list(copied.fixed_ips()) == []


def test_the_networks_word_on_its_wire_goes_before_the_bindings() -> None:
    vif = VIF.hydrate(PORT)
    assert vif.physical_network() == "wire"
    vif["network"]["meta"]["physical_network"] = "other"
    assert vif.physical_network() == "other"
    assert VIF(id="bare").physical_network() is None


def test_only_a_port_with_an_allocation_has_one() -> None:
    assert VIF.hydrate(PORT).has_allocation()
    assert not VIF(id="bare").has_allocation()


def test_a_port_is_plugged_at_the_destination_as_it_is_bound_there() -> None:
    vif = VIF.hydrate(PORT)
    there = objects.VIFMigrateData.of_source(vif)
    assert (there.profile, there.vif_details, there.supports_os_vif_delegation) == ({}, {}, False)
    there.vif_type, there.vnic_type, there.host = "bridge", "normal", "dest"
    there.vif_details = {"port_filter": True}
    there.supports_os_vif_delegation = True
    sent = objects.VIFMigrateData.obj_from_primitive(there.obj_to_primitive())
    plugged = sent.get_dest_vif()
    assert (plugged["type"], plugged["details"], plugged["delegate_create"]) == (
        "bridge",
        {"port_filter": True},
        True,
    )
    assert (plugged["id"], vif["type"]) == ("port", "ovs")


def test_connection_info_of_a_migrating_volume_travels_as_text() -> None:
    info = objects.LibvirtLiveMigrateBDMInfo(serial="volume")
    info.connection_info = {"driver_volume_type": "iscsi", "data": {"target_lun": 1}}
    primitive = info.obj_to_primitive()["nova_object.data"]
    assert json.loads(primitive["connection_info_json"]) == info.connection_info
