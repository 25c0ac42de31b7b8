"""The network of a one-host cloud that has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from computed import errors
from computed.clients.network import Located
from computed.clients.port_resources import FindAllProviders, FindProviders, Providers
from computed.objects.network_model import NetworkInfo


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
        providers: Providers | FindProviders | None = None,
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

    def locate(self, context: Any, instance: Any) -> Located:
        """No interface, so none that is anywhere."""
        return Located(NetworkInfo(), frozenset())

    def bind_to_host(
        self,
        context: Any,
        instance: Any,
        *,
        host: str,
        migration: Any = None,
        providers: Providers | FindAllProviders | None = None,
    ) -> NetworkInfo:
        """Nothing to bind."""
        return NetworkInfo()

    def supports_multiple_bindings(self, context: Any) -> bool:
        """There is not even one."""
        return False

    def activate_bindings(self, context: Any, instance: Any, *, host: str) -> None:
        """Nothing to switch."""

    def delete_bindings(self, context: Any, instance: Any, *, host: str) -> None:
        """Nothing to delete."""

    def mark_migrating(self, context: Any, instance: Any, *, host: str) -> None:
        """No port moves."""

    def unmark_migrating(self, context: Any, instance: Any) -> None:
        """No port moves."""

    def detach_port(self, context: Any, instance: Any, port_id: str) -> dict[str, Any]:
        """There is no such port any more."""
        return {}

    def add_fixed_ip(self, context: Any, instance: Any, network_id: str) -> NetworkInfo:
        """No network gives addresses: NetworkNotFoundForInstance."""
        raise errors.NetworkNotFoundForInstance(instance_id=instance.uuid)

    def remove_fixed_ip(self, context: Any, instance: Any, address: str) -> NetworkInfo:
        """No server has an address: FixedIpNotFoundForInstance."""
        raise errors.FixedIpNotFoundForInstance(instance_uuid=instance.uuid, ip=address)
