"""The ports in the metadata element of a guest (contract host_files.json, domain)."""

from __future__ import annotations

from typing import Any

from computed.virt.libvirt.xml.metadata import InstanceMetadata, MetaAddress, MetaPort


def meta_ports(network_info: Any) -> tuple[MetaPort, ...]:
    """What other programs on the host can read of the ports of a guest."""
    return tuple(meta_port(vif) for vif in network_info)


def meta_port(vif: Any) -> MetaPort:
    """The same of one port."""
    subnets = vif["network"]["subnets"] if vif["network"] else []
    addresses = [
        MetaAddress(type=ip["type"], address=ip["address"], ip_version=ip["version"])
        for subnet in subnets
        for ip in subnet["ips"]
    ]
    return MetaPort(uuid=vif["id"], addresses=addresses)


def with_port(metadata: InstanceMetadata, vif: Any) -> InstanceMetadata:
    """`metadata` changed so that the port is in it, once."""
    without_port(metadata, vif["id"])
    metadata.ports.append(meta_port(vif))
    return metadata


def without_port(metadata: InstanceMetadata, port_id: str) -> InstanceMetadata:
    """`metadata` changed so that the port is not in it."""
    metadata.ports = [port for port in metadata.ports if port.uuid != port_id]
    return metadata
