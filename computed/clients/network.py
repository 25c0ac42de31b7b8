"""What an operation may ask of a network service, whichever it is (neutron, or the one-host cloud's own)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


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
        providers: Mapping[str, Sequence[str]] | None = None,
    ) -> Any:
        """Make or take the ports that `requested` (NetworkRequestList, None = auto) names, bind them to
        `host` and return them as NetworkInfo in request order. On failure everything is given back.

        `providers` maps the resource requests of given ports (ids) to provider uuids that serve them."""

    def deallocate(self, context: Any, instance: Any, *, requested: Any = None) -> None:
        """Delete the ports we made for the instance and unbind those it was given; idempotent."""

    def unbind(self, context: Any, instance: Any) -> None:
        """Take this host out of the ports' bindings, keeping the ports (before a reschedule)."""

    def network_info(self, context: Any, instance: Any) -> Any:
        """The current NetworkInfo of an instance as the service has it, in the order of the info cache."""

    def bind_to_host(self, context: Any, instance: Any, *, host: str) -> None:
        """Set host, profile and device owner on all ports of the instance (before a spawn on a new host)."""
