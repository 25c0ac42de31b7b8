"""Attaching volumes to servers and detaching them."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.lib.undo import UndoStack
from computed.steps import volumes
from computed.steps.announce import announce
from computed.steps.block_devices import next_name, volume_spec
from computed.steps.patience import insistently, patiently
from computed.steps.volume_detach import destroy, detach, take_out, with_encryption

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def reserve_block_device_name(  # noqa: PLR0913 (the arguments of the RPC)
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    device: str | None,
    volume_id: str,
    disk_bus: str | None,
    device_type: str | None,
    tag: str | None,
    multiattach: bool,
) -> Any:
    """Make the mapping of a volume that is to be attached, with a name no other device has; returns it.

    Raises VolumeTaggedAttachNotSupported, MultiattachNotSupportedByVirtDriver, InvalidVolume (the instance
    has it already), InvalidDevicePath, DevicePathInUse, TooManyDiskDevices.
    """
    can = host.driver.capabilities
    if tag and not can["supports_tagged_attach_volume"]:
        raise errors.VolumeTaggedAttachNotSupported()
    if multiattach and not can["supports_multiattach"]:
        raise errors.MultiattachNotSupportedByVirtDriver(volume_id=volume_id)
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    if any(bdm.volume_id == volume_id for bdm in bdms):
        raise errors.InvalidVolume(reason=f"instance {instance.uuid} has volume {volume_id} already")
    bdm = objects.BlockDeviceMapping(
        context=context,
        source_type="volume",
        destination_type="volume",
        instance_uuid=instance.uuid,
        boot_index=None,
        volume_id=volume_id,
        device_name=device,
        guest_format=None,
        disk_bus=disk_bus,
        device_type=device_type,
        tag=tag,
    )
    bdm.device_name = next_name(host, instance, bdms, bdm)
    _create(host, bdm)
    return bdm


def _create(host: ComputeHost, bdm: Any) -> None:
    """Record the mapping, once, however often the answer is lost."""

    def attempt(is_repeated: bool) -> None:
        if is_repeated:
            known = objects.BlockDeviceMappingList.get_by_instance_uuid(bdm._context, bdm.instance_uuid)
            same = next((other for other in known if other.volume_id == bdm.volume_id), None)
            if same is not None:
                for name in same.fields:
                    if same.obj_attr_is_set(name):
                        setattr(bdm, name, getattr(same, name))
                bdm.obj_reset_changes()
                return
        bdm.create()

    patiently(f"Recording the volume {bdm.volume_id}", attempt, stopping=host.stopping)


def attach_volume(host: ComputeHost, context: RequestContext, *, instance: Any, bdm: Any) -> None:
    """Attach the volume of a reserved mapping; on failure volume and mapping are given back.

    A request that comes twice changes nothing; one that comes after the volume was given back only drops
    its mapping.
    """
    context = context.elevated()
    told = {"volume_id": bdm.volume_id}
    undo = UndoStack()
    undo.push("forget the mapping", lambda: destroy(host, bdm))
    announce(host, context, instance, "volume_attach", "start", payload=told)
    try:
        is_new = _attach(host, context, instance, bdm, undo)
    except Exception as error:
        undo.rollback()
        announce(host, context, instance, "volume_attach", "error", exception=error, payload=told)
        raise
    undo.commit()
    if is_new:
        LOG.info("Instance %s has volume %s as %s", instance.uuid, bdm.volume_id, bdm.device_name)
    announce(host, context, instance, "volume_attach", "end", payload=told, extra=told)


def _attach(host: ComputeHost, context: Any, instance: Any, bdm: Any, undo: UndoStack) -> bool:
    """Volume service, host, guest, record, volume service; False when that had been done before."""
    if bdm.attachment_id is None:
        bdm.attachment_id = host.volumes.attachment_create(context, bdm.volume_id, instance.uuid).id
    elif _is_attached(host, context, bdm):
        LOG.warning("Instance %s has volume %s already", instance.uuid, bdm.volume_id)
        return False
    undo.push(
        f"give volume {bdm.volume_id} back",
        lambda: host.volumes.attachment_delete(context, bdm.attachment_id),
    )
    with volumes.sharing(host, volumes.connect(host, context, instance, bdm)):
        disk = with_encryption(host, context, volume_spec(bdm))
        connection_info = host.driver.attach_volume(context, instance, disk)
    bdm.connection_info = json.dumps(dict(connection_info))
    undo.push(f"take volume {bdm.volume_id} out of the guest", lambda: take_out(host, context, instance, bdm))
    volumes.save(host, bdm)
    host.volumes.attachment_complete(context, bdm.attachment_id)
    return True


def _is_attached(host: ComputeHost, context: Any, bdm: Any) -> bool:
    """Whether an order that came before has attached the volume. As long as that is not known nothing can be
    given back."""
    attachment = insistently(
        f"Looking at attachment {bdm.attachment_id}",
        lambda: host.volumes.attachment_get(context, bdm.attachment_id),
        stopping=host.stopping,
        final=(errors.NotFound,),
    )
    return bool(attachment.status == "attached")


def detach_volume(
    host: ComputeHost, context: RequestContext, *, volume_id: str, instance: Any, attachment_id: str | None
) -> None:
    """Detach a volume. Raises VolumeBDMNotFound when the instance does not have it."""
    bdm = objects.BlockDeviceMapping.get_by_volume_and_instance(context, volume_id, instance.uuid)
    detach(host, context, instance, bdm)


def remove_volume_connection(
    host: ComputeHost,
    context: RequestContext,
    *,
    volume_id: str,
    instance: Any,
    delete_attachment: bool = False,
) -> None:
    """Disconnect a volume from this host, which another host asks for after a move that failed.

    Its attachment is the asker's affair unless `delete_attachment` says otherwise. An instance without the
    volume is no error.
    """
    try:
        bdm = objects.BlockDeviceMapping.get_by_volume_and_instance(context, volume_id, instance.uuid)
        take_out(host, context, instance, bdm)
        if bdm.attachment_id is None:
            connector = host.driver.volume_connector(instance)
            host.volumes.terminate_connection(context, volume_id, connector)
        elif delete_attachment:
            host.volumes.attachment_delete(context, bdm.attachment_id)
    except errors.NotFound as error:
        LOG.info("Volume %s of instance %s is not connected here: %s", volume_id, instance.uuid, error)
