"""The network of the one-host cloud: a Linux bridge with addresses of our own giving, or QEMU's own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from computed import errors
from computed.clients.network import Located
from computed.clients.port_resources import FindAllProviders, FindProviders, Providers, providers_for_all
from computed.embedded import ports
from computed.embedded.answering import Answering
from computed.embedded.store import DuplicateKey, Fields, Records, Store
from computed.embedded.subnet import Subnet
from computed.objects.network_model import NetworkInfo
from computed.states import MigrationType


class BridgeNetwork(Answering):
    """Implements clients.network.NetworkService on one Linux bridge, or on what QEMU plays for each guest.

    Ports are records of the store, so that addresses stay given after a restart; hosts that share the
    store share the network. `requests` counts what was asked of this network, for those who compare it
    with neutron. What stands in a port record: see embedded/ports.py.
    """

    def __init__(self, store: Store, subnet: Subnet) -> None:
        super().__init__()
        self._store = store
        self._subnet = subnet

    @property
    def requests(self) -> int:
        """How often anything was asked."""
        return self.by_method.total()

    def create_port(
        self, address: str | None = None, resource_request: Mapping[str, Any] | None = None
    ) -> str:
        """Make a port as a user would, who then has a server made with it or attaches it; returns its id.

        `resource_request` as of neutron's ports with a QoS policy.
        """
        with self._store.transaction() as records:
            port = self._insert(records, address, given=True, resource_request=resource_request)
            return str(port["uuid"])

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
        """One port for each request, or one when nothing is requested; all or none.

        Raises NetworkNotFound, PortNotFound, PortInUse, NoMoreFixedIps, FixedIpAlreadyInUse, and
        FixedIpNotFoundForAddress for an address that the network does not have.
        """
        taken: dict[str, Any] = {"instance_uuid": instance.uuid, "host": host}
        with self._answering("allocate") as records:
            taking = [
                self._take(records, str(request.port_id), taken, providers)
                if request is not None and request.port_id
                else self._insert(records, self._address_wanted(request), **taken)
                for request in requested or (None,)
            ]
            return ports.describe(self._subnet, taking)

    def deallocate(self, context: Any, instance: Any, *, requested: Any = None) -> None:
        """Take the instance's ports away; their addresses are free again, those of given ports stay."""
        with self._answering("deallocate") as records:
            for port in records.find("Port", instance_uuid=instance.uuid):
                ports.free(records, port)

    def detach_port(self, context: Any, instance: Any, port_id: str) -> dict[str, Any]:
        """Take one port away; returns what placement holds for it."""
        held: dict[str, Any] = {}
        with self._answering("detach_port") as records:
            for port in records.find("Port", instance_uuid=instance.uuid, uuid=port_id):
                held = ports.held(port)
                ports.free(records, port)
        return held

    def network_info(self, context: Any, instance: Any) -> NetworkInfo:
        """The instance's interfaces, in the order of the info cache, then the others, oldest first."""
        with self._answering("network_info") as records:
            return self._info(records, instance)

    def locate(self, context: Any, instance: Any) -> Located:
        """The same, and the hosts of their active bindings."""
        with self._answering("network_info") as records:
            there = records.find("Port", instance_uuid=instance.uuid)
            hosts = frozenset(port["host"] for port in there if port.get("host"))
            return Located(self._info(records, instance), hosts)

    # Where the ports are bound

    def unbind(self, context: Any, instance: Any) -> None:
        """The ports are on no host."""
        self._update("unbind", instance, lambda port: {"host": None, "inactive_hosts": []})

    def bind_to_host(
        self,
        context: Any,
        instance: Any,
        *,
        host: str,
        migration: Any = None,
        providers: Providers | FindAllProviders | None = None,
    ) -> NetworkInfo:
        """Every port is on `host`, which stands alone unless other bindings were asked for.

        Raises PortUpdateFailed when nobody in `providers` serves a port's resource request.
        """
        if migration is not None and migration.migration_type == MigrationType.LIVE_MIGRATION:
            providers = None
        with self._store.transaction() as records:
            there = records.find("Port", instance_uuid=instance.uuid)
        # Placement is asked outside of our transaction.
        found = providers_for_all([ports.told(port) for port in there], providers)
        self._update("bind_to_host", instance, lambda port: ports.rebound(port, host, found))
        with self._store.transaction() as records:
            return self._info(records, instance)

    def supports_multiple_bindings(self, context: Any) -> bool:
        """Ports may be bound to another host beforehand."""
        return True

    def create_bindings(
        self, context: Any, instance: Any, *, host: str, vifs: Sequence[Any] | None = None
    ) -> dict[str, dict[str, Any]]:
        """An inactive binding to `host` for the ports that have none there."""
        wanted = None if vifs is None else {vif["id"] for vif in vifs}
        there = self._update(
            "create_bindings",
            instance,
            lambda port: (
                {}
                if ports.has_binding(port, host)
                else {"inactive_hosts": [*port.get("inactive_hosts", ()), host]}
            ),
            only=wanted,
        )
        return {port["uuid"]: ports.binding(port, host) for port in there}

    def activate_bindings(self, context: Any, instance: Any, *, host: str) -> None:
        """Switch the ports that have a binding to `host` to it; where they were stays as inactive."""
        self._update(
            "activate_bindings",
            instance,
            lambda port: ports.bound(port, host) if ports.has_binding(port, host) else {},
        )

    def delete_bindings(self, context: Any, instance: Any, *, host: str) -> None:
        """Forget the bindings to `host`."""
        self._update("delete_bindings", instance, lambda port: ports.unbound(port, host))

    def mark_migrating(self, context: Any, instance: Any, *, host: str) -> None:
        """Write the destination into the profiles, as neutron's are."""
        self._update(
            "mark_migrating",
            instance,
            lambda port: {} if port.get("host") == host else {"profile": {"migrating_to": host}},
        )

    def unmark_migrating(self, context: Any, instance: Any) -> None:
        """Take that out again."""
        self._update(
            "unmark_migrating", instance, lambda port: {"profile": {}} if port.get("profile") else {}
        )

    # Addresses

    def add_fixed_ip(self, context: Any, instance: Any, network_id: str) -> NetworkInfo:
        """One more address for the oldest port; raises NetworkNotFoundForInstance, NoMoreFixedIps."""
        with self._answering("add_fixed_ip") as records:
            port = records.first("Port", instance_uuid=instance.uuid)
            if port is None or network_id not in (self._subnet.network_id, self._subnet.bridge):
                raise errors.NetworkNotFoundForInstance(instance_id=instance.uuid)
            more = [*port.get("more_addresses", ()), self._free_address(records, None)]
            records.update("Port", port, {"more_addresses": more})
            return self._info(records, instance)

    def remove_fixed_ip(self, context: Any, instance: Any, address: str) -> NetworkInfo:
        """Take an address away; raises FixedIpNotFoundForInstance."""
        with self._answering("remove_fixed_ip") as records:
            for port in records.find("Port", instance_uuid=instance.uuid):
                if address in ports.addresses(port):
                    records.update("Port", port, ports.without_address(port, address))
                    return self._info(records, instance)
        raise errors.FixedIpNotFoundForInstance(instance_uuid=instance.uuid, ip=address)

    @contextmanager
    def _answering(self, method: str) -> Iterator[Records]:
        """One request to the service: counted, made to fail if a test wants so, in one transaction."""
        self.asked(method)
        with self._store.transaction() as records:
            yield records

    def _update(
        self,
        method: str,
        instance: Any,
        changes: Callable[[Fields], Fields],
        only: set[str] | None = None,
    ) -> list[Fields]:
        """`changes` of every port of the instance, or of those `only`; returns them as they are then."""
        with self._answering(method) as records:
            return [
                records.update("Port", port, changes(port))
                for port in records.find("Port", instance_uuid=instance.uuid)
                if only is None or port["uuid"] in only
            ]

    def _take(
        self, records: Records, port_id: str, taken: Fields, providers: Providers | FindProviders | None
    ) -> Fields:
        port = _unused_port(records, port_id)
        return records.update("Port", port, {**taken, **ports.served(port, providers)})

    def _address_wanted(self, request: Any) -> str | None:
        if request is None:
            return None
        if request.network_id not in (None, "auto", self._subnet.network_id, self._subnet.bridge):
            raise errors.NetworkNotFound(network_id=request.network_id)
        if request.address is None:
            return None
        if not self._subnet.admits(str(request.address)):
            raise errors.FixedIpNotFoundForAddress(address=str(request.address))
        return str(request.address)

    def _free_address(self, records: Records, wanted: str | None) -> str | None:
        """The address that a port is given; None where all have the same one."""
        if self._subnet.only_address is not None:
            return None
        taken = {address: port for port in records.find("Port") for address in ports.addresses(port)}
        if wanted in taken:
            raise errors.FixedIpAlreadyInUse(address=wanted, instance_uuid=taken[wanted]["instance_uuid"])
        if wanted is None:
            wanted = next((free for free in self._subnet.addresses() if free not in taken), None)
        if wanted is None:
            raise errors.NoMoreFixedIps(net=self._subnet.network_id)
        return wanted

    def _insert(self, records: Records, address: str | None, **fields: Any) -> Fields:
        port = {
            "uuid": str(uuid.uuid4()),
            "instance_uuid": None,
            "address": self._free_address(records, address),
            **fields,
        }
        while True:
            try:
                return records.insert("Port", {**port, "mac": ports.new_mac()})
            except DuplicateKey:
                continue

    def _info(self, records: Records, instance: Any) -> NetworkInfo:
        there = records.find("Port", instance_uuid=instance.uuid)
        place = {vif["id"]: number for number, vif in enumerate(_cached(instance))}
        return ports.describe(self._subnet, sorted(there, key=lambda p: place.get(p["uuid"], len(place))))


def _unused_port(records: Records, port_id: str) -> Fields:
    port = records.first("Port", uuid=port_id)
    if port is None:
        raise errors.PortNotFound(port_id=port_id)
    if port["instance_uuid"]:
        raise errors.PortInUse(port_id=port_id)
    return port


def _cached(instance: Any) -> Sequence[Any]:
    """The interfaces in the info cache that came with the instance; nothing is fetched for it."""
    if not instance.obj_attr_is_set("info_cache") or instance.info_cache is None:
        return ()
    return instance.info_cache.network_info or ()
