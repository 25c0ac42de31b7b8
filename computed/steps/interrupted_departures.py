"""A live migration whose source has died on the way: ended with everything given back, or handed over.

What the dead agent knew of the volumes at its own host is lost with it, so the volume service is asked: it
has one attachment of each for either host.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.states import MigrationStatus, MigrationType
from computed.steps import live_migration as shared
from computed.steps import volumes

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_PREPARED: Final = (
    MigrationStatus.PREPARING,
    MigrationStatus.RUNNING,
    MigrationStatus.RUNNING_POST_COPY,
)
"""Where the destination may have been asked to make ready."""
_UNDER_WAY: Final = (MigrationStatus.ACCEPTED, MigrationStatus.QUEUED, *_PREPARED)


@dataclass(frozen=True)
class ConnectedTwice:
    """A volume that both hosts of a live migration have, and by which attachments."""

    bdm: Any
    here: str
    there: str


def connected_twice(host: ComputeHost, context: Any, instance: Any, dest: str) -> list[ConnectedTwice]:
    """The volumes that are attached to this host and to `dest`; those of which the service does not say so
    are logged and left alone. Raises ConductorUnavailable and what VolumeService raises."""
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    return list(_twice(host, context, volumes.volume_bdms(bdms), dest))


def _twice(host: ComputeHost, context: Any, bdms: Iterable[Any], dest: str) -> Iterable[ConnectedTwice]:
    for bdm in bdms:
        if bdm.attachment_id is None:
            # An old-style one has no second attachment.
            continue
        holders = host.volumes.get(context, bdm.volume_id).holders
        own = [each for each in holders if each.attachment_id and each.instance_uuid == bdm.instance_uuid]
        here = {each.attachment_id for each in own if each.host == host.name}
        there = {each.attachment_id for each in own if each.host == dest}
        if bdm.attachment_id in here:
            for attachment_id in there:
                yield ConnectedTwice(bdm, bdm.attachment_id, attachment_id)
        elif len(here) == 1:
            # The mapping names the destination's, which may not be in use yet.
            yield ConnectedTwice(bdm, here.pop(), bdm.attachment_id)
        else:
            LOG.warning(
                "The volume service does not say by which attachment volume %s of instance %s is connected "
                "to this host: its mapping and its attachments are left as they are",
                bdm.volume_id,
                bdm.instance_uuid,
            )


def point_here(host: ComputeHost, context: Any, volume: ConnectedTwice) -> None:
    """Let the mapping of a volume name this host's attachment and connection; not saved."""
    bdm = volume.bdm
    info = host.volumes.attachment_get(context, volume.here).connection_info
    is_multiattach = bool(volumes.connection_of(bdm).get("multiattach"))
    bdm.attachment_id = volume.here
    volumes.remember(bdm, info, is_multiattach=is_multiattach)


def end(host: ComputeHost, context: Any, instance: Any) -> None:
    """End the live migrations that an agent before this one had begun or was to begin: the guest is here.

    An order of them that comes yet will not be carried out. As long as it is not sent, its sender may not
    even have said where to, and goes on preparing: that is given back when the order comes.
    """
    filters = {
        "instance_uuid": instance.uuid,
        "migration_type": str(MigrationType.LIVE_MIGRATION),
        "status": [str(status) for status in _UNDER_WAY],
    }
    for migration in objects.MigrationList.get_by_filters(context, filters):
        LOG.warning(
            "Live migration %s of instance %s to %s was interrupted: it is ended",
            migration.uuid,
            instance.uuid,
            migration.dest_compute,
        )
        is_accepted = migration.status == MigrationStatus.ACCEPTED
        host.departures.refuse(migration.uuid, may_be_unsent=is_accepted)
        try:
            host.driver.abort_live_migration(instance)
        except (errors.NoActiveMigrationForInstance, NotImplementedError):
            LOG.debug("Instance %s is not on its way any more", instance.uuid)
        if migration.dest_compute and migration.dest_compute != host.name:
            _give_back(host, context, instance, migration)
        shared.try_set_status(host, migration, MigrationStatus.ERROR)


def _give_back(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    """Take everything back from the destination; each part, whatever becomes of the others."""
    dest = migration.dest_compute
    is_prepared = migration.status in _PREPARED
    if is_prepared:
        shared.attempt(
            f"its volumes may stay connected to {dest} too, see to it in the volume service",
            instance.uuid,
            lambda: _return_volumes(host, context, instance, dest),
        )
    shared.give_back_destination(host, context, instance, migration)
    if is_prepared:
        shared.attempt(
            f"host {dest} counts its room until the next audit",
            instance.uuid,
            lambda: host.computes.drop_move_claim_at_destination(context, dest, instance=instance),
        )


def _return_volumes(host: ComputeHost, context: Any, instance: Any, dest: str) -> None:
    for volume in connected_twice(host, context, instance, dest):
        bdm = volume.bdm
        if bdm.attachment_id == volume.there:
            shared.attempt(
                f"volume {bdm.volume_id} stays connected to {dest}",
                instance.uuid,
                partial(
                    host.computes.remove_volume_connection,
                    context,
                    dest,
                    instance=instance,
                    volume_id=bdm.volume_id,
                ),
            )
            complaint = f"volume {bdm.volume_id} stays attached to {dest}"
            if not shared.insist(host, complaint, instance.uuid, partial(_return, host, context, volume)):
                continue
        shared.insist(
            host,
            f"attachment {volume.there} stays",
            instance.uuid,
            partial(host.volumes.attachment_delete, context, volume.there),
        )


def _return(host: ComputeHost, context: Any, volume: ConnectedTwice) -> None:
    point_here(host, context, volume)
    volumes.save(host, volume.bdm)


def left_behind(host: ComputeHost, context: Any, instance: Any, dest: str) -> list[Any]:
    """The volumes of a guest that has left for `dest` as this host still has them, to be let go of; they are
    mappings that must not be saved. What cannot be found out is logged."""
    found: list[Any] = []

    def look() -> None:
        for volume in connected_twice(host, context, instance, dest):
            if volume.bdm.attachment_id == volume.there:
                point_here(host, context, volume)
                found.append(volume.bdm)

    complaint = "its volumes may stay connected to this host, see to it in the volume service"
    shared.attempt(complaint, instance.uuid, look)
    return found
