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
    try:
        _finish_attachments(host, context, instance, bdms)
        for bdm in refresh(host, context, instance, bdms):
            _connect(host, context, instance, bdm)
    except errors.NovaException as error:
        LOG.warning("Instance %s uses its volumes as they were: %s", instance.uuid, error)


def _connect(host: ComputeHost, context: Any, instance: Any, bdm: Any) -> None:
    connect(host, context, instance, bdm)
    save(host, bdm)
    host.volumes.attachment_complete(context, bdm.attachment_id)


def _finish_attachments(host: ComputeHost, context: Any, instance: Any, bdms: Any) -> None:
    """The verb that holds the instance's lock is ours: whoever connected these volumes is no more."""
    for bdm in volume_bdms(bdms):
        if bdm.attachment_id is None or connection_of(bdm):
            continue
        if host.volumes.attachment_get(context, bdm.attachment_id).connection_info:
            LOG.info("The attachment of volume %s is finished", bdm.volume_id)
            _connect(host, context, instance, bdm)


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
