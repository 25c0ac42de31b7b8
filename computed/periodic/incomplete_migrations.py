"""Removes what a failed move left on this host of instances that have been deleted since."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.states import MigrationStatus

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def cleanup_incomplete_migrations(host: ComputeHost, context: Any) -> None:
    """Clean up after the migrations of this host that are in error; each is `failed` afterwards.

    One conductor call when there are none. Instances that live, or were deleted on this very host, are
    none of our business.
    """
    filters = {"host": host.name, "status": str(MigrationStatus.ERROR)}
    # With an instance its migrations are deleted too.
    admin = context.elevated(read_deleted="yes")
    migrations = {each.instance_uuid: each for each in objects.MigrationList.get_by_filters(admin, filters)}
    if not migrations:
        return
    deleted = {"deleted": True, "soft_deleted": False, "uuid": sorted(migrations)}
    attrs = ["info_cache", "security_groups", "system_metadata"]
    for instance in objects.InstanceList.get_by_filters(admin, deleted, expected_attrs=attrs, use_slave=True):
        if instance.host != host.name:
            _clean_up(host, instance, migrations[instance.uuid])


def _clean_up(host: ComputeHost, instance: Any, migration: Any) -> None:
    LOG.info("Instance %s is deleted; what its migration %s left is removed", instance.uuid, migration.id)
    try:
        host.driver.delete_instance_files(instance)
        migration.status = str(MigrationStatus.FAILED)
        migration.save()
    except errors.MigrationNotFound:
        LOG.warning("Migration %s of instance %s is gone", migration.id, instance.uuid)
    except Exception:
        LOG.exception("What the migration %s of instance %s left stays", migration.id, instance.uuid)
