"""Taking an instance away: its guest, its ports, its place on the host, its record."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from oslo_utils import timeutils

from computed import errors, objects
from computed.states import PowerState
from computed.steps import accelerators, network, overtaken, shares, volume_release, volumes
from computed.steps.announce import announced
from computed.steps.guest import PARTS, doomed_guest
from computed.steps.records import advance, destroy

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_NETWORK_ATTEMPTS: Final = 4
_LONGEST_PAUSE_SECONDS: Final = 12
_MAY_STILL_RUN: Final = (errors.InstancePowerOffFailure, errors.HypervisorUnavailable, errors.LibvirtFailed)


def delete(host: ComputeHost, context: Any, instance: Any, bdms: Any) -> None:
    """Delete an instance of this host; raises InstanceNotFound when somebody else has finished it."""
    was_leaving = overtaken.stop_leaving(host, instance)
    # What came with the order is older than what the verb before it, for which it waited, made of volumes.
    if bdms is None or volumes.volume_bdms(bdms):
        bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    instance.load(*PARTS)
    host.events.forget(instance.uuid)
    moves = overtaken.moves_of(host, context, instance, is_known=was_leaving)
    shared = volume_release.shared_volumes(host, bdms)
    with announced(host, context, instance, "delete", bdms=bdms), shared:
        with announced(host, context, instance, "shutdown", bdms=bdms):
            remove_guest(host, context, instance, bdms)
            shares.release(host, context, instance)
            volume_release.release(host, context, instance, bdms)
            accelerators.release(host, context, instance)
        advance(
            host,
            instance,
            "delete_done",
            power_state=int(PowerState.NOSTATE),
            terminated_at=timeutils.utcnow(with_timezone=True),
            cleaned=not host.driver.has_disks_of(instance),
        )
        release(host, context, instance)
        overtaken.end(host, context, instance, moves)
        destroy(host, instance)
    overtaken.clear(host, context, instance, moves)


def remove_guest(
    host: ComputeHost, context: Any, instance: Any, bdms: Any, *, requested_networks: Any = None
) -> None:
    """Destroy the guest and give its ports back.

    A guest that cannot be powered off, or asked for, keeps its ports: it may still be using them.
    """
    admin = context.elevated()
    try:
        host.driver.destroy(admin, doomed_guest(instance, bdms))
    except _MAY_STILL_RUN:
        raise
    except Exception:
        deallocate(host, admin, instance, requested=requested_networks)
        raise
    deallocate(host, admin, instance, requested=requested_networks)


def deallocate(host: ComputeHost, context: Any, instance: Any, *, requested: Any = None) -> None:
    """Give the ports back; a network service that cannot be reached is asked a few times more."""
    for attempt in range(1, _NETWORK_ATTEMPTS + 1):
        try:
            network.deallocate(host, context, instance, requested=requested)
        except errors.NetworkServiceUnavailable as error:
            if attempt == _NETWORK_ATTEMPTS:
                raise
            LOG.warning("Instance %s: its ports could not be given back yet: %s", instance.uuid, error)
            if host.stopping.wait(min(2 * attempt, _LONGEST_PAUSE_SECONDS)):
                raise
        else:
            return


def release(host: ComputeHost, context: Any, instance: Any) -> None:
    """Give back what the instance held: its place in the ledger, its allocations, the schedulers' knowledge.

    Raises AllocationDeleteFailed, PlacementAPIConnectFailure: the instance must not be forgotten while
    placement still counts it.
    """
    nodename = instance.node
    host.tracker.release(instance)
    publish(host, context, nodename)
    host.placement.delete_allocations(context, instance.uuid)
    host.scheduler.delete_instance_info(context.elevated(), instance.uuid)


def publish(host: ComputeHost, context: Any, nodename: str | None) -> None:
    """Save the compute node if the ledger has changed; what fails now is made up for by the next audit."""
    if nodename is None:
        return
    try:
        host.tracker.publish(context.elevated(), nodename)
    except Exception as error:
        LOG.warning("The compute node of %s could not be saved now: %s", nodename, error)
