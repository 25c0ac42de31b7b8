"""Making images of servers: snapshots, backups with rotation, and holding file systems still for one."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.states import EDGES, Edge, PowerState, TaskState
from computed.steps import images
from computed.steps.announce import announce
from computed.steps.power import power_state
from computed.steps.records import advance

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

# The API has set a backup's state already.
_BACKUP: Final = Edge((TaskState.IMAGE_BACKUP,), TaskState.IMAGE_BACKUP)
_SNAPSHOT_POLL_SECONDS: Final = 0.5
_GONE: Final = (errors.InstanceNotFound, errors.InstanceNotRunning, errors.UnexpectedDeletingTaskStateError)


def snapshot_instance(host: ComputeHost, context: RequestContext, *, image_id: str, instance: Any) -> None:
    """Fill the image from the server's root disk, whether it runs or not."""
    with host.snapshot_slots:
        _snapshot(host, context, instance, image_id, EDGES["snapshot"])


def backup_instance(
    host: ComputeHost,
    context: RequestContext,
    *,
    image_id: str,
    instance: Any,
    backup_type: str,
    rotation: int,
) -> None:
    """Fill the image as `snapshot_instance` does, then delete the oldest images of that kind (daily, weekly
    or what the owner calls it) that are more than `rotation`."""
    with host.snapshot_slots, images.removed_on_error(host, context, instance, image_id):
        is_made = _snapshot(host, context, instance, image_id, _BACKUP)
    if is_made:
        _rotate(host, context, instance, backup_type, rotation)


def quiesce_instance(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Hold the server's file systems still, for a snapshot of its volumes."""
    host.driver.quiesce(context.elevated(), instance, instance.image_meta)


def unquiesce_instance(
    host: ComputeHost, context: RequestContext, *, instance: Any, mapping: Any = None
) -> None:
    """Let the server write again; with a `mapping` of devices once the snapshots that it names are taken.

    Nobody must wait for a guest for ever, so what fails in waiting is logged and ends it.
    """
    try:
        _await_snapshots(host, context, mapping or ())
    except errors.NovaException as error:
        LOG.warning("Instance %s may write before its snapshots are taken: %s", instance.uuid, error)
    host.driver.unquiesce(context.elevated(), instance, instance.image_meta)


def _await_snapshots(host: ComputeHost, context: Any, mapping: Any) -> None:
    for device in mapping:
        if device.get("source_type") != "snapshot":
            continue
        while host.volumes.get_snapshot(context, device["snapshot_id"]).status == "creating":
            if host.stopping.wait(_SNAPSHOT_POLL_SECONDS):
                return


def _snapshot(host: ComputeHost, context: Any, instance: Any, image_id: str, begin: Edge) -> bool:
    """The snapshot with its records and notifications, from the edge `begin` on.

    False when it came to nothing because instance or image has gone meanwhile: then nothing is left of it.
    """
    if host.driver.snapshots_upload_at_once:
        begin_state, begin = begin.task_state, replace(begin, task_state=TaskState.IMAGE_UPLOADING)
    else:
        begin_state = begin.task_state
    try:
        advance(host, instance, begin, power_state=power_state(host, instance))
        if instance.power_state != PowerState.RUNNING:
            LOG.info("Instance %s does not run (%s) and is snapshot", instance.uuid, instance.power_state)
        _announce(host, context, instance, "start", image_id, task_state=begin_state)
        started = time.monotonic()
        target = images.InstanceImage(host, context, instance, image_id)
        host.driver.snapshot(context.elevated(), instance, target)
        LOG.info("Instance %s: image %s in %.2f s", instance.uuid, image_id, time.monotonic() - started)
        advance(host, instance, "snapshot_done")
    except _GONE as error:
        LOG.info("Instance %s has gone before image %s was made: %s", instance.uuid, image_id, error)
        images.remove(host, context, image_id, unless_active=True)
        _free(host, instance)
        return False
    except errors.ImageNotFound:
        LOG.warning("Image %s was deleted before it was made of instance %s", image_id, instance.uuid)
        _free(host, instance)
        return False
    _announce(host, context, instance, "end", image_id, task_state=None)
    return True


def _announce(
    host: ComputeHost, context: Any, instance: Any, phase: str, image_id: str, *, task_state: str | None
) -> None:
    """Notify with the state that the phase is known by, whatever the record says already."""
    now = instance.task_state
    instance.task_state = task_state
    announce(host, context, instance, "snapshot", phase, payload={"snapshot_image_id": image_id})
    instance.task_state = now


def _free(host: ComputeHost, instance: Any) -> None:
    """Let the next verb begin, unless one has begun or the instance is gone."""
    try:
        advance(host, instance, Edge((instance.task_state,), None))
    except (errors.InstanceNotFound, errors.InstanceUpdateConflict):
        LOG.debug("Instance %s is in other hands", instance.uuid)


def _rotate(host: ComputeHost, context: Any, instance: Any, backup_type: str, rotation: int) -> None:
    wanted = {"image_type": "backup", "backup_type": backup_type, "instance_uuid": instance.uuid}
    for image in host.images.search(context, wanted)[rotation:]:
        LOG.info("Instance %s: backup %s is one too many", instance.uuid, image["id"])
        images.remove(host, context, image["id"])
