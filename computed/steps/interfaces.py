"""One interface of an instance that exists: its port, its record, its place in the info cache."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.lib.undo import undo_on_error
from computed.objects.network_model import NetworkInfo
from computed.steps import network
from computed.steps.patience import SHORT_PATIENCE_SECONDS, patiently

if TYPE_CHECKING:
    from computed.clients.port_resources import PortResources, Providers
    from computed.lib.undo import UndoStack
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_NEEDS_PCI: Final = frozenset(
    {
        "accelerator-direct",
        "accelerator-direct-physical",
        "direct",
        "direct-physical",
        "macvtap",
        "remote-managed",
        "vdpa",
        "virtio-forwarder",
    }
)
"""Kinds of ports behind which stands a device of the host, which has to be claimed (states.json)."""


def attach(host: ComputeHost, context: Any, instance: Any, request: Any, undo: UndoStack) -> Any:
    """Get the one port that `request` (NetworkRequest) asks for and record its interface; returns the VIF.

    The undo gives the port back as it was. Raises InterfaceAttachFailed, InterfaceAttachPciClaimFailed,
    InterfaceAttachResourceAllocationFailed, InstanceInfoCacheNotFound (the instance is gone) and what
    NetworkService.allocate raises.
    """
    requested = objects.NetworkRequestList(objects=[request])
    with network.cache_lock(host, instance):
        known = network.fresh(instance)
        found = _allocate(host, context, instance, requested)
        # First of all: only the cache knows which port is a user's own and must not be deleted.
        network.remember(instance, NetworkInfo([*known, *found]))
        for vif in found:
            undo.push("give the port back", lambda port=vif["id"]: release(host, context, instance, port))  # type: ignore[misc]
        if len(found) != 1:
            LOG.error("Instance %s got %d ports where one was asked for", instance.uuid, len(found))
            raise errors.InterfaceAttachFailed(instance_uuid=instance.uuid)
        if found[0]["vnic_type"] in _NEEDS_PCI:
            raise errors.InterfaceAttachPciClaimFailed(instance_uuid=instance.uuid)
        network.record_interface(host, context, instance, found[0], request.tag)
        _save(host, instance)
        return found[0]


def _allocate(host: ComputeHost, context: Any, instance: Any, requested: Any) -> Any:
    """Ask the network service; what a port asks of placement is taken there before."""
    with undo_on_error() as undo:
        return host.network.allocate(
            context,
            instance,
            host=host.name,
            requested=requested,
            security_groups=(),
            providers=lambda wanted: _take_resources(host, context, instance, wanted, undo),
        )


def _take_resources(
    host: ComputeHost, context: Any, instance: Any, wanted: PortResources, undo: UndoStack
) -> Providers:
    root_uuid = host.tracker.compute_node(instance.node).uuid
    try:
        found = host.placement.find_candidate(context, wanted, root_uuid)
        if found is not None:
            host.placement.add_resources(context, instance.uuid, found.allocations)
    except errors.NovaException as error:
        LOG.warning("Port %s: placement does not serve it: %s", wanted.port_id, error)
        raise errors.InterfaceAttachResourceAllocationFailed(instance_uuid=instance.uuid) from error
    if found is None:
        raise errors.InterfaceAttachResourceAllocationFailed(instance_uuid=instance.uuid)
    undo.push(
        "give back what the port asked of placement",
        lambda: host.placement.remove_resources(context, instance.uuid, found.allocations),
    )
    providers: Providers = found.providers
    return providers


def release(host: ComputeHost, context: Any, instance: Any, port_id: str) -> None:
    """Give a port back that the guest does not use any more, and forget its interface.

    Raises what NetworkService.detach_port raises: the interface then stays in the cache, so that whoever
    takes the instance away knows of it.
    """
    with network.cache_lock(host, instance):
        held = host.network.detach_port(context, instance, port_id)
        if held:
            _give_resources_back(host, context, instance, port_id, held)
        patiently(
            f"Forgetting the interface {port_id}",
            lambda is_repeated: _forget(context, instance, port_id),
            stopping=host.stopping,
            patience_seconds=SHORT_PATIENCE_SECONDS,
        )


def _forget(context: Any, instance: Any, port_id: str) -> None:
    try:
        record = objects.VirtualInterface.get_by_uuid(context, port_id)
        if record is not None:
            record.destroy()
        left = [vif for vif in network.fresh(instance) if vif["id"] != port_id]
        network.remember(instance, NetworkInfo(left))
        instance.info_cache.save()
    except (errors.InstanceInfoCacheNotFound, errors.InstanceNotFound):
        LOG.debug("Instance %s is gone, and with it what is recorded of port %s", instance.uuid, port_id)


def _save(host: ComputeHost, instance: Any) -> None:
    patiently(
        f"Saving the interfaces of instance {instance.uuid}",
        lambda is_repeated: instance.info_cache.save(),
        stopping=host.stopping,
        patience_seconds=SHORT_PATIENCE_SECONDS,
    )


def _give_resources_back(
    host: ComputeHost, context: Any, instance: Any, port_id: str, held: dict[str, Any]
) -> None:
    """Take what a port held out of the instance's allocation; a failure leaks it until the instance goes."""
    try:
        host.placement.remove_resources(context, instance.uuid, held)
    except Exception as error:
        LOG.warning(
            "Placement keeps what port %s of instance %s held (%s): %s",
            port_id,
            instance.uuid,
            ", ".join(held),
            error,
        )
        raise
