"""The addresses of the one-host cloud's network, and what it looks like to servers."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from computed import errors

if TYPE_CHECKING:
    from oslo_config import cfg

_NAMESPACE = uuid.UUID("7d2a9c56-43f1-4f0a-8f7b-52f1c0c9a0de")


@dataclass(frozen=True)
class Subnet:
    """The addresses of a network: `cidr` without its first, last and the gateway's are for servers.

    On the hypervisor's own network each guest is alone and has `only_address`, as QEMU gives it.
    """

    bridge: str
    cidr: ipaddress.IPv4Network | ipaddress.IPv6Network
    gateway: ipaddress.IPv4Address | ipaddress.IPv6Address
    dns: tuple[str, ...]
    mtu: int
    vif_type: str = "bridge"
    only_address: str | None = None

    @classmethod
    def of_user(cls) -> Subnet:
        """The network that QEMU plays for each guest by itself (its user-mode networking)."""
        cidr = ipaddress.ip_network("10.0.2.0/24")
        return cls("user", cidr, cidr[2], ("10.0.2.3",), 1500, "user", "10.0.2.15")

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> Subnet:
        """The bridge that section [alone] names; raises ConfigError that names the option."""
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
        if self.only_address is not None:
            return iter((self.only_address,))
        return (str(address) for address in self.cidr.hosts() if address != self.gateway)

    def admits(self, address: str) -> bool:
        """Whether a server may have this address."""
        if self.only_address is not None:
            return address == self.only_address
        wanted = ipaddress.ip_address(address)
        outer = (self.cidr.network_address, self.cidr.broadcast_address, self.gateway)
        return wanted in self.cidr and wanted not in outer

    def network(self, addresses: Sequence[str]) -> dict[str, Any]:
        """The network as an interface with these addresses shows it in the info cache."""
        version = self.cidr.version
        if self.only_address is not None:
            addresses = (self.only_address,)

        def ip(text: str, kind: str) -> dict[str, Any]:
            return {"address": text, "type": kind, "version": version, "meta": {}}

        return {
            "id": self.network_id,
            "bridge": self.bridge,
            "label": self.bridge,
            "subnets": [
                {
                    "cidr": str(self.cidr),
                    "dns": [ip(server, "dns") for server in self.dns],
                    "gateway": ip(str(self.gateway), "gateway"),
                    "ips": [{**ip(address, "fixed"), "floating_ips": []} for address in addresses],
                    "routes": [],
                    "version": version,
                    "meta": {"dhcp_server": str(self.gateway)} if self.only_address else {},
                }
            ],
            "meta": {"injected": False, "mtu": self.mtu, "tunneled": False, "physical_network": None},
        }
