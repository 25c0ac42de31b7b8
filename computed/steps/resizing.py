"""What the legs of a resize share: whose flavor an instance has, who holds which allocation."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import MigrationStatus, VmState
from computed.steps import network, volumes
from computed.steps.patience import insistently, patiently
from computed.steps.records import save, set_migration_status

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

OLD_VM_STATE = "old_vm_state"
"""Key of the system metadata under which an instance that is resized remembers what it was before."""


_SIZES: Final = ("vcpus", "memory_mb", "root_gb", "ephemeral_gb")
"""What an instance repeats of its flavor."""


def take_flavor(instance: Any, flavor: Any) -> None:
    """Let the instance be of the size `flavor`; the caller saves."""
    instance.flavor = flavor
    instance.instance_type_id = flavor.id
    for size in _SIZES:
        setattr(instance, size, getattr(flavor, size))


def compute_id(host: ComputeHost, context: Any, nodename: str) -> int:
    """The id of the record of one of this host's nodes, also before the first audit has found it.

    Raises ComputeHostNotFound.
    """
    try:
        return int(host.tracker.compute_node(nodename).id)
    except errors.ComputeHostNotFound:
        found = objects.ComputeNode.get_by_host_and_nodename(context.elevated(), host.name, nodename)
        return int(found.id)


def was(instance: Any) -> str:
    """The vm_state before the resize."""
    return str(instance.system_metadata.get(OLD_VM_STATE) or VmState.ACTIVE)


def forget(instance: Any) -> None:
    """Let the instance know of no resize any more; the caller saves."""
    instance.old_flavor = None
    instance.new_flavor = None
    instance.system_metadata.pop(OLD_VM_STATE, None)


def save_forgotten(host: ComputeHost, instance: Any) -> None:
    """Forget the resize in the record too, after a failure that left it there; that never fails."""
    forget(instance)
    try:
        save(host, instance)
    except errors.InstanceNotFound:
        LOG.info("Instance %s is gone, and with it what it knew of its resize", instance.uuid)
    except Exception as error:
        LOG.warning("Instance %s still knows of its resize: %s", instance.uuid, error)


def return_allocation(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    """Give the instance back what its migration holds for it at the source, in place of what it holds at
    the destination.

    Raises AllocationMoveFailed, ConsumerAllocationRetrievalFailed, PlacementAPIConnectFailure.
    """
    insistently(
        f"Allocations of migration {migration.uuid}",
        lambda: host.placement.move_allocations(context, migration.uuid, instance.uuid),
        stopping=host.stopping,
    )


def try_return_allocation(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    """The same after a failure, which matters more than one of placement."""
    try:
        return_allocation(host, context, instance, migration)
    except Exception as error:
        LOG.error(
            "Migration %s still holds the source's allocation of instance %s, see to it in placement: %s",
            migration.uuid,
            instance.uuid,
            error,
        )


def try_bind(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    """Bind the ports to the host that the instance is on, after a failure that matters more."""
    providers = network.providers_held(host, context, instance)
    try:
        host.network.bind_to_host(context, instance, host=host.name, migration=migration, providers=providers)
    except Exception as error:
        LOG.error("Instance %s: its ports may not be bound to %s: %s", instance.uuid, host.name, error)


def drop_allocation(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    """Give up what the migration holds at the source, where the instance does not go back to any more.

    Raises AllocationDeleteFailed, PlacementAPIConnectFailure.
    """
    if host.placement.delete_allocations(context, migration.uuid):
        LOG.debug("Migration %s of instance %s holds nothing any more", migration.uuid, instance.uuid)


def try_drop_allocation(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    """The same after a failure, which matters more than one of placement."""
    try:
        drop_allocation(host, context, instance, migration)
    except Exception as error:
        LOG.error(
            "Migration %s of instance %s still holds an allocation, delete it in placement: %s",
            migration.uuid,
            instance.uuid,
            error,
        )


def end_confirmation(host: ComputeHost, context: Any, migration: Any, *, is_broken: bool) -> None:
    """End a migration that is recorded as being confirmed although its instance is past that: whoever
    confirmed it was stopped late. `is_broken`: the instance is in error or gone. Never raises."""
    try:
        known = objects.Migration.get_by_id(context, migration.id)
        if known.status != MigrationStatus.CONFIRMING:
            return
        host.placement.delete_allocations(context, known.uuid)
        set_migration_status(host, known, MigrationStatus.ERROR if is_broken else MigrationStatus.CONFIRMED)
    except errors.MigrationNotFound:
        LOG.info("Migration %s went with its instance", migration.uuid)
    except Exception as error:
        LOG.warning("Migration %s is looked at again by the next start: %s", migration.uuid, error)


def have_finished(  # noqa: PLR0913 (the arguments of the RPC)
    host: ComputeHost,
    context: Any,
    instance: Any,
    migration: Any,
    *,
    image: Mapping[str, Any] | None = None,
    disk_info: str | None = None,
    request_spec: Any = None,
) -> None:
    """Tell the destination that its turn has come: the disks are there. Raises ComputeUnavailable."""
    patiently(
        f"Telling {migration.dest_compute} to start instance {instance.uuid}",
        lambda is_repeated: host.computes.finish_resize(
            context,
            migration.dest_compute,
            instance=instance,
            migration=migration,
            image=dict(image or {}),
            disk_info=disk_info,
            request_spec=request_spec,
        ),
        stopping=host.stopping,
    )


def fail_migration(host: ComputeHost, migration: Any) -> None:
    """Record that the migration failed, after a failure that matters more than this."""
    end_migration(host, migration, MigrationStatus.ERROR)


def end_migration(host: ComputeHost, migration: Any, status: MigrationStatus) -> None:
    """Record how the migration ended. Never raises."""
    try:
        set_migration_status(host, migration, status)
    except Exception as error:
        LOG.warning("Migration %s was not recorded as %s: %s", migration.uuid, status, error)


def connect_volumes(host: ComputeHost, context: Any, instance: Any, bdms: Any) -> None:
    """Connect volumes that the other host has parked (steps.volumes.park) to this one.

    `volumes.complete` must follow once the guest has them.
    """
    for bdm in volumes.volume_bdms(bdms):
        volumes.connect(host, context, instance, bdm)
        volumes.save(host, bdm)


def adapt_swap(host: ComputeHost, context: Any, instance: Any, bdms: Any, *, old: Any, new: Any) -> Any:
    """Let the swap disk among `bdms` be what the flavor `new` says, if `old` said otherwise; saved.

    Returns the mappings as they are then (sizes in MiB, as in flavors).
    """
    if old is None or new is None or old.swap == new.swap:
        return bdms
    swap = next((bdm for bdm in bdms if bdm.guest_format == "swap" and bdm.device_type == "disk"), None)
    if swap is None:
        if new.swap:
            _add_swap(host, context, instance, new.swap)
            return objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
        return bdms
    if new.swap:
        swap.volume_size = new.swap
        volumes.save(host, swap)
        return bdms
    swap.destroy()
    return objects.BlockDeviceMappingList(objects=[bdm for bdm in bdms if bdm is not swap])


def _add_swap(host: ComputeHost, context: Any, instance: Any, size_mib: int) -> None:
    swap = objects.BlockDeviceMapping(
        context=context,
        uuid=str(uuid.uuid4()),
        instance_uuid=instance.uuid,
        source_type="blank",
        destination_type="local",
        device_type="disk",
        guest_format="swap",
        delete_on_termination=True,
        no_device=False,
        boot_index=-1,
        volume_size=size_mib,
    )
    patiently(
        f"Adding swap to instance {instance.uuid}",
        lambda is_repeated: swap.update_or_create(),
        stopping=host.stopping,
    )
