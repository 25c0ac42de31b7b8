"""What an operation may ask of a network service, whichever it is (neutron, or the one-host cloud's own)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from computed.clients.port_resources import FindAllProviders, FindProviders, Providers


@dataclass(frozen=True, slots=True)
class Located:
    """The ports of an instance as one reading has them: NetworkInfo, and the hosts that they are bound to
    (without those that are bound to none)."""

    network_info: Any
    hosts: frozenset[str]


class NetworkService(Protocol):
    """The network of the instances.

    `context` is a RequestContext, `instance` an objects.Instance, results are network_model.NetworkInfo.
    Nothing here talks to the conductor: the caller keeps the info cache and the virtual interface records.
    Errors: the NovaException family of errors.network (PortNotFound, PortInUse, NetworkNotFound,
    NoMoreFixedIps, PortLimitExceeded, ...); a service that does not answer raises an error of its own.
    """

    def allocate(
        self,
        context: Any,
        instance: Any,
        *,
        host: str,
        requested: Any,
        security_groups: Sequence[str],
        providers: Providers | FindProviders | None = None,
    ) -> Any:
        """Make or take the ports that `requested` (NetworkRequestList, None = auto) names, bind them to
        `host` and return them as NetworkInfo in request order. On failure everything is given back.

        `providers` maps the resource requests of given ports (ids) to provider uuids that serve them, or
        makes room for them when it is called; whoever gives it takes that back after a failure."""

    def deallocate(self, context: Any, instance: Any, *, requested: Any = None) -> None:
        """Delete the ports we made for the instance and unbind those it was given; idempotent."""

    def unbind(self, context: Any, instance: Any) -> None:
        """Take this host out of the ports' bindings, keeping the ports (before a reschedule)."""

    def network_info(self, context: Any, instance: Any) -> Any:
        """The current NetworkInfo of an instance as the service has it, in the order of the info cache."""

    def locate(self, context: Any, instance: Any) -> Located:
        """The same, by the same requests, and where the ports are bound."""

    def bind_to_host(
        self,
        context: Any,
        instance: Any,
        *,
        host: str,
        migration: Any = None,
        providers: Providers | FindAllProviders | None = None,
    ) -> Any:
        """Set host, profile and device owner on all ports of the instance that are bound elsewhere, and
        return the NetworkInfo as it is then (before a guest is made on a new host).

        With a `migration` that is a live one the profiles are left as they are. `providers` as for
        `allocate`, or says who serves all the ports when it is called; None leaves what the ports have, which
        is right only where they have been before. Raises PortBindingFailed, PortUpdateFailed."""

    # Moves with two bindings. Those that take no ports of their own look at the instance's info cache.

    def supports_multiple_bindings(self, context: Any) -> bool:
        """Whether a port may be bound to a second host beforehand; remembered."""

    def activate_bindings(self, context: Any, instance: Any, *, host: str) -> None:
        """Switch the ports to their bindings to `host`; those that have none stay (`bind_to_host` will see
        to them). Raises PortBindingActivationFailed."""

    def delete_bindings(self, context: Any, instance: Any, *, host: str) -> None:
        """Delete the bindings to `host`, be there any or not. Not for a port's only binding: `unbind` is.
        Raises PortBindingDeletionFailed."""

    def mark_migrating(self, context: Any, instance: Any, *, host: str) -> None:
        """Tell the network that the ports are about to move to `host` (it prepares routers there)."""

    def unmark_migrating(self, context: Any, instance: Any) -> None:
        """The move told by `mark_migrating` does not happen."""

    # One interface, one address (to attach: `allocate` with a request of its own)

    def detach_port(self, context: Any, instance: Any, port_id: str) -> dict[str, Any]:
        """Delete the port if it was made for the instance, else release it; idempotent. Returns what
        placement holds for it: provider uuid → {"resources": {class: amount}}, mostly {}."""

    def add_fixed_ip(self, context: Any, instance: Any, network_id: str) -> Any:
        """One more address on the instance's port in that network; returns the new NetworkInfo.
        Raises NetworkNotFoundForInstance."""

    def remove_fixed_ip(self, context: Any, instance: Any, address: str) -> Any:
        """Take an address of the instance away; returns the new NetworkInfo.
        Raises FixedIpNotFoundForInstance."""
