"""Making, binding and giving back ports, one by one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from computed import errors
from computed.clients.neutron import info
from computed.clients.neutron.rest import NeutronRest
from computed.clients.neutron.wanted import Asker, Wanted, has_resource_request, profile_with_allocation
from computed.clients.port_resources import FindProviders, Providers, providers_for
from computed.lib.undo import UndoStack

LOG = logging.getLogger(__name__)

Record = Mapping[str, Any]

MIGRATING_TO = "migrating_to"
"""The key of a binding profile that says where the port is about to go."""
UNBOUND_TYPES = frozenset({"unbound", "binding_failed"})
_DEVICE_KEYS = (
    "allocation",
    "arq_uuid",
    "card_serial_number",
    "device_mac_address",
    "pci_slot",
    "pci_vendor_info",
    "pf_mac_address",
    "physical_network",
    "vf_num",
)
"""What a host writes into a binding profile; the rest belongs to whoever made the port."""


def make(asker: Asker, wanted: Wanted, group_ids: Sequence[str]) -> Record:
    """Create a port as the user, marked with the instance so that nobody else takes it.

    Raises PortLimitExceeded, NoMoreFixedIps, FixedIpAlreadyInUse, InvalidInput, NetworkNotFound,
    SecurityGroupNotFound, NetworksWithQoSPolicyNotSupported, PortBindingFailed.
    """
    network_id = wanted.network["id"]
    body: dict[str, Any] = {
        "device_id": asker.instance_uuid,
        "network_id": network_id,
        "admin_state_up": True,
        "tenant_id": asker.project_id,
    }
    if wanted.address:
        body["fixed_ips"] = [{"ip_address": wanted.address}]
    if group_ids:
        body["security_groups"] = list(group_ids)
    return asker.user.create_port(body)


@dataclass(frozen=True)
class Binding:
    """Where ports are bound: the owner neutron shall show, the host, and who serves resource requests."""

    owner: str
    host: str
    providers: Providers | FindProviders


def bind(asker: Asker, wanted: Wanted, port: Record, binding: Binding) -> Record:
    """Bind a port to the instance and host, as administrator; returns the port as neutron then has it.

    Raises PortBindingFailed when no mechanism could bind it, PortUpdateFailed when nobody serves its
    resource request, and what `NeutronRest.update_port` raises.
    """
    body: dict[str, Any] = {
        "device_id": asker.instance_uuid,
        "device_owner": binding.owner,
        "binding:host_id": binding.host,
    }
    if wanted.port is not None and has_resource_request(wanted.port):
        body["binding:profile"] = profile_with_allocation(
            wanted.port, providers_for(wanted.port, binding.providers)
        )
    elif wanted.port is not None and info.binding_profile(wanted.port):
        body["binding:profile"] = info.binding_profile(wanted.port)
    domain = wanted.network.get("dns_domain")
    if domain == "":
        # An empty domain: neutron's DNS integration is there, and serves the name itself.
        body["dns_name"] = asker.hostname
    bound = asker.admin.update_port(port["id"], body)
    if bound.get("binding:vif_type") == "binding_failed":
        raise errors.PortBindingFailed(port_id=port["id"])
    if domain:
        _publish_name(asker, port["id"])
    return bound


def _publish_name(asker: Asker, port_id: str) -> None:
    """An outside DNS service makes the record in the user's own zone, so it takes the user's token."""
    try:
        asker.user.update_port(port_id, {"dns_name": asker.hostname})
    except errors.NetworkRequestRefused as exc:
        if exc.status != 400:
            raise
        raise errors.InvalidInput(reason=f"{asker.hostname} is not a valid DNS name") from exc


def push_undo_of_make(asker: Asker, port_id: str, undo: UndoStack) -> None:
    """Have the port deleted on rollback."""
    undo.push(f"delete port {port_id}", lambda: delete(asker.user, asker.admin, port_id))


def push_undo_of_bind(asker: Asker, port: Record, undo: UndoStack) -> None:
    """Have a given port put back, on rollback, as it was before `bind`."""
    body: dict[str, Any] = {
        "device_id": "",
        "device_owner": "",
        "binding:host_id": None,
        "binding:profile": info.binding_profile(port),
    }
    if "dns_name" in port:
        body["dns_name"] = port["dns_name"] or ""
    undo.push(f"unbind port {port['id']}", lambda: _update_if_there(asker.admin, port["id"], body))


def delete(user: NeutronRest, admin: NeutronRest, port_id: str) -> None:
    """Delete a port that was made for an instance; one that is gone is as good as deleted.

    As the user, as stock does (an outside DNS record goes with it). Neutron refuses the user when no
    service token comes along, or when his token has expired: then as administrator.
    """
    try:
        user.delete_port(port_id)
    except (errors.Forbidden, errors.Unauthorized):
        admin.delete_port(port_id)


def release(user: NeutronRest, admin: NeutronRest, port: Record, dns_domain: str) -> None:
    """Take instance, host and what hosts wrote out of a port that the user gave; it stays his.

    `dns_domain` is that of the port's network; a name published in it is withdrawn as the user.
    """
    profile = {k: v for k, v in info.binding_profile(port).items() if k not in _DEVICE_KEYS}
    body: dict[str, Any] = {
        "device_id": "",
        "device_owner": "",
        "binding:host_id": None,
        "binding:profile": profile,
    }
    if "dns_name" in port and not dns_domain:
        body["dns_name"] = ""
    _update_if_there(admin, port["id"], body)
    if dns_domain and port.get("dns_name"):
        try:
            _update_if_there(user, port["id"], {"dns_name": ""})
        except Exception:
            # The port itself is free again; a stale DNS record must not keep the instance from going.
            LOG.exception("The DNS name of port %s was not withdrawn", port["id"])


def _update_if_there(rest: NeutronRest, port_id: str, body: dict[str, Any]) -> None:
    try:
        rest.update_port(port_id, body)
    except errors.PortNotFound:
        LOG.debug("Port %s is gone: there is nothing to release", port_id)


def unbind(admin: NeutronRest, port: Record, host: str) -> None:
    """Take `host` out of a port's binding, if it is bound there.

    Not by DELETE of the binding: neutron answers 404 to every later update of a port that has none, so
    that the next host could not bind it (seen with neutron 29).
    """
    if port.get("binding:host_id") == host:
        _update_if_there(admin, port["id"], {"binding:host_id": ""})


def rebinding(
    port: Record, owner: str, host: str, providers: Mapping[str, Sequence[str]] | None
) -> dict[str, Any]:
    """What an update must say for the port of an instance that now lives on `host`; {} when nothing.

    With `providers` (None: nothing is known of them) the profile names who serves the port's resource
    request; raises PortUpdateFailed when nobody does.
    """
    body: dict[str, Any] = {}
    if port.get("binding:host_id") != host or port.get("binding:vif_type") in UNBOUND_TYPES:
        body = {"binding:host_id": host, "device_owner": owner}
    profile = info.binding_profile(port)
    if providers is not None and has_resource_request(port):
        profile = profile_with_allocation(port, providers)
    if body:
        profile.pop(MIGRATING_TO, None)
    if profile != info.binding_profile(port):
        body["binding:profile"] = profile
    return body


def rebind(admin: NeutronRest, port: Record, host: str, body: dict[str, Any]) -> Record:
    """Do what `rebinding` found; returns the port as it is then.

    Raises PortBindingFailed, and what `NeutronRest.update_port` raises.
    """
    if "binding:vif_type" not in port:
        # Its last binding was deleted, as stock does before a reschedule; updates would find no port.
        profile = body.get("binding:profile", info.binding_profile(port))
        bound = bound_as(port, admin.create_binding(port["id"], {"host": host, "profile": profile}))
    else:
        bound = admin.update_port(port["id"], body) if body else port
    if bound.get("binding:vif_type") == "binding_failed":
        raise errors.PortBindingFailed(port_id=port["id"])
    return bound


def bound_as(port: Record, binding: Record) -> Record:
    """`port` as it shows once `binding`, as the binding API tells it, is its active one."""
    told = {f"binding:{key}": binding[key] for key in ("vif_type", "vif_details", "vnic_type", "profile")}
    return {**port, **told, "binding:host_id": binding["host"]}


def create_binding(admin: NeutronRest, vif: Record, host: str) -> dict[str, Any]:
    """An inactive binding of an interface's port to `host`, made or found there.

    Raises PortBindingFailed when no mechanism could bind it.
    """
    wanted = {"host": host, "vnic_type": vif["vnic_type"], "profile": dict(vif["profile"] or {})}
    try:
        binding = admin.create_binding(vif["id"], wanted)
    except errors.NetworkRequestRefused as error:
        if error.status != 409:
            raise
        binding = admin.show_binding(vif["id"], host)
    if binding.get("vif_type") == "binding_failed":
        raise errors.PortBindingFailed(port_id=vif["id"])
    return binding
