"""The kinds of interfaces by the network service's names, and what each of them is called on the host.

Source: contract states.json, `network` (vif_types, vif_details_keys, vnic_type_groups) and host_files.json,
`network_devices`.
"""

from __future__ import annotations

from typing import Any, Final

from computed import errors

OVS: Final = "ovs"
BRIDGE: Final = "bridge"
VHOSTUSER: Final = "vhostuser"
TAP: Final = "tap"
HW_VEB: Final = "hw_veb"
HOSTDEV: Final = "hostdev_physical"
MACVTAP: Final = "macvtap"
PROFILE_802_1QBH: Final = "802.1qbh"
AGILIO_OVS: Final = "agilio_ovs"
IVS: Final = "ivs"
VROUTER: Final = "vrouter"
USER: Final = "user"
"""No kind of neutron's: QEMU plays a network for the guest by itself, in the one-host cloud."""

UNBOUND: Final = frozenset({"binding_failed", "unbound"})
"""No kinds at all: the network service could not, or did not, bind the port to this host."""

PASSTHROUGH_VNICS: Final = frozenset(
    {
        "direct",
        "direct-physical",
        "accelerator-direct",
        "accelerator-direct-physical",
        "remote-managed",
        "vdpa",
    }
)
"""The guest holds a PCI function itself: there is no model to choose, and nothing to shape."""

_NAME_LENGTH: Final = 14


def device_name(vif: Any) -> str:
    """What the interface is called on the host."""
    name: str = vif.get("devname") or named("nic", vif)
    return name


def named(prefix: str, vif: Any) -> str:
    """The name of something that belongs to the port: a prefix and as much of its id as fits."""
    name: str = f"{prefix}{vif['id']}"[:_NAME_LENGTH]
    return name


def is_hybrid(vif: Any) -> bool:
    """Whether a Linux bridge stands between the guest and Open vSwitch, for firewall rules to act on."""
    return bool(vif["details"].get("ovs_hybrid_plug"))


def is_tap_made_first(vif: Any) -> bool:
    """Whether the tap device is made when the port is plugged, before libvirt defines the guest."""
    return bool(vif["details"].get("ovs_create_tap"))


def mtu_of(vif: Any) -> int | None:
    """The largest packet of the network, in bytes."""
    network = vif["network"]
    mtu = network.get("meta", {}).get("mtu") if network else None
    return int(mtu) if mtu else None


def vhostuser_socket(vif: Any) -> tuple[str, str]:
    """(mode of the guest's side, path) of a vhost-user socket. Raises VifDetailsMissingVhostuserSockPath."""
    path = vif["details"].get("vhostuser_socket")
    if not path:
        raise errors.VifDetailsMissingVhostuserSockPath(vif_id=vif["id"])
    return vif["details"].get("vhostuser_mode") or "server", path


def vhostuser_name(vif: Any) -> str:
    """What the port of a vhost-user interface is called."""
    details = vif["details"]
    is_ovs = details.get("vhostuser_ovs_plug") and not details.get("vhostuser_fp_plug")
    return named("vhu", vif) if is_ovs else device_name(vif)


def pci_slot(vif: Any) -> str:
    """The address of the PCI function behind the port. Raises InternalError when the binding names none."""
    slot = (vif["profile"] or {}).get("pci_slot")
    if not slot:
        raise errors.InternalError(err=f"port {vif['id']} ({vif['type']}) is bound to no PCI function")
    return str(slot)


def refuse(vif: Any, doing: type[errors.NovaException]) -> errors.NovaException:
    """The error of class `doing` for an interface of a kind that this host cannot have."""
    kind = vif["type"]
    if kind is None:
        reason = "it has no vif_type: the network service has not said how to plug it"
    elif kind in UNBOUND:
        reason = (
            f"vif_type={kind}: the network service has not bound it to this host; see its log and whether "
            "an agent of it is alive here"
        )
    else:
        reason = f"unexpected vif_type={kind}"
    return doing(f"Port {vif['id']} cannot be plugged: {reason}")
