"""Networks of the one-host cloud: none at all, or one Linux bridge with addresses of our own giving."""

from __future__ import annotations

import ipaddress
import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.embedded.store import DuplicateKey, Fields, Records, Store
from computed.objects.network_model import NetworkInfo

if TYPE_CHECKING:
    from oslo_config import cfg

_NAMESPACE = uuid.UUID("7d2a9c56-43f1-4f0a-8f7b-52f1c0c9a0de")
_MAC_PREFIX = "fa:16:3e"
_NIC_NAME_LEN = 14


class NoNetwork:
    """Implements clients.network.NetworkService: no server has an interface."""

    def allocate(
        self,
        context: Any,
        instance: Any,
        *,
        host: str,
        requested: Any,
        security_groups: Sequence[str],
        providers: Mapping[str, Sequence[str]] | None = None,
    ) -> NetworkInfo:
        """No interface; raises NetworkNotFound, PortNotFound for a request of a certain one."""
        for request in requested or ():
            if request.port_id:
                raise errors.PortNotFound(port_id=request.port_id)
            if request.network_id not in (None, "auto", "none"):
                raise errors.NetworkNotFound(network_id=request.network_id)
        return NetworkInfo()

    def deallocate(self, context: Any, instance: Any, *, requested: Any = None) -> None:
        """Nothing to give back."""

    def unbind(self, context: Any, instance: Any) -> None:
        """Nothing is bound."""

    def network_info(self, context: Any, instance: Any) -> NetworkInfo:
        """No interface."""
        return NetworkInfo()

    def bind_to_host(self, context: Any, instance: Any, *, host: str) -> None:
        """Nothing to bind."""


@dataclass(frozen=True)
class Subnet:
    """The addresses of the bridge: `cidr` without its first, last and the gateway's are for servers."""

    bridge: str
    cidr: ipaddress.IPv4Network | ipaddress.IPv6Network
    gateway: ipaddress.IPv4Address | ipaddress.IPv6Address
    dns: tuple[str, ...]
    mtu: int

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> Subnet:
        """As section [alone] says; raises ConfigError that names the option."""
        options = conf.alone
        try:
            cidr = ipaddress.ip_network(options.cidr)
        except ValueError as exc:
            raise errors.ConfigError(f"[alone] cidr = {options.cidr} is no network: {exc}") from exc
        if cidr.num_addresses < 4:
            raise errors.ConfigError(f"[alone] cidr = {options.cidr} has no address for a server")
        try:
            gateway = ipaddress.ip_address(options.gateway) if options.gateway else cidr[1]
        except ValueError as exc:
            raise errors.ConfigError(f"[alone] gateway = {options.gateway} is no address") from exc
        if gateway not in cidr:
            raise errors.ConfigError(f"[alone] gateway = {options.gateway} is not in cidr = {options.cidr}")
        return cls(options.bridge, cidr, gateway, tuple(options.dns), options.mtu)

    @property
    def network_id(self) -> str:
        """The id of the one network; the same as long as bridge and addresses are."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.bridge} {self.cidr}"))

    def addresses(self) -> Iterator[str]:
        """Every address that a server may have, lowest first."""
        return (str(address) for address in self.cidr.hosts() if address != self.gateway)

    def admits(self, address: str) -> bool:
        """Whether a server may have this address."""
        wanted = ipaddress.ip_address(address)
        outer = (self.cidr.network_address, self.cidr.broadcast_address, self.gateway)
        return wanted in self.cidr and wanted not in outer


class BridgeNetwork:
    """Implements clients.network.NetworkService on one Linux bridge.

    Ports are records of the store, so that addresses stay given after a restart. `requests` counts what
    was asked of this network, for those who compare it with neutron.
    """

    def __init__(self, store: Store, subnet: Subnet) -> None:
        self._store = store
        self._subnet = subnet
        self.requests = 0

    def allocate(
        self,
        context: Any,
        instance: Any,
        *,
        host: str,
        requested: Any,
        security_groups: Sequence[str],
        providers: Mapping[str, Sequence[str]] | None = None,
    ) -> NetworkInfo:
        """One port for each request, or one when nothing is requested; all or none.

        Raises NetworkNotFound, PortNotFound, NoMoreFixedIps, FixedIpAlreadyInUse, and
        FixedIpNotFoundForAddress for an address that the network does not have.
        """
        wanted = [self._address_wanted(request) for request in requested or ()] or [None]
        with self._records() as records:
            for address in wanted:
                self._insert(records, instance.uuid, address)
            return self._info(records, instance.uuid)

    def deallocate(self, context: Any, instance: Any, *, requested: Any = None) -> None:
        """Take the instance's ports away; their addresses are free again."""
        with self._records() as records:
            records.purge("Port", instance_uuid=instance.uuid)

    def unbind(self, context: Any, instance: Any) -> None:
        """Nothing to do: there is no other host to bind to."""

    def network_info(self, context: Any, instance: Any) -> NetworkInfo:
        """The instance's interfaces, oldest first."""
        with self._records() as records:
            return self._info(records, instance.uuid)

    def bind_to_host(self, context: Any, instance: Any, *, host: str) -> None:
        """Nothing to do: ports are on this host."""

    def _records(self) -> Any:
        self.requests += 1
        return self._store.transaction()

    def _address_wanted(self, request: Any) -> str | None:
        if request.port_id:
            raise errors.PortNotFound(port_id=request.port_id)
        if request.network_id not in (None, "auto", self._subnet.network_id, self._subnet.bridge):
            raise errors.NetworkNotFound(network_id=request.network_id)
        if request.address is None:
            return None
        if not self._subnet.admits(str(request.address)):
            raise errors.FixedIpNotFoundForAddress(address=str(request.address))
        return str(request.address)

    def _insert(self, records: Records, instance_uuid: str, address: str | None) -> None:
        ports = records.find("Port")
        taken = {port["address"]: port["instance_uuid"] for port in ports}
        if address in taken:
            raise errors.FixedIpAlreadyInUse(address=address, instance_uuid=taken[address])
        if address is None:
            address = next((free for free in self._subnet.addresses() if free not in taken), None)
        if address is None:
            raise errors.NoMoreFixedIps(net=self._subnet.network_id)
        port = {"uuid": str(uuid.uuid4()), "instance_uuid": instance_uuid, "address": address}
        while True:
            try:
                records.insert("Port", {**port, "mac": _new_mac()})
            except DuplicateKey:
                continue
            return

    def _info(self, records: Records, instance_uuid: str) -> NetworkInfo:
        ports = records.find("Port", instance_uuid=instance_uuid)
        return NetworkInfo.hydrate([self._vif(port) for port in ports])

    def _vif(self, port: Fields) -> dict[str, Any]:
        return {
            "id": port["uuid"],
            "address": port["mac"],
            "network": self._network(port["address"]),
            "type": "bridge",
            "details": {"port_filter": False},
            "devname": f"tap{port['uuid']}"[:_NIC_NAME_LEN],
            "active": True,
            "vnic_type": "normal",
            "profile": {},
            "preserve_on_delete": False,
            "delegate_create": True,
        }

    def _network(self, address: str) -> dict[str, Any]:
        subnet = self._subnet
        version = subnet.cidr.version

        def ip(text: str, kind: str) -> dict[str, Any]:
            return {"address": text, "type": kind, "version": version, "meta": {}}

        return {
            "id": subnet.network_id,
            "bridge": subnet.bridge,
            "label": subnet.bridge,
            "subnets": [
                {
                    "cidr": str(subnet.cidr),
                    "dns": [ip(server, "dns") for server in subnet.dns],
                    "gateway": ip(str(subnet.gateway), "gateway"),
                    "ips": [{**ip(address, "fixed"), "floating_ips": []}],
                    "routes": [],
                    "version": version,
                    "meta": {},
                }
            ],
            "meta": {"injected": False, "mtu": subnet.mtu, "tunneled": False, "physical_network": None},
        }


def _new_mac() -> str:
    return ":".join([_MAC_PREFIX, *(f"{secrets.randbelow(256):02x}" for _ in range(3))])
