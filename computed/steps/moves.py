"""The bookkeeping of a move to this host: migration record, migration context, allocations."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import MigrationStatus
from computed.steps.patience import insistently, patiently
from computed.steps.records import set_migration_status

if TYPE_CHECKING:
    from computed.resources.claims import Claim
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_ENDED: Final = (MigrationStatus.DONE, MigrationStatus.FAILED, MigrationStatus.COMPLETED)


def begin(host: ComputeHost, instance: Any, migration: Any, claim: Claim) -> None:
    """Say in the migration record that the instance comes to the claimed node, and give the instance its
    migration context, to go with its next save: by it the API knows whom else to tell of its ports.

    Nothing without a migration record (an older caller has none).
    """
    if migration is None:
        return
    claim.stamp_migration(migration, host.driver.host_ip())
    patiently(
        f"Saving migration {migration.uuid}", lambda is_repeated: migration.save(), stopping=host.stopping
    )
    instance.migration_context = objects.MigrationContext(
        context=instance._context,
        instance_uuid=instance.uuid,
        migration_id=migration.id,
        new_numa_topology=claim.claimed_numa_topology,
        old_numa_topology=instance.numa_topology,
        new_pci_devices=objects.PciDeviceList(objects=[]),
        old_pci_devices=instance.pci_devices,
        new_pci_requests=instance.pci_requests,
        old_pci_requests=instance.pci_requests,
        new_resources=None,
        old_resources=instance.resources,
    )


def drop_context(host: ComputeHost, instance: Any, migration: Any) -> None:
    """Take the instance's migration context away, in memory and in its record. Never raises: what stays of
    it is only in the way of the audit, and the next move replaces it."""
    if migration is None:
        return
    what = f"Dropping the migration context of instance {instance.uuid}"

    def drop() -> None:
        with contextlib.suppress(errors.InstanceNotFound):
            patiently(what, lambda is_repeated: instance.drop_migration_context(), stopping=host.stopping)

    try:
        insistently(what, drop, stopping=host.stopping)
    except Exception as error:
        LOG.warning("Instance %s keeps its migration context: %s", instance.uuid, error)


def end(host: ComputeHost, migration: Any, status: MigrationStatus) -> bool:
    """Record how the migration ended; False when it has ended otherwise before. Never raises.

    The caller's copy may be old: what another order for the same move has reached is not spoilt.
    """
    if migration is None:
        return True
    what = f"Recording migration {migration.uuid} as {status}"
    try:
        return insistently(what, lambda: _end(host, migration, status), stopping=host.stopping)
    except Exception as error:
        LOG.warning("Migration %s was not recorded as %s: %s", migration.uuid, status, error)
    return True


def _end(host: ComputeHost, migration: Any, status: MigrationStatus) -> bool:
    if status is MigrationStatus.FAILED:
        found = objects.Migration.get_by_id(migration._context, migration.id)
        if found.status in _ENDED and found.status != status:
            LOG.info("Migration %s is %s already", migration.uuid, found.status)
            return False
    set_migration_status(host, migration, status)
    return True


def is_unbegun(context: Any, migration: Any) -> bool:
    """Whether the record says that nobody has begun the move yet; False also when it cannot be read."""
    try:
        found = objects.Migration.get_by_id(context, migration.id)
    except Exception as error:
        LOG.warning("Migration %s could not be looked at: %s", migration.uuid, error)
        return False
    return bool(found.status == MigrationStatus.ACCEPTED)


def release_allocations(host: ComputeHost, context: Any, instance: Any, nodename: str | None) -> None:
    """Give back what placement holds of the node for an instance that does not come here. Never raises."""
    try:
        root = host.tracker.compute_node(nodename or "").uuid
        insistently(
            f"Giving back what instance {instance.uuid} holds of node {nodename}",
            lambda: host.placement.remove_tree_from_allocations(context, instance.uuid, root),
            stopping=host.stopping,
        )
    except Exception as error:
        LOG.warning("Instance %s keeps its allocations on node %s: %s", instance.uuid, nodename, error)
