"""Live migrations from here whose guest has arrived, and whose end a crash of this host has lost."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from computed import errors, objects
from computed.operations.recover.lane import Start, in_lane
from computed.states import MigrationStatus
from computed.steps import handover
from computed.steps import live_migration as shared

LOG = logging.getLogger(__name__)


def end_departures(start: Start, migrations: Sequence[Any]) -> None:
    """End those whose destination has recorded that it has the server; a few conductor calls for each. The
    others are the business of the server's own lane: it is recorded to be here."""
    for migration in migrations:
        start.host.lanes.start(f"departure-{migration.uuid}", partial(_end_one, start, migration))


def _end_one(start: Start, migration: Any) -> None:
    start.context.update_store()
    uuid = migration.instance_uuid
    try:
        instance = objects.Instance.get_by_uuid(start.context, uuid, expected_attrs=["info_cache"])
    except errors.InstanceNotFound:
        LOG.info("Instance %s was deleted before its live migration ended", uuid)
        return
    in_lane(start, instance, lambda: _end(start, migration, instance), reads_anew=True)


def _end(start: Start, migration: Any, instance: Any) -> None:
    instance.refresh()
    known = objects.Migration.get_by_id(start.context, migration.id)
    if known.status not in handover.ON_ITS_WAY or instance.host in (None, start.host.name):
        # Ended by the server's own lane meanwhile, or that lane's to end.
        return
    LOG.warning(
        "Instance %s has gone to %s by a live migration; that is recorded now", instance.uuid, instance.host
    )
    shared.forget_allocations(start.host, start.context, (migration.uuid,))
    if instance.task_state is None:
        # Else it may be about to come back.
        shared.delete_bindings(start.host, start.context, instance, start.host.name)
    shared.try_set_status(start.host, migration, MigrationStatus.COMPLETED)
