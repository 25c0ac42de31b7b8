"""Taking back a live migration at its source: the guest stays, and nothing is left at the destination."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from computed import objects
from computed.states import MigrationStatus
from computed.steps import live_migration as shared
from computed.steps import overtaken, volumes
from computed.steps.announce import announced
from computed.steps.patience import patiently

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


@dataclass
class Rollback:
    """One live migration that is taken back. Each part happens, whatever becomes of the others."""

    host: ComputeHost
    context: RequestContext
    instance: Any
    migration: Any
    data: Any
    spec: Any
    """The guest as it is here."""
    bdms: Any
    """Its block devices as they were before the destination connected them."""

    def run(self, status: MigrationStatus, *, is_ready: bool) -> None:
        """Take everything back; the migration is `status` afterwards.

        Not `is_ready`: the destination has not said that it is, so the guest here is untouched.
        """
        host, context, instance = self.host, self.context, self.instance
        shared.insist(
            host,
            f"the source's allocations stay with migration {self.migration.uuid}",
            instance.uuid,
            lambda: host.placement.move_allocations(context, self.migration.uuid, instance.uuid),
        )
        if is_ready:
            shared.attempt(
                "the guest here may not be as before",
                instance.uuid,
                lambda: host.driver.take_back_at_source(context, self.spec, self.data),
            )
        self._return_volumes()
        with announced(host, context, instance, "live_migration_rollback", bdms=self.bdms):
            self._clean_destination()
            is_free = shared.end_task(host, instance)
        if is_free or not overtaken.settle(host, context, instance, self.migration, status=status):
            shared.try_set_status(host, self.migration, status)

    def _return_volumes(self) -> None:
        """Disconnect the volumes from the destination; their mappings name this host's attachments again."""
        before = {bdm.volume_id: bdm for bdm in volumes.volume_bdms(self.bdms)}
        if not before:
            return
        now: list[Any] = []
        shared.insist(
            self.host, "its volumes are not looked at", self.instance.uuid, lambda: now.extend(self._read())
        )
        for bdm in volumes.volume_bdms(now):
            if bdm.volume_id not in before:
                continue
            old = before[bdm.volume_id]
            if bdm.attachment_id is None or bdm.attachment_id != old.attachment_id:
                # A destination that has failed has seen to that itself.
                self._disconnect_there(bdm)
            shared.insist(
                self.host,
                f"volume {bdm.volume_id} stays attached to {self.migration.dest_compute}",
                self.instance.uuid,
                lambda bdm=bdm, old=old: self._return_volume(bdm, old),  # type: ignore[misc]
            )

    def _read(self) -> Iterable[Any]:
        uuid = self.instance.uuid

        def read(is_repeated: bool) -> Iterable[Any]:
            found: Iterable[Any] = objects.BlockDeviceMappingList.get_by_instance_uuid(self.context, uuid)
            return found

        return patiently(f"Reading the volumes of instance {uuid}", read, stopping=self.host.stopping)

    def _disconnect_there(self, bdm: Any) -> None:
        shared.attempt(
            f"volume {bdm.volume_id} stays connected to {self.migration.dest_compute}",
            self.instance.uuid,
            lambda: self.host.computes.remove_volume_connection(
                self.context, self.migration.dest_compute, instance=self.instance, volume_id=bdm.volume_id
            ),
        )

    def _return_volume(self, bdm: Any, old: Any) -> None:
        new, bdm.attachment_id = bdm.attachment_id, old.attachment_id
        bdm.connection_info = old.connection_info
        if new is not None and old.attachment_id is not None and new != old.attachment_id:
            shared.insist(
                self.host,
                f"attachment {new} stays",
                self.instance.uuid,
                lambda: self.host.volumes.attachment_delete(self.context, new),
            )
        volumes.save(self.host, bdm)

    def _clean_destination(self) -> None:
        """Let the destination forget the guest; with shared storage all it has there is its claim."""
        host, context, instance, dest = self.host, self.context, self.instance, self.migration.dest_compute
        clean_up, destroy_disks = shared.clean_up_flags(self.data)
        if clean_up:
            shared.attempt(
                f"host {dest} may keep what it had made ready",
                instance.uuid,
                lambda: host.computes.rollback_live_migration_at_destination(
                    context, dest, instance=instance, destroy_disks=destroy_disks, migrate_data=self.data
                ),
            )
            return
        shared.take_ports_back(host, context, instance, dest)
        shared.attempt(
            f"host {dest} counts its room until the next audit",
            instance.uuid,
            lambda: host.computes.drop_move_claim_at_destination(context, dest, instance=instance),
        )


def cancel_waiting(host: ComputeHost, context: RequestContext, instance: Any, migration: Any) -> None:
    """A live migration ends before its turn came: only the control plane has prepared anything for it."""
    LOG.info("Live migration %s of instance %s is cancelled in the line", migration.uuid, instance.uuid)
    shared.give_back_destination(host, context, instance, migration)
    status = MigrationStatus.CANCELLED
    if shared.end_task(host, instance) or not overtaken.settle(
        host, context, instance, migration, status=status
    ):
        shared.try_set_status(host, migration, status)
