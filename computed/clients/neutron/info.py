"""What the info cache says of a port: pure translation of neutron's records into the network model.

The keys are those that stock nova-compute 34 writes (contract/samples/instance_info_cache.json and a
cache read back from the stock stack): other nova services read them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from computed import errors

Json = dict[str, Any]
Record = Mapping[str, Any]

NIC_NAME_LEN = 14
_TUNNEL_TYPES = frozenset({"vxlan", "gre", "geneve"})
_OVS_VIF_TYPES = frozenset({"ovs", "agilio_ovs"})


@dataclass(frozen=True)
class Records:
    """Everything that was read of neutron to describe the ports of one instance."""

    networks: Mapping[str, Record]
    subnets: Sequence[Record]
    dhcp_ports: Sequence[Record] = ()
    floating_ips: Sequence[Record] = ()
    preserved_port_ids: frozenset[str] = field(default_factory=frozenset)
    """Ports that were given to the instance, not made for it."""
    ovs_bridge: str = "br-int"
    injected: bool = False


def subnet_ids(ports: Iterable[Record]) -> set[str]:
    """The subnets in which `ports` have an address."""
    return {fixed["subnet_id"] for port in ports for fixed in port["fixed_ips"]}


def binding_profile(port: Record) -> Json:
    """A copy of the port's binding profile; neutron leaves it out, or null, when there is none."""
    return dict(port.get("binding:profile") or {})


def physical_network(network: Record) -> tuple[str | None, bool]:
    """(physical network, whether it is a tunnel) of a network as an administrator sees it.

    A network of several segments is known by the first of them that lies on a physical network; raises
    NetworkMissingPhysicalNetwork when none does.
    """
    segments = network.get("segments") or []
    for segment in segments:
        if segment.get("provider:physical_network"):
            return segment["provider:physical_network"], False
    if segments:
        raise errors.NetworkMissingPhysicalNetwork(network_uuid=network["id"])
    return network.get("provider:physical_network"), network.get("provider:network_type") in _TUNNEL_TYPES


def vif(port: Record, records: Records) -> Json:
    """One entry of the info cache, as plain JSON, for `port` as an administrator sees it."""
    vif_type = port.get("binding:vif_type")
    bridge, ovs_interfaceid = _bridge(port, records.ovs_bridge)
    return {
        "id": port["id"],
        "address": port["mac_address"],
        "network": _network(port, bridge, records),
        "type": vif_type,
        "details": dict(port.get("binding:vif_details") or {}),
        "devname": f"tap{port['id']}"[:NIC_NAME_LEN],
        "ovs_interfaceid": ovs_interfaceid,
        "qbh_params": None,
        "qbg_params": None,
        # A port that is switched off in neutron will never become ACTIVE: nobody must wait for it.
        "active": port["admin_state_up"] is False or port["status"] == "ACTIVE",
        "vnic_type": port.get("binding:vnic_type") or "normal",
        "profile": binding_profile(port),
        "preserve_on_delete": port["id"] in records.preserved_port_ids,
        "delegate_create": True,
        "meta": {},
    }


def _bridge(port: Record, ovs_bridge: str) -> tuple[str | None, str | None]:
    """(bridge, interface id that Open vSwitch shall bear) by the port's kind of binding."""
    vif_type = port.get("binding:vif_type")
    details = port.get("binding:vif_details") or {}
    named = details.get("bridge_name")
    if vif_type in _OVS_VIF_TYPES or (vif_type == "vhostuser" and details.get("vhostuser_ovs_plug")):
        return (named or ovs_bridge)[:NIC_NAME_LEN], port["id"]
    if vif_type == "vhostuser" and details.get("vhostuser_fp_plug"):
        return (named or f"brq{port['network_id']}")[:NIC_NAME_LEN], None
    if vif_type == "dvs":
        # A port group is named after the whole network id.
        return port["network_id"], None
    if vif_type == "bridge":
        raise errors.InternalError(err=f"port {port['id']} is bound to a Linux bridge: not supported")
    return None, None


def _network(port: Record, bridge: str | None, records: Records) -> Json:
    network = records.networks.get(port["network_id"])
    if network is None:
        # Deleted, or hidden, between two reads: what the port itself says must do.
        network = {"id": port["network_id"], "name": None, "tenant_id": port["tenant_id"], "mtu": None}
    physnet, tunneled = physical_network(network)
    return {
        "id": port["network_id"],
        "bridge": bridge,
        "label": network["name"],
        "subnets": [_subnet(s, port, records) for s in records.subnets if s["id"] in subnet_ids([port])],
        "meta": {
            "injected": records.injected,
            "tenant_id": network["tenant_id"],
            "mtu": network.get("mtu"),
            "physical_network": physnet,
            "tunneled": tunneled,
        },
    }


def _subnet(subnet: Record, port: Record, records: Records) -> Json:
    meta: Json = {"enable_dhcp": bool(subnet.get("enable_dhcp"))}
    if subnet.get("ipv6_address_mode"):
        meta["ipv6_address_mode"] = subnet["ipv6_address_mode"]
    server = _dhcp_server(subnet, records.dhcp_ports)
    if server is not None:
        meta["dhcp_server"] = server
    return {
        "cidr": subnet["cidr"],
        "dns": [ip(address, "dns") for address in subnet.get("dns_nameservers") or []],
        "gateway": ip(subnet.get("gateway_ip"), "gateway"),
        "ips": [_fixed_ip(f, port, records) for f in port["fixed_ips"] if f["subnet_id"] == subnet["id"]],
        "routes": [_route(route) for route in subnet.get("host_routes") or []],
        "version": ipaddress.ip_network(subnet["cidr"], strict=False).version,
        "meta": meta,
    }


def _dhcp_server(subnet: Record, dhcp_ports: Iterable[Record]) -> str | None:
    """The address of a DHCP server in the subnet; of several agents the last one listed, as stock has it."""
    servers = [f["ip_address"] for p in dhcp_ports for f in p["fixed_ips"] if f["subnet_id"] == subnet["id"]]
    return servers[-1] if servers else None


def _fixed_ip(fixed: Record, port: Record, records: Records) -> Json:
    floating = [
        ip(f["floating_ip_address"], "floating")
        for f in records.floating_ips
        if f.get("port_id") == port["id"] and f.get("fixed_ip_address") == fixed["ip_address"]
    ]
    return {**ip(fixed["ip_address"], "fixed"), "floating_ips": floating}


def _route(route: Record) -> Json:
    return {
        "cidr": route["destination"],
        "gateway": ip(route["nexthop"], "gateway"),
        "interface": None,
        "meta": {},
    }


def ip(address: str | None, kind: str) -> Json:
    """An address of the model; a subnet without gateway has one whose address and version are null."""
    version = ipaddress.ip_address(address).version if address else None
    return {"address": address, "type": kind, "version": version, "meta": {}}
