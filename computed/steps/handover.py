"""The guest runs at the destination of its live migration: nothing of it may stay at the source."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from computed import objects
from computed.states import MigrationStatus, MigrationType, VmState
from computed.steps import interrupted_departures, network, overtaken, volume_release
from computed.steps import live_migration as shared
from computed.steps.announce import announce
from computed.steps.console_tokens import take_back
from computed.steps.faults import record_fault
from computed.steps.guest import known_guest
from computed.steps.patience import patiently
from computed.steps.records import save

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

ON_ITS_WAY: Final = (MigrationStatus.RUNNING, MigrationStatus.RUNNING_POST_COPY)


@dataclass(frozen=True)
class Handover:
    """One guest that has left this host, and what is known of how it was here."""

    host: ComputeHost
    context: Any
    instance: Any
    migration: Any
    spec: Any
    """The guest as it was here: interfaces and volumes to take away."""
    data: Any = None
    """The LiveMigrateData; None when it is lost."""
    bdms: Iterable[Any] = ()
    """Its block devices before the destination connected them."""
    block_migration: bool | None = None

    @property
    def dest(self) -> str:
        """The host where the guest is."""
        return str(self.migration.dest_compute)

    def run(self) -> bool:
        """Hand everything over, whatever fails; True when the destination has taken note of the guest.

        Otherwise the instance is in ERROR, and its record says where the guest is.
        """
        host, context, instance, dest = self.host, self.context, self.instance, self.dest
        # As the interfaces are known here: the destination will write them anew.
        network_info = network.cached(instance)
        announce(host, context, instance, "live_migration_post", "start", network_info=network_info)
        activate_ports(host, context, instance, dest)
        self._leave_here()
        try:
            host.computes.post_live_migration_at_destination(
                context, dest, instance=instance, block_migration=self.block_migration
            )
        except Exception as error:
            self._end_without_destination(error)
            return False
        host.scheduler.delete_instance_info(context.elevated(), instance.uuid)
        announce(host, context, instance, "live_migration_post", "end", network_info=network_info)
        shared.try_set_status(host, self.migration, MigrationStatus.COMPLETED)
        shared.forget_allocations(host, context, (self.migration.uuid,))
        return True

    def _leave_here(self) -> None:
        """Remove from this host what the guest had here."""
        host, context, instance = self.host, self.context, self.instance
        clean_up, destroy_disks = shared.clean_up_flags(self.data)
        end = partial(
            host.driver.end_live_migration_at_source,
            context,
            self.spec,
            self.data,
            clean_up=clean_up,
            destroy_disks=destroy_disks,
        )
        shared.attempt("something of it is left on this host", instance.uuid, end)
        volume_release.leave(host, context, instance, self.bdms)
        take_back(host, context, instance)
        host.events.forget(instance.uuid)
        host.tracker.release(instance)

    def _end_without_destination(self, error: Exception) -> None:
        """The guest is there, but the destination took no note of it: at least the record is to say so.

        Of an instance that is being deleted the destination has removed the guest.
        """
        shared.delete_bindings(self.host, self.context, self.instance, self.host.name)
        if overtaken.settle(self.host, self.context, self.instance, self.migration):
            return
        LOG.error(
            "Instance %s runs on %s, which could not finish its live migration; see there: %s",
            self.instance.uuid,
            self.dest,
            error,
            exc_info=error,
        )
        record_fault(self.host, self.context, self.instance, error)
        shared.attempt("its record is not up to date", self.instance.uuid, self._record_destination)
        end_in_error(self.host, self.instance, self.migration)
        shared.forget_allocations(self.host, self.context, (self.migration.uuid,))

    def _record_destination(self) -> None:
        instance, migration = self.instance, self.migration
        instance.obj_reset_changes()
        patiently(
            f"Reading instance {instance.uuid}",
            lambda is_repeated: instance.refresh(),
            stopping=self.host.stopping,
        )
        if instance.host == self.dest:
            return
        node = objects.ComputeNode.get_by_host_and_nodename(self.context, self.dest, migration.dest_node)
        instance.host = self.dest
        instance.node = migration.dest_node
        instance.compute_id = node.id
        instance.progress = 0


def activate_ports(host: ComputeHost, context: Any, instance: Any, dest: str) -> None:
    """The guest runs at `dest`: let its packets go there. What fails now the destination will see to."""
    shared.attempt(
        f"its ports are not active on {dest} yet, which will see to it",
        instance.uuid,
        lambda: host.network.activate_bindings(context, instance, host=dest),
    )


def end_in_error(host: ComputeHost, instance: Any, migration: Any) -> None:
    """Both the migration and the instance are in error; what cannot be saved is logged."""
    shared.try_set_status(host, migration, MigrationStatus.ERROR)
    instance.vm_state = VmState.ERROR
    instance.task_state = None
    shared.attempt("it is not marked as in error", instance.uuid, lambda: save(host, instance))


def finish_interrupted(host: ComputeHost, context: Any, instance: Any) -> bool:
    """The hypervisor no longer has the guest of an instance that was leaving when the agent ended.

    It is where it was going: hand over what is still here. False when no migration of the instance had
    come that far.
    """
    filters = {
        "instance_uuid": instance.uuid,
        "migration_type": str(MigrationType.LIVE_MIGRATION),
        "source_compute": host.name,
        "status": [str(status) for status in ON_ITS_WAY],
    }
    found = list(objects.MigrationList.get_by_filters(context, filters))
    if not found:
        return False
    migration = max(found, key=lambda each: each.id)
    LOG.warning(
        "Instance %s had left for %s when the agent ended: its live migration is finished; see whether the "
        "volume service still has attachments to this host, and the disk files of it, and remove them",
        instance.uuid,
        migration.dest_compute,
    )
    host.departures.refuse(migration.uuid)
    bdms = interrupted_departures.left_behind(host, context, instance, migration.dest_compute)
    spec = known_guest(instance, bdms)
    Handover(host, context, instance, migration, spec, bdms=bdms).run()
    return True
