"""The network of an instance: ports from the network service, what of them is recorded here."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.clients.port_resources import match
from computed.objects.network_model import NetworkInfo
from computed.steps.patience import patiently

if TYPE_CHECKING:
    from computed.clients.port_resources import FindAllProviders, PortResources, Providers
    from computed.lib.undo import UndoStack
    from computed.steps.build_order import BuildOrder
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_LONGEST_PAUSE_SECONDS = 30.0
_UNBOUND: Final = frozenset({"unbound", "binding_failed"})


def cached(instance: Any) -> Any:
    """The network information that the instance's record has; empty when it has none."""
    cache = instance.info_cache
    return NetworkInfo() if cache is None or cache.network_info is None else cache.network_info


def remember(instance: Any, network_info: Any) -> None:
    """Put `network_info` into the instance's info cache, to go with its next save."""
    if instance.info_cache is None:
        instance.info_cache = objects.InstanceInfoCache.new(instance._context, instance.uuid)
    instance.info_cache.network_info = network_info


def fresh(instance: Any) -> Any:
    """The network information that the record has now; raises InstanceInfoCacheNotFound (it is gone)."""
    if instance.info_cache is None:
        remember(instance, NetworkInfo())
    instance.info_cache.refresh()
    return cached(instance)


def cache_lock(host: ComputeHost, instance: Any) -> AbstractContextManager[None]:
    """Held from asking the network service to recording its answer, so that no older one overwrites it."""
    return host.locks.hold(f"network-{instance.uuid}")


def allocate(host: ComputeHost, context: Any, order: BuildOrder, undo: UndoStack) -> Any:
    """Get the ports that a build asks for, record their interfaces, and return the NetworkInfo.

    No port is asked for when the request says none. What is not ours to keep when the build fails goes
    back through `undo`.
    """
    instance, requested = order.instance, order.requested_networks
    if requested is not None and requested.no_allocate:
        return NetworkInfo()
    if instance.system_metadata.pop("network_allocated", "False") == "True":
        # An earlier host of this build left the ports bound to it.
        providers = providers_of(order.request_spec)
        network_info = host.network.bind_to_host(context, instance, host=host.name, providers=providers)
        undo.push("give the ports back", lambda: deallocate(host, context, instance, requested=requested))
        return network_info
    network_info = _allocate(host, context, order)
    undo.push("give the ports back", lambda: give_back(host, context, instance, requested))
    for vif, tag in zip(network_info, _tags(requested, len(network_info)), strict=True):
        record_interface(host, context, instance, vif, tag)
    return network_info


def _allocate(host: ComputeHost, context: Any, order: BuildOrder) -> Any:
    """Ask the network service, again as often as network_allocate_retries says; it keeps no half of it."""
    retries: int = host.conf.network_allocate_retries
    pause_seconds = 1.0
    while True:
        try:
            return host.network.allocate(
                context,
                order.instance,
                host=host.name,
                requested=order.requested_networks,
                security_groups=tuple(order.security_groups),
                providers=providers_of(order.request_spec),
            )
        except Exception as error:
            if not retries or host.stopping.wait(pause_seconds):
                raise
            LOG.warning("Instance %s got no network, trying again: %s", order.instance.uuid, error)
        retries -= 1
        pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)


def give_back(host: ComputeHost, context: Any, instance: Any, requested: Any) -> None:
    """Undo `allocate`: the ports, and the records of their interfaces."""
    deallocate(host, context, instance, requested=requested)
    objects.VirtualInterface.delete_by_instance_uuid(context, instance.uuid)


def deallocate(host: ComputeHost, context: Any, instance: Any, *, requested: Any = None) -> None:
    """Delete the ports that were made for the instance and unbind those it was given."""
    if requested is not None and requested.no_allocate:
        return
    host.network.deallocate(context, instance, requested=requested)
    remember(instance, NetworkInfo())


def refresh(host: ComputeHost, context: Any, instance: Any, *, keep_vanished: bool = False) -> bool:
    """Bring the info cache up to what the network service says; False when nothing had changed.

    With `keep_vanished` an interface whose port the service no longer has stays in the cache: the guest
    still has it, and whoever unplugs it needs to know of it.
    Raises InstanceInfoCacheNotFound (the instance is gone), and the network service's errors.
    """
    with cache_lock(host, instance):
        before = fresh(instance)
        network_info = host.network.network_info(context, instance)
        if keep_vanished:
            network_info = _with_vanished(before, network_info)
        return _record(instance, before, network_info)


def locate(host: ComputeHost, context: Any, instance: Any) -> frozenset[str]:
    """Do as `refresh`, and return the hosts that the instance's ports are bound to."""
    with cache_lock(host, instance):
        before = fresh(instance)
        found = host.network.locate(context, instance)
        _record(instance, before, found.network_info)
        return found.hosts


def _record(instance: Any, before: Any, now: Any) -> bool:
    if now.json() == before.json():
        return False
    instance.info_cache.network_info = now
    instance.info_cache.save()
    return True


def refresh_if_possible(host: ComputeHost, context: Any, instance: Any) -> None:
    """For a guest that is about to be made anew of its records: as `refresh`, and ports that have lost their
    binding are bound to this host again. Without the service what is remembered has to do.

    What `instance` has brought along is compared first: nothing is asked of the conductor unless it differs.
    """
    try:
        with cache_lock(host, instance):
            before = cached(instance)
            network_info = _repaired(host, context, instance, before)
            if network_info.json() == before.json():
                return
            # The record may know better than what was brought along in which order they are, and whose.
            before = fresh(instance)
            _record(instance, before, _repaired(host, context, instance, before))
    except (errors.NovaException, errors.ComputedError) as error:
        LOG.warning("Instance %s uses its network as it was: %s", instance.uuid, error)


def _repaired(host: ComputeHost, context: Any, instance: Any, before: Any) -> Any:
    """The interfaces as the service has them, bound here. That the port of a guest which is off is not active
    is no news: whoever reads of it later would wait for the plug of a port that has long been plugged."""
    network_info = host.network.network_info(context, instance)
    if has_unbound(network_info):
        LOG.warning("Instance %s has ports that are not bound; they are bound anew", instance.uuid)
        providers = providers_held(host, context, instance)
        network_info = host.network.bind_to_host(context, instance, host=host.name, providers=providers)
    active = {vif["id"] for vif in before if vif["active"]}
    for vif in network_info:
        vif["active"] = vif["active"] or vif["id"] in active
    return network_info


def has_unbound(network_info: Any) -> bool:
    """Whether a port among the interfaces is bound to no host."""
    return any(vif["type"] in _UNBOUND for vif in network_info)


def _with_vanished(before: Any, now: Any) -> Any:
    """The interfaces of `before`, as `now` has them or as they were, and then those that are new."""
    by_id = {vif["id"]: vif for vif in now}
    known = {vif["id"] for vif in before}
    kept = [by_id.get(vif["id"], vif) for vif in before]
    return NetworkInfo([*kept, *(vif for vif in now if vif["id"] not in known)])


def providers_of(request_spec: Any) -> dict[str, list[str]]:
    """Port id → the providers that serve what the port asks of placement."""
    if request_spec is None or not request_spec.obj_attr_is_set("requested_resources"):
        return {}
    return {
        group.requester_id: list(group.provider_uuids)
        for group in request_spec.requested_resources or ()
        if group.requester_id and group.provider_uuids
    }


def providers_held(
    host: ComputeHost, context: Any, instance: Any, *, is_elsewhere: bool = False
) -> FindAllProviders:
    """Finds who serves the ports in what placement holds for the instance, for whoever is not told: a move
    back, or one that goes on after a restart. Those of this host if they are to serve here, else
    (`is_elsewhere`) the others: between two hosts the instance may hold something of both.

    Placement is asked only for ports that ask something of it; what it raises then, the call raises.
    """

    def find(wanted: Sequence[PortResources]) -> Providers:
        groups = [group for port in wanted for group in port.groups]
        classes = {name for group in groups for name in group.resources}
        here = _own_providers(host, context)
        said = host.placement.get_allocations(context, instance.uuid)["allocations"]
        held = {
            uuid: part["resources"]
            for uuid, part in said.items()
            if (uuid not in here) == is_elsewhere and classes & part["resources"].keys()
        }
        traits = {uuid: host.placement.traits(context, uuid)[0] for uuid in held}
        found = match(groups, held, traits)
        if found is None:
            LOG.warning("Instance %s holds nothing that serves its ports: %s", instance.uuid, sorted(held))
        return found or {}

    return find


def _own_providers(host: ComputeHost, context: Any) -> frozenset[str]:
    """The providers of this host's nodes and what is below them."""
    roots = host.driver.node_uuids().values()
    return frozenset(
        provider.uuid for root in roots for provider in host.placement.providers_in_tree(context, root)
    )


def _tags(requested: Any, count: int) -> list[str | None]:
    """The tags that the interfaces were asked for with: interfaces come in the order of the requests."""
    if requested is None or requested.auto_allocate or len(requested) != count:
        return [None] * count
    return [request.tag for request in requested]


def record_interface(host: ComputeHost, context: Any, instance: Any, vif: Any, tag: str | None) -> None:
    """Make the record of an interface; raises VirtualInterfaceCreateException."""
    # The address carries the port, because the same MAC may be on several networks.
    record = objects.VirtualInterface(
        context=context,
        address=f"{vif['address']}/{vif['id']}",
        instance_uuid=instance.uuid,
        tag=tag,
        uuid=vif["id"],
    )

    def attempt(is_repeated: bool) -> None:
        try:
            record.create()
        except errors.VirtualInterfaceCreateException:
            if not (is_repeated and objects.VirtualInterface.get_by_uuid(context, vif["id"])):
                raise

    patiently(f"Recording the interface {vif['id']}", attempt, stopping=host.stopping)
