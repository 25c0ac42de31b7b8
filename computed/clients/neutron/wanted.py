"""Which networks and ports a boot shall get: the request checked against what neutron has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from oslo_utils import uuidutils

from computed import errors
from computed.clients.neutron import info
from computed.clients.neutron.faults import About
from computed.clients.neutron.rest import NeutronRest
from computed.objects.network_request import NETWORK_ID_AUTO

Record = Mapping[str, Any]
DEFAULT_GROUP = "default"


class NetworkRequest(Protocol):
    """What is read of an objects.NetworkRequest."""

    network_id: Any
    port_id: Any
    address: Any
    pci_request_id: Any


@dataclass(frozen=True)
class Wanted:
    """One interface to be: on `network`, through the given `port` or through one still to be made."""

    network: Record
    port: Record | None = None
    address: str | None = None


@dataclass(frozen=True)
class Asker:
    """For whom networks are sought, and the two views of neutron on his behalf."""

    user: NeutronRest
    admin: NeutronRest
    instance_uuid: str
    project_id: str
    hostname: str | None
    may_attach_external: bool


class ProviderFacts(Protocol):
    """Remembers the physical side of networks, which only an administrator sees (see service.py)."""

    def complete(self, admin: NeutronRest, network: Record) -> Record:
        """`network` with its physical side."""


def find(asker: Asker, requests: Sequence[NetworkRequest], facts: ProviderFacts) -> list[Wanted]:
    """What `requests` come to, in their order; [] when nothing is asked and nothing is available.

    Raises PortNotFound, PortNotUsable, PortInUse, PortNotUsableDNS, PortBindingFailed, NetworkNotFound,
    NetworkAmbiguous, InterfaceAttachFailedNoNetwork, UnableToAutoAllocateNetwork,
    ExternalNetworkAttachForbidden, PciDeviceNotFound.
    """
    named = [r for r in requests if r.port_id or (r.network_id and r.network_id != NETWORK_ID_AUTO)]
    found = _named(asker, named) if named else _only_one(asker, requests, facts)
    _refuse_external(asker, [w.network for w in found])
    return found


def _named(asker: Asker, requests: Sequence[NetworkRequest]) -> list[Wanted]:
    for request in requests:
        if request.pci_request_id:
            # The claim of PCI devices and their binding profiles belong to the PCI work (issue 2 has none).
            raise errors.PciDeviceNotFound(node_id="this host", address=request.pci_request_id)
    ports = _given_ports(asker, [str(r.port_id) for r in requests if r.port_id])
    network_ids = [ports[r.port_id]["network_id"] if r.port_id else r.network_id for r in requests]
    # The administrator's view, because only it has the physical side; whether the user may use a network
    # is for neutron to say when the port is made with the user's token.
    networks = {n["id"]: n for n in asker.admin.search("networks", id=network_ids)}
    for network_id in network_ids:
        if network_id not in networks:
            raise errors.NetworkNotFound(network_id=network_id)
    return [
        Wanted(networks[network_id], ports.get(r.port_id), str(r.address) if r.address else None)
        for r, network_id in zip(requests, network_ids, strict=True)
    ]


def _given_ports(asker: Asker, port_ids: Sequence[str]) -> dict[str, Record]:
    if not port_ids:
        return {}
    ports: dict[str, Record] = {p["id"]: p for p in asker.admin.search("ports", id=port_ids)}
    for port_id in port_ids:
        if port_id not in ports:
            raise errors.PortNotFound(port_id=port_id)
        _check_given(asker, ports[port_id])
    return ports


def _check_given(asker: Asker, port: Record) -> None:
    port_id = port["id"]
    if port["tenant_id"] != asker.project_id:
        raise errors.PortNotUsable(port_id=port_id, instance=asker.instance_uuid)
    if port.get("device_id"):
        raise errors.PortInUse(port_id=port_id)
    dns_name = port.get("dns_name")
    if dns_name and dns_name != asker.hostname:
        raise errors.PortNotUsableDNS(
            port_id=port_id, instance=asker.instance_uuid, value=dns_name, hostname=asker.hostname
        )
    if port.get("binding:vif_type") == "binding_failed":
        raise errors.PortBindingFailed(port_id=port_id)


def _only_one(asker: Asker, requests: Sequence[NetworkRequest], facts: ProviderFacts) -> list[Wanted]:
    """The one network the project has, else the one made for it when the request is "auto"."""
    auto = any(r.network_id == NETWORK_ID_AUTO for r in requests)
    networks = _available(asker, ready_only=auto)
    if len(networks) > 1:
        raise errors.NetworkAmbiguous()
    if not networks:
        if auto:
            return [Wanted(_auto_allocated(asker))]
        if requests:
            raise errors.InterfaceAttachFailedNoNetwork(project_id=asker.project_id)
        return []
    return [Wanted(facts.complete(asker.admin, networks[0]))]


def _available(asker: Asker, *, ready_only: bool) -> list[Record]:
    """The project's own networks and those shared with it.

    A network under construction is switched off, and must not be taken when neutron makes networks itself.
    """
    return [
        n
        for n in asker.user.search("networks")
        if n["shared"] or (n["tenant_id"] == asker.project_id and (n["admin_state_up"] or not ready_only))
    ]


def _auto_allocated(asker: Asker) -> Record:
    """Neutron's get-me-a-network: makes the project's default topology if it is not there yet."""
    about = About("make a network for the project")
    try:
        topology = asker.user.show(f"auto-allocated-topology/{asker.project_id}", about)
    except errors.NetworkRequestRefused as exc:
        raise errors.UnableToAutoAllocateNetwork(project_id=asker.project_id) from exc
    networks = asker.admin.search("networks", id=[topology["auto_allocated_topology"]["id"]])
    if not networks:
        raise errors.UnableToAutoAllocateNetwork(project_id=asker.project_id)
    return networks[0]


def _refuse_external(asker: Asker, networks: Iterable[Record]) -> None:
    """Only an administrator may plug a server straight into an external network, unless it is shared."""
    doubtful = {n["id"] for n in networks if n.get("router:external") and not n.get("shared")}
    if not doubtful or asker.may_attach_external:
        return
    # Shared with this project alone, it looks unshared to an administrator: ask as the user.
    shared = {n["id"] for n in asker.user.search("networks", id=doubtful) if n["shared"]}
    if doubtful - shared:
        raise errors.ExternalNetworkAttachForbidden(network_uuid=min(doubtful - shared))


def security_group_ids(asker: Asker, names: Sequence[str]) -> list[str]:
    """The ids of the security groups called, or having the id, `names`.

    [] leaves the choice to neutron, which takes the project's default group. No request is made when
    every name is an id: nova-api has looked it up, and neutron will when the port is made.
    Raises NoUniqueMatch, SecurityGroupNotFound.
    """
    if not names or list(names) == [DEFAULT_GROUP]:
        return []
    if all(uuidutils.is_uuid_like(name) for name in names):
        return list(dict.fromkeys(names))
    fields = ["id", "name"]
    groups = asker.user.search("security-groups", fields=fields, tenant_id=asker.project_id)
    try:
        return _group_ids(names, groups)
    except errors.SecurityGroupNotFound:
        groups += asker.user.search("security-groups", fields=fields, shared="True")
        return _group_ids(names, groups)


def _group_ids(names: Sequence[str], groups: Sequence[Record]) -> list[str]:
    """Neutron refuses a group that is named twice."""
    return list(dict.fromkeys(_group_id(name, groups) for name in names))


def _group_id(name: str, groups: Sequence[Record]) -> str:
    by_id = {str(group["id"]) for group in groups if group["id"] == name}
    ids = by_id or {str(group["id"]) for group in groups if group["name"] == name}
    if len(ids) > 1:
        raise errors.NoUniqueMatch(f"More than one security group is called {name}.")
    if not ids:
        raise errors.SecurityGroupNotFound(security_group_id=name)
    return ids.pop()


def check_security(wanted: Sequence[Wanted], group_ids: Sequence[str]) -> None:
    """Refuse groups where neutron cannot apply them; a given port keeps its own and is not looked at.

    Raises SecurityGroupCannotBeApplied.
    """
    for network in (w.network for w in wanted if w.port is None):
        if network.get("port_security_enabled", True):
            if not network.get("subnets"):
                raise errors.SecurityGroupCannotBeApplied()
        elif group_ids:
            raise errors.SecurityGroupCannotBeApplied()


def has_resource_request(port: Record) -> bool:
    """Whether the port was scheduled with resources of its own (QoS), in either form neutron has used."""
    request = port.get("resource_request") or {}
    return bool(request.get("request_groups", request))


def profile_with_allocation(port: Record, providers: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The port's binding profile naming the resource providers that serve its resource request.

    `providers` maps a request group's (or, in the old form, the port's) id to provider uuids.
    Raises PortUpdateFailed when one of them is missing.
    """
    profile = info.binding_profile(port)
    groups = port["resource_request"].get("request_groups")
    try:
        if groups is None:
            profile["allocation"] = providers[port["id"]][0]
        else:
            profile["allocation"] = {group["id"]: providers[group["id"]][0] for group in groups}
    except KeyError as exc:
        raise errors.PortUpdateFailed(port_id=port["id"], reason=f"nobody serves request {exc}") from exc
    return profile
