"""What the mappings of an instance say of its volumes, compared with what the volume service says now."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.steps.volumes import connect, connection_of, refresh, save, volume_bdms

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def refresh_if_possible(host: ComputeHost, context: Any, instance: Any, bdms: Any) -> None:
    """As `refresh`, finishing what was begun: what is only reserved, and what a killed agent has left
    half-attached, is connected. Without the service what is remembered has to do.
    """
    for bdm in volume_bdms(bdms):
        try:
            _bring_up(host, context, instance, bdm)
        except errors.NovaException as error:
            LOG.warning("Instance %s uses volume %s as it was: %s", instance.uuid, bdm.volume_id, error)


def _bring_up(host: ComputeHost, context: Any, instance: Any, bdm: Any) -> None:
    if connection_of(bdm):
        is_wanted = bool(refresh(host, context, instance, [bdm]))
    else:
        # The verb that holds the instance's lock is ours: whoever began to connect the volume is no more,
        # and whoever has only reserved it waits for the lock.
        is_wanted = bdm.attachment_id is not None and _is_begun(host, context, bdm)
    if not is_wanted:
        return
    LOG.info("Volume %s of instance %s is connected now", bdm.volume_id, instance.uuid)
    connect(host, context, instance, bdm)
    save(host, bdm)
    host.volumes.attachment_complete(context, bdm.attachment_id)


def _is_begun(host: ComputeHost, context: Any, bdm: Any) -> bool:
    return bool(host.volumes.attachment_get(context, bdm.attachment_id).connection_info)


def reconcile(host: ComputeHost, context: Any, instance: Any, bdms: Any) -> None:
    """Before a reboot: mappings and attachments that have no counterpart go.

    A mapping goes from `bdms` and from the records only when the service itself says that it has no such
    attachment; an attachment goes only when no mapping is about its volume (one that is being made has a
    mapping first). A service that cannot be asked changes nothing.
    """
    try:
        found = host.volumes.attachments(context, instance.uuid)
    except errors.NovaException as error:
        LOG.info("The attachments of instance %s are not compared: %s", instance.uuid, error)
        return
    _drop_stale_mappings(host, context, instance, bdms, {attachment.id for attachment in found})
    volume_ids = {bdm.volume_id for bdm in volume_bdms(bdms)}
    for attachment in found:
        if attachment.volume_id not in volume_ids:
            _drop_attachment(host, context, instance, attachment)


def _drop_stale_mappings(
    host: ComputeHost, context: Any, instance: Any, bdms: Any, attachment_ids: set[str]
) -> None:
    for bdm in volume_bdms(bdms):
        if bdm.attachment_id is None or bdm.attachment_id in attachment_ids:
            continue
        try:
            host.volumes.attachment_get(context, bdm.attachment_id)
        except errors.VolumeAttachmentNotFound:
            if bdm.is_root:
                # Its mapping is all that still says where the server's system is.
                LOG.error(
                    "Instance %s boots from volume %s, which the volume service does not have attached",
                    instance.uuid,
                    bdm.volume_id,
                )
                continue
            LOG.warning("Instance %s has volume %s no more: its mapping goes", instance.uuid, bdm.volume_id)
            bdm.destroy()
            bdms.objects.remove(bdm)
        except errors.NovaException as error:
            LOG.info("Attachment %s of instance %s: %s", bdm.attachment_id, instance.uuid, error)


def _drop_attachment(host: ComputeHost, context: Any, instance: Any, attachment: Any) -> None:
    LOG.warning("Volume %s is not of instance %s: its attachment goes", attachment.volume_id, instance.uuid)
    try:
        host.volumes.attachment_delete(context, attachment.id)
    except errors.NovaException as error:
        LOG.warning("Attachment %s of instance %s stays: %s", attachment.id, instance.uuid, error)
