"""Interfaces in the words of os-vif, whose plugins put them into switches.

Source: contract host_files.json, network_devices (os_vif_ovs); the names are those that stock agents give, so
that either agent can take out what the other has plugged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from os_vif import objects

from computed import errors
from computed.virt.libvirt.network import vif_types

OVS_PLUGIN: Final = "ovs"
NO_PLUGIN: Final = "noop"


def instance_info(instance: Any) -> Any:
    """Whose interface it is."""
    info = objects.instance_info.InstanceInfo(uuid=instance.uuid, name=instance.name)
    if instance.project_id is not None:
        info.project_id = instance.project_id
    return info


def os_vif_of(vif: Any, *, is_multiqueue: bool = False) -> Any | None:
    """The object of a port, or None for kinds that os-vif has nothing to do with.

    Raises InternalError, VifDetailsMissingVhostuserSockPath.
    """
    make = _MAKERS.get(vif["type"])
    return make(vif, is_multiqueue) if make else None


def _ovs(vif: Any, is_multiqueue: bool) -> Any:
    vnic_type = vif["vnic_type"]
    if vnic_type in ("direct", "vdpa"):
        return _function(vif, OVS_PLUGIN, _representor_profile(vif))
    if vnic_type == "remote-managed":
        # The card's own agent sets up the other side.
        return _made(vif, objects.vif.VIFHostDevice, NO_PLUGIN, **_device(vif))
    profile = _ovs_profile(vif, is_multiqueue=is_multiqueue)
    name = vif_types.device_name(vif)
    if vif_types.is_hybrid(vif):
        bridge = vif_types.named("qbr", vif)
        return _made(
            vif, objects.vif.VIFBridge, OVS_PLUGIN, port_profile=profile, vif_name=name, bridge_name=bridge
        )
    profile.create_port = bool(vif["delegate_create"])
    made = _made(vif, objects.vif.VIFOpenVSwitch, OVS_PLUGIN, port_profile=profile, vif_name=name)
    if vif["network"]["bridge"] is not None:
        made.bridge_name = vif["network"]["bridge"]
    return made


def _ovs_profile(vif: Any, *, is_multiqueue: bool = False) -> Any:
    profile = objects.vif.VIFPortProfileOpenVSwitch(
        interface_id=vif["ovs_interfaceid"] or vif["id"], datapath_type=vif["details"].get("datapath_type")
    )
    if vif_types.is_tap_made_first(vif):
        if "create_tap" not in profile.fields:
            raise errors.InternalError(
                err=f"port {vif['id']} wants its tap device made first (ovs_create_tap): os-vif is too old"
            )
        profile.create_tap, profile.multiqueue = True, is_multiqueue
    return profile


def _representor_profile(vif: Any) -> Any:
    profile = objects.vif.VIFPortProfileOVSRepresentor(
        interface_id=vif["ovs_interfaceid"] or vif["id"], **_representor(vif)
    )
    return _offloaded(vif, profile)


def _representor(vif: Any) -> dict[str, str]:
    return {
        "representor_name": vif_types.device_name(vif),
        "representor_address": vif_types.pci_slot(vif),
    }


def _offloaded(vif: Any, profile: Any) -> Any:
    """`profile`, saying which device stands for the guest's function in the switch."""
    profile.datapath_offload = objects.vif.DatapathOffloadRepresentor(**_representor(vif))
    return profile


def _agilio_ovs(vif: Any, is_multiqueue: bool) -> Any:
    if vif["vnic_type"] == "direct":
        return _function(vif, "agilio_ovs", _representor_profile(vif))
    if vif["vnic_type"] == "virtio-forwarder":
        return _vhostuser_socket(vif, "agilio_ovs", port_profile=_representor_profile(vif))
    return _ovs(vif, is_multiqueue)


def _vhostuser(vif: Any, is_multiqueue: bool) -> Any:
    details = vif["details"]
    if details.get("vhostuser_fp_plug"):
        return _vhostuser_socket(vif, "vhostuser_fp", port_profile=_fast_path_profile(vif))
    if details.get("vhostuser_ovs_plug"):
        return _vhostuser_socket(vif, OVS_PLUGIN, port_profile=_ovs_profile(vif))
    is_vrouter = details.get("vhostuser_vrouter_plug")
    return _vhostuser_socket(vif, "contrail_vrouter" if is_vrouter else NO_PLUGIN)


def _fast_path_profile(vif: Any) -> Any:
    bridge = vif["network"]["bridge"]
    if not vif["details"].get("vhostuser_ovs_plug"):
        profile = objects.vif.VIFPortProfileFPBridge()
    else:
        profile = objects.vif.VIFPortProfileFPOpenVSwitch(
            interface_id=vif["ovs_interfaceid"] or vif["id"],
            datapath_type=vif["details"].get("datapath_type"),
            hybrid_plug=vif_types.is_hybrid(vif),
        )
        if vif_types.is_hybrid(vif):
            bridge = vif_types.named("qbr", vif)
    if bridge is not None:
        profile.bridge_name = bridge
    return profile


def _vhostuser_socket(vif: Any, plugin: str, **more: Any) -> Any:
    mode, path = vif_types.vhostuser_socket(vif)
    name = vif_types.vhostuser_name(vif)
    return _made(vif, objects.vif.VIFVHostUser, plugin, vif_name=name, mode=mode, path=path, **more)


def _ivs(vif: Any, is_multiqueue: bool) -> Any:
    name = vif_types.device_name(vif)
    if vif_types.is_hybrid(vif):
        bridge = vif_types.named("qbr", vif)
        return _made(vif, objects.vif.VIFBridge, "ivs", vif_name=name, bridge_name=bridge)
    return _made(vif, objects.vif.VIFGeneric, "ivs", vif_name=name)


def _vrouter(vif: Any, is_multiqueue: bool) -> Any:
    if vif["vnic_type"] == "direct":
        return _function(vif, "vrouter", _offloaded(vif, objects.vif.VIFPortProfileBase()))
    if vif["vnic_type"] == "virtio-forwarder":
        profile = _offloaded(vif, objects.vif.VIFPortProfileBase())
        return _vhostuser_socket(vif, "vrouter", port_profile=profile)
    return _made(vif, objects.vif.VIFGeneric, "vrouter", vif_name=vif_types.device_name(vif))


def _function(vif: Any, plugin: str, profile: Any) -> Any:
    return _made(vif, objects.vif.VIFHostDevice, plugin, port_profile=profile, **_device(vif))


def _device(vif: Any) -> dict[str, Any]:
    return {
        "dev_address": vif_types.pci_slot(vif),
        "dev_type": objects.fields.VIFHostDeviceDevType.ETHERNET,
    }


def _made(vif: Any, kind: Any, plugin: str, **more: Any) -> Any:
    return kind(
        id=vif["id"],
        address=vif["address"],
        network=_network(vif["network"]),
        has_traffic_filtering=bool(vif["details"].get("port_filter")),
        preserve_on_delete=bool(vif["preserve_on_delete"]),
        active=bool(vif["active"]),
        plugin=plugin,
        **more,
    )


def _network(network: Any) -> Any:
    meta = network.get("meta") or {}
    made = objects.network.Network(
        id=network["id"],
        bridge_interface=meta.get("bridge_interface"),
        subnets=objects.subnet.SubnetList(objects=[_subnet(subnet) for subnet in network["subnets"]]),
    )
    optional = {
        "bridge": network["bridge"],
        "label": network["label"],
        "mtu": meta.get("mtu"),
        "multi_host": meta.get("multi_host"),
    }
    for name, value in optional.items():
        if value is not None:
            setattr(made, name, value)
    return made


def _subnet(subnet: Any) -> Any:
    made = objects.subnet.Subnet(
        dns=[server["address"] for server in subnet["dns"]],
        ips=objects.fixed_ip.FixedIPList(objects=[_fixed_ip(ip) for ip in subnet["ips"]]),
        routes=objects.route.RouteList(objects=[_route(route) for route in subnet["routes"]]),
    )
    if subnet["cidr"] is not None:
        made.cidr = subnet["cidr"]
    if subnet["gateway"] is not None and subnet["gateway"]["address"] is not None:
        made.gateway = subnet["gateway"]["address"]
    return made


def _fixed_ip(ip: Any) -> Any:
    floating_ips = [floating["address"] for floating in ip["floating_ips"]]
    return objects.fixed_ip.FixedIP(address=ip["address"], floating_ips=floating_ips)


def _route(route: Any) -> Any:
    made = objects.route.Route(cidr=route["cidr"])
    if route["interface"] is not None:
        made.interface = route["interface"]
    if route["gateway"] is not None and route["gateway"]["address"] is not None:
        made.gateway = route["gateway"]["address"]
    return made


_MAKERS: Final[dict[str, Callable[[Any, bool], Any]]] = {
    vif_types.OVS: _ovs,
    vif_types.VHOSTUSER: _vhostuser,
    vif_types.AGILIO_OVS: _agilio_ovs,
    vif_types.IVS: _ivs,
    vif_types.VROUTER: _vrouter,
}
