"""Resize between cells: the guest goes as an image, and the conductor calls each leg and waits for it.

In the order of the calls: claim at the destination, image and removal of the guest at the source, guest at
the destination; then confirm at the source, or removal at the destination and the old guest at the source.
Each cell has records of its own; a leg sees those of its cell.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from oslo_utils import timeutils

from computed import errors, objects
from computed.lib.undo import undo_on_error
from computed.states import MigrationStatus, MigrationType, VmState
from computed.steps import images, moves, network, power, resizing, volume_release, volumes
from computed.steps.announce import announce, announce_exists, announced
from computed.steps.erring import erring
from computed.steps.guest import PARTS, doomed_guest, image_meta_of, known_guest
from computed.steps.records import advance, save, set_migration_status
from computed.steps.removal import publish

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.lib.undo import UndoStack
    from computed.steps.host import ComputeHost
    from computed.virt.specs import GuestSpec

LOG = logging.getLogger(__name__)


def prep_snapshot_based_resize_at_dest(  # noqa: PLR0913 (the arguments of the RPC)
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    flavor: Any,
    nodename: str,
    migration: Any,
    limits: Any,
) -> Any:
    """Hold room here for the instance; answers the MigrationContext for its record in the other cell.

    Raises MigrationPreCheckError: the conductor tries another host then.
    """
    payload = {"new_flavor": flavor}
    announce_exists(host, context, instance)
    announce(host, context, instance, "resize_prep", "start", payload=payload)
    try:
        instance.load("numa_topology", "pci_requests", "pci_devices", "resources", *PARTS)
        with host.tracker.resize_claim(instance, flavor, nodename, migration, limits=limits) as claim:
            moves.begin(host, instance, migration, claim)
            save(host, instance)
    except Exception as error:
        LOG.warning("Instance %s cannot come here from its cell: %s", instance.uuid, error)
        raise errors.MigrationPreCheckError(reason=f"host {host.name}: {error}") from error
    finally:
        size = {"new_instance_type": flavor.name, "new_instance_type_id": flavor.id}
        announce(host, context, instance, "resize_prep", "end", payload=payload, extra=size)
    return instance.migration_context


def prep_snapshot_based_resize_at_source(
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    migration: Any,
    snapshot_id: str | None = None,
) -> None:
    """Stop the guest, fill the image `snapshot_id` from it if one is named, and remove it but for its disks.

    Raises InstancePowerOffFailure. After a failure to stop or to image the guest it is off and whole.
    """
    instance.load(*PARTS)
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    with announced(host, context, instance, "resize", bdms=bdms):
        set_migration_status(host, migration, MigrationStatus.MIGRATING)
        try:
            power.power_off(host, instance, clean_shutdown=True)
        except Exception as error:
            raise errors.InstancePowerOffFailure(reason=str(error)) from error
        instance.power_state = power.power_state(host, instance)
        if snapshot_id:
            with images.removed_on_error(host, context, instance, snapshot_id):
                target = images.InstanceImage(host, context, instance, snapshot_id)
                host.driver.snapshot(context, instance, target)
        with erring(host, instance, back_to=VmState.ERROR):
            host.driver.destroy(context.elevated(), doomed_guest(instance, bdms), destroy_disks=False)
            volumes.park(host, context, instance, bdms)
            host.network.activate_bindings(context, instance, host=migration.dest_compute)
            set_migration_status(host, migration, MigrationStatus.POST_MIGRATING)
            advance(host, instance, "resize_migrated")
    host.events.forget(instance.uuid)


def finish_snapshot_based_resize_at_dest(
    host: ComputeHost, context: RequestContext, *, instance: Any, migration: Any, snapshot_id: str | None
) -> None:
    """Build the guest here, of the image `snapshot_id` or of its volumes; the image is removed afterwards.

    After a failure nothing of it is here, for the conductor forgets this cell's record of the instance; what
    a guest that cannot be taken away may use is left to it.
    """
    instance.load(*PARTS, "migration_context")
    with erring(host, instance, back_to=VmState.ACTIVE), undo_on_error() as undo:
        arrival = _Arrival(host, context, instance, migration, undo)
        arrival.begin()
        bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
        with announced(host, context, instance, "resize_finish", bdms=bdms):
            arrival.spawn(bdms, snapshot_id)
            if snapshot_id:
                images.remove(host, context, snapshot_id)
            set_migration_status(host, migration, MigrationStatus.FINISHED)
            arrival.name_this_host()
            host.tracker.arrived(instance, instance.node, migration)
            host.scheduler.update_instance_info(context.elevated(), objects.InstanceList(objects=[instance]))


@dataclass(frozen=True)
class _Arrival:
    """What the destination does of the last leg; everything can be taken back."""

    host: ComputeHost
    context: Any
    instance: Any
    migration: Any
    undo: UndoStack

    def begin(self) -> None:
        """In its new size, in the place that is held for it. The source has activated the ports here."""
        host, instance, migration = self.host, self.instance, self.migration
        node = migration.dest_node
        self.undo.push("give the place back", lambda: host.tracker.drop_move_claim(instance, node, migration))
        self.undo.push("send the ports back", self._send_ports_back)
        instance.old_flavor = instance.flavor
        if migration.migration_type == MigrationType.RESIZE:
            resizing.take_flavor(instance, instance.new_flavor)
        instance.apply_migration_context()
        advance(host, instance, "resize_finish")

    def spawn(self, bdms: Any, snapshot_id: str | None) -> None:
        """The guest with its volumes and ports."""
        host, context, instance = self.host, self.context, self.instance
        self.undo.push("leave the volumes", lambda: volume_release.leave(host, context, instance, bdms))
        resizing.connect_volumes(host, context, instance, bdms)
        _bind(host, context, instance, self.migration)
        spec = replace(
            known_guest(instance, bdms),
            allocations=host.placement.get_allocations(context, instance.uuid)["allocations"],
            power_on=resizing.was(instance) == VmState.ACTIVE,
        )
        if snapshot_id:
            spec = _of_snapshot(host, context, spec, snapshot_id)
        self.undo.push(
            "take the guest away",
            lambda: host.driver.destroy(context.elevated(), doomed_guest(instance, bdms)),
            is_wall=True,
        )
        host.driver.spawn(context, spec)
        volumes.complete(host, context, instance, bdms)

    def name_this_host(self) -> None:
        """Only with this save does the instance live here."""
        host, instance = self.host, self.instance
        source = (instance.host, instance.node, instance.compute_id)

        def name_the_source() -> None:
            instance.host, instance.node, instance.compute_id = source

        self.undo.push("name the source again", name_the_source)
        node = self.migration.dest_node
        advance(
            host,
            instance,
            "resize_done",
            host=host.name,
            node=node,
            compute_id=resizing.compute_id(host, self.context, node),
            launched_at=timeutils.utcnow(with_timezone=True),
            power_state=power.power_state(host, instance),
        )

    def _send_ports_back(self) -> None:
        source = self.migration.source_compute
        try:
            self.host.network.activate_bindings(self.context, self.instance, host=source)
        except Exception as error:
            LOG.error(
                "Instance %s: its ports stay bound to %s, rebind them to %s: %s",
                self.instance.uuid,
                self.host.name,
                source,
                error,
            )


def _of_snapshot(host: ComputeHost, context: Any, spec: GuestSpec, snapshot_id: str) -> GuestSpec:
    """The guest with its root disk made of the snapshot in place of the image it was built from once."""
    disks = tuple(
        replace(disk, image_id=snapshot_id) if disk.boot_index == 0 and disk.source == "image" else disk
        for disk in spec.disks
    )
    return replace(spec, disks=disks, image_meta=image_meta_of(host.images.show(context, snapshot_id)))


def _bind(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    providers = network.providers_held(host, context, instance)
    with network.cache_lock(host, instance):
        network_info = host.network.bind_to_host(
            context, instance, host=host.name, migration=migration, providers=providers
        )
        network.remember(instance, network_info)


def confirm_snapshot_based_resize_at_source(
    host: ComputeHost, context: RequestContext, *, instance: Any, migration: Any
) -> None:
    """Remove what the source has kept; its allocation goes whatever fails, for the guest lives elsewhere."""
    instance.load(*PARTS)
    try:
        with erring(host, instance, back_to=VmState.ACTIVE):
            host.driver.destroy(context.elevated(), doomed_guest(instance, ()))
            _forget_bindings(host, context, instance)
            bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
            volume_release.leave(host, context, instance, bdms)
            set_migration_status(host, migration, MigrationStatus.CONFIRMED)
            host.tracker.release(instance)
            publish(host, context, migration.source_node)
    except Exception:
        resizing.try_drop_allocation(host, context, instance, migration)
        raise
    resizing.drop_allocation(host, context, instance, migration)


def _forget_bindings(host: ComputeHost, context: Any, instance: Any) -> None:
    """Take this host's bindings away; that they stay is no reason to stop."""
    try:
        host.network.delete_bindings(context, instance, host=host.name)
    except errors.PortBindingDeletionFailed as error:
        LOG.error("Instance %s: its ports keep bindings to %s: %s", instance.uuid, host.name, error)


def revert_snapshot_based_resize_at_dest(
    host: ComputeHost, context: RequestContext, *, instance: Any, migration: Any
) -> None:
    """Remove the guest from here, and give its ports back to the source."""
    instance.load(*PARTS, "migration_context", "numa_topology", "pci_devices", "pci_requests", "resources")
    announce_exists(host, context, instance)
    with erring(host, instance, back_to=VmState.ACTIVE):
        bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
        host.driver.destroy(context.elevated(), doomed_guest(instance, bdms))
        host.network.activate_bindings(context, instance, host=migration.source_compute)
        _forget_bindings(host, context, instance)
        volume_release.leave(host, context, instance, bdms)
        set_migration_status(host, migration, MigrationStatus.REVERTED)
        instance.revert_migration_context()
        advance(host, instance, "revert")
        host.tracker.release(instance)
        publish(host, context, migration.dest_node)
    host.scheduler.delete_instance_info(context.elevated(), instance.uuid)
    host.events.forget(instance.uuid)


def finish_revert_snapshot_based_resize_at_source(
    host: ComputeHost, context: RequestContext, *, instance: Any, migration: Any
) -> None:
    """Make the old guest again of the disks that were kept; it runs if it ran before."""
    instance.load(*PARTS, "migration_context")
    try:
        with erring(host, instance, back_to=VmState.ACTIVE):
            _take_back(host, context, instance, migration)
    except Exception:
        resizing.save_forgotten(host, instance)
        raise
    host.scheduler.update_instance_info(context.elevated(), objects.InstanceList(objects=[instance]))


def _take_back(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    was_active = resizing.was(instance) == VmState.ACTIVE
    if instance.old_flavor is not None:
        resizing.take_flavor(instance, instance.old_flavor)
    node, node_id = migration.source_node, resizing.compute_id(host, context, migration.source_node)
    advance(host, instance, "revert", host=host.name, node=node, compute_id=node_id)
    resizing.try_return_allocation(host, context, instance, migration)
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    resizing.connect_volumes(host, context, instance, bdms)
    _bind(host, context, instance, migration)
    spec = replace(known_guest(instance, bdms), power_on=was_active)
    try:
        host.driver.finish_revert_migration(context, spec, migration)
        resizing.forget(instance)
        advance(
            host,
            instance,
            "revert_done",
            vm_state=VmState.ACTIVE if was_active else VmState.STOPPED,
            launched_at=timeutils.utcnow(with_timezone=True),
            power_state=power.power_state(host, instance),
            migration_context=None,
        )
    finally:
        volumes.complete(host, context, instance, bdms)
    host.tracker.stays(instance, instance.node)
    publish(host, context, instance.node)
    set_migration_status(host, migration, MigrationStatus.REVERTED)
