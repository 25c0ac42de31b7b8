"""What a user may do to a live migration under way: end it, or bring it to its end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.states import MigrationStatus
from computed.steps import live_migration as shared
from computed.steps.announce import announce, announced
from computed.steps.departures import Phase

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def live_migration_abort(
    host: ComputeHost, context: RequestContext, *, instance: Any, migration_id: int
) -> None:
    """End a live migration that waits, prepares or runs; the instance stays here as it was.

    Raises InvalidMigrationState for one that has ended, NoActiveMigrationForInstance when the hypervisor
    knows of none.
    """
    announce(host, context, instance, "live_migration_abort", "start")
    found = host.departures.stop(instance.uuid, migration_id)
    if found is Phase.STOPPED or found is Phase.PREPARING:
        # Whoever prepares it gives everything back, and tells that it is over; it need not wait for ports.
        host.events.forget(instance.uuid)
        LOG.info("Live migration %d of instance %s is stopped while it prepares", migration_id, instance.uuid)
        return
    if found is None:
        _check_running(context, instance, migration_id)
    if found is not Phase.WAITING:
        shared.abort(host, instance, may_be_early=found is Phase.LEAVING)
    announce(host, context, instance, "live_migration_abort", "end")


def _check_running(context: Any, instance: Any, migration_id: int) -> None:
    """A migration that this process has not begun may still run, begun by one before it."""
    migration = objects.Migration.get_by_id(context, migration_id)
    if migration.status != MigrationStatus.RUNNING or migration.instance_uuid != instance.uuid:
        raise errors.InvalidMigrationState(
            migration_id=migration_id,
            instance_uuid=instance.uuid,
            state=migration.status,
            method="abort live migration",
        )


def live_migration_force_complete(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Bring a running live migration to its end; raises NoActiveMigrationForInstance."""
    with announced(host, context, instance, "live_migration_force_complete"):
        host.driver.force_live_migration(instance)
