"""Port records of the one-host cloud's network: what stands in one, and what changes when it moves.

Fields: `instance_uuid` (null: a user's unused port), `address` and `more_addresses`, `mac`, `host`
(where its active binding is), `inactive_hosts`, `profile`, `resource_request`, `given` (made by a user).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from computed import errors
from computed.clients.port_resources import (
    FindProviders,
    Providers,
    held_by,
    providers_for,
    resources_of,
)
from computed.embedded.store import Fields, Records
from computed.embedded.subnet import Subnet
from computed.objects.network_model import NetworkInfo

_MAC_PREFIX = "fa:16:3e"
_NIC_NAME_LEN = 14
_UNUSED: Fields = {"instance_uuid": None, "host": None, "inactive_hosts": [], "profile": {}}


def describe(subnet: Subnet, ports: Sequence[Fields]) -> NetworkInfo:
    """The interfaces that `ports` are."""
    return NetworkInfo.hydrate([_vif(subnet, port) for port in ports])


def _vif(subnet: Subnet, port: Fields) -> dict[str, Any]:
    return {
        "id": port["uuid"],
        "address": port["mac"],
        "network": subnet.network(addresses(port)),
        "type": subnet.vif_type if port.get("host") else "unbound",
        "details": {"port_filter": False},
        "devname": f"tap{port['uuid']}"[:_NIC_NAME_LEN],
        "active": True,
        "vnic_type": "normal",
        "profile": port.get("profile") or {},
        "preserve_on_delete": bool(port.get("given")),
        "delegate_create": True,
    }


def addresses(port: Fields) -> list[str]:
    """Every address of a port."""
    return [address for address in (port["address"], *port.get("more_addresses", ())) if address]


def without_address(port: Fields, address: str) -> Fields:
    """The changes that take an address away."""
    left: list[str | None] = [other for other in addresses(port) if other != address]
    first, *more = left or [None]
    return {"address": first, "more_addresses": more}


def has_binding(port: Fields, host: str) -> bool:
    """Whether a port has a binding to `host`, active or not."""
    return host == port.get("host") or host in port.get("inactive_hosts", ())


def bound(port: Fields, host: str) -> Fields:
    """The changes that make the active binding one to `host`.

    As in neutron: a port that has a binding there leaves the one it had behind, another takes it along.
    """
    if port.get("host") == host:
        return {}
    there = port.get("inactive_hosts", ())
    left = [port["host"]] if host in there and port.get("host") else []
    inactive = [*left, *(other for other in there if other != host)]
    return {"host": host, "inactive_hosts": inactive, "profile": {}}


def rebound(port: Fields, host: str, providers: Providers | None) -> Fields:
    """The changes that bind a port to `host`; who serves its resource request stays when `providers` is
    None. Raises PortUpdateFailed for nobody."""
    changes = bound(port, host)
    if providers is not None:
        return {**changes, **served(port, providers)}
    allocation = (port.get("profile") or {}).get("allocation")
    return {**changes, "profile": {"allocation": allocation}} if changes and allocation else changes


def unbound(port: Fields, host: str) -> Fields:
    """The changes that forget the binding to `host`."""
    return {
        "host": None if port.get("host") == host else port.get("host"),
        "inactive_hosts": [other for other in port.get("inactive_hosts", ()) if other != host],
    }


def binding(port: Fields, host: str) -> dict[str, Any]:
    """The binding to `host`, with the keys of neutron's."""
    return {
        "host": host,
        "vnic_type": "normal",
        "profile": {},
        "vif_type": "bridge",
        "vif_details": {"port_filter": False},
        "status": "ACTIVE" if port.get("host") == host else "INACTIVE",
    }


def served(port: Fields, providers: Providers | FindProviders | None) -> Fields:
    """The changes that name who serves the port's resource request; raises PortUpdateFailed for nobody."""
    wanted = resources_of(told(port))
    if wanted is None:
        return {}
    found = providers_for(told(port), providers)
    try:
        allocation = {group.id: found[group.id][0] for group in wanted.groups}
    except KeyError as exc:
        raise errors.PortUpdateFailed(port_id=port["uuid"], reason=f"nobody serves request {exc}") from exc
    return {"profile": {"allocation": allocation}}


def held(port: Fields) -> dict[str, Any]:
    """What placement holds for a port."""
    return held_by(told(port))


def told(port: Fields) -> dict[str, Any]:
    """The parts of a port that resources are about, with neutron's names."""
    return {
        "id": port["uuid"],
        "resource_request": port.get("resource_request"),
        "binding:profile": port.get("profile"),
    }


def free(records: Records, port: Fields) -> None:
    """Give a port back: a user's is unused again, any other is no more."""
    if port.get("given"):
        records.update("Port", port, _UNUSED)
    else:
        records.purge("Port", uuid=port["uuid"])


def new_mac() -> str:
    """An address of the range that OpenStack uses."""
    return ":".join([_MAC_PREFIX, *(f"{secrets.randbelow(256):02x}" for _ in range(3))])
