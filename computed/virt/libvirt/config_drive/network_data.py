"""What a guest is told of its network: network_data.json, and the addresses of the EC2 tree."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any, Final

_NAMED_TYPES: Final = frozenset({"bridge", "dvs", "hw_veb", "hyperv", "ovs", "tap", "vhostuser", "vif"})
"""Types of interfaces that guests are told of; every other one is called a physical link."""
_EVERYWHERE: Final = {4: "0.0.0.0", 6: "::"}


def describe(network_info: Any) -> dict[str, Any] | None:
    """Links, networks and services; None without interfaces. Of each network the first subnet of each
    address family counts."""
    if not network_info:
        return None
    links: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    services: list[dict[str, Any]] = []
    usable = (vif for vif in network_info if vif["network"] and vif["network"]["subnets"])
    for number, vif in enumerate(usable):
        subnets = [subnet for subnet in (_first(vif, 4), _first(vif, 6)) if subnet is not None]
        if not subnets:
            continue
        link = _link(vif, number)
        links.append(link)
        for subnet in subnets:
            if subnet["ips"]:
                networks.append(_network(vif, subnet, len(networks), link["id"]))
                services += [service for service in _services(subnet) if service not in services]
    return {"links": links, "networks": networks, "services": services}


def first_ipv4(network_info: Any) -> str | None:
    """The guest's first IPv4 address."""
    addresses = (ip["address"] for vif in network_info or () for ip in vif.fixed_ips() if ip["version"] == 4)
    return next(addresses, None)


def first_floating(network_info: Any) -> str:
    """The first floating address that leads to the guest, or nothing."""
    return next((ip["address"] for vif in network_info or () for ip in vif.floating_ips()), "")


def _first(vif: Any, version: int) -> Any:
    return next((subnet for subnet in vif["network"]["subnets"] if subnet["version"] == version), None)


def _link(vif: Any, number: int) -> dict[str, Any]:
    return {
        "id": vif["devname"] or f"interface{number}",
        "vif_id": vif["id"],
        "type": vif["type"] if vif["type"] in _NAMED_TYPES else "phy",
        "mtu": _mtu(vif),
        "ethernet_mac_address": vif["address"],
    }


def _mtu(vif: Any) -> int | None:
    """Guests that ask DHCP are told there."""
    if any(subnet.meta("dhcp_server") for subnet in vif["network"]["subnets"]):
        return None
    mtu: int | None = vif["network"].meta("mtu")
    return mtu


def _network(vif: Any, subnet: Any, number: int, link_id: str) -> dict[str, Any]:
    version = subnet["version"]
    named = {"id": f"network{number}", "link": link_id, "network_id": vif["network"]["id"]}
    mode = subnet.meta("ipv6_address_mode")
    if mode is None and (subnet.meta("dhcp_server") is not None or subnet.meta("enable_dhcp")):
        return {**named, "type": f"ipv{version}_dhcp"}
    return {
        **named,
        "type": f"ipv{version}" if mode is None else f"ipv{version}_{mode}",
        "ip_address": subnet["ips"][0]["address"],
        "netmask": str(_net(subnet["cidr"]).netmask),
        "routes": [*_default_route(subnet), *_routes(subnet["routes"])],
        "services": list(_services(subnet)),
    }


def _net(cidr: Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(str(cidr), strict=False)


def _default_route(subnet: Any) -> Iterator[dict[str, Any]]:
    gateway = (subnet["gateway"] or {}).get("address")
    if gateway:
        everywhere = _EVERYWHERE[subnet["version"]]
        yield {"network": everywhere, "netmask": everywhere, "gateway": gateway}


def _routes(routes: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for route in routes:
        net = _net(route["cidr"])
        yield {
            "network": str(net.network_address),
            "netmask": str(net.netmask),
            "gateway": route["gateway"]["address"],
        }


def _services(subnet: Any) -> Iterator[dict[str, Any]]:
    return ({"type": "dns", "address": server["address"]} for server in subnet["dns"])
