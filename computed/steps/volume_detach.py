"""Taking one volume out of a guest and giving it back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.steps import volume_release, volumes
from computed.steps.announce import announced
from computed.steps.block_devices import volume_spec
from computed.steps.patience import insistently, patiently
from computed.steps.records import save
from computed.steps.volume_usage import note_last_usage

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost
    from computed.virt.specs import DiskSpec

LOG = logging.getLogger(__name__)


def detach(host: ComputeHost, context: Any, instance: Any, bdm: Any, *, keep_mapping: bool = False) -> None:
    """The whole of a detachment: guest, host, volume service, mapping, notifications.

    The guest is not touched when the instance is on another host. With `keep_mapping` the mapping stays,
    for a volume that comes back (rebuild). A failure puts the volume back to in-use, so that it can be
    detached again. Raises DeviceDetachFailed and what driver and volume service raise.
    """
    told = {"volume_id": bdm.volume_id}
    with announced(host, context, instance, "volume_detach", payload=told, extra=told):
        note_last_usage(host, context, instance, bdm)
        with _rolled_back(host, context, instance, bdm), _sharing(host, context, bdm):
            if instance.host == host.name:
                take_out(host, context, instance, bdm)
            # The guest has let go of it: what stays attached now can neither be used nor detached again.
            _insist(host, bdm, lambda: volume_release.let_go(host, context, instance, bdm))
    if bdm.tag:
        _forget_device(host, instance, bdm)
    if not keep_mapping:
        _insist(host, bdm, lambda: destroy(host, bdm))


def _insist(host: ComputeHost, bdm: Any, deed: Callable[[], None]) -> None:
    what = f"Giving volume {bdm.volume_id} of instance {bdm.instance_uuid} back"
    insistently(what, deed, stopping=host.stopping, final=(errors.NotFound,))


@contextmanager
def _rolled_back(host: ComputeHost, context: Any, instance: Any, bdm: Any) -> Iterator[None]:
    try:
        yield
    except Exception:
        try:
            host.volumes.roll_detaching(context, bdm.volume_id)
        except errors.NovaException as error:
            LOG.warning("Volume %s of instance %s stays detaching: %s", bdm.volume_id, instance.uuid, error)
        raise


def _sharing(host: ComputeHost, context: Any, bdm: Any) -> Any:
    try:
        return volumes.sharing(host, host.volumes.get(context, bdm.volume_id))
    except errors.VolumeNotFound:
        LOG.info("Volume %s is gone: its attachment goes, too", bdm.volume_id)
        return nullcontext()


def take_out(host: ComputeHost, context: Any, instance: Any, bdm: Any) -> None:
    """Take the volume out of the guest and disconnect it from this host; nothing to take out is no error."""
    if not volumes.connection_of(bdm):
        return
    try:
        host.driver.detach_volume(context, instance, with_encryption(host, context, volume_spec(bdm)))
    except (errors.DiskNotFound, errors.DeviceNotFound, errors.InstanceNotFound) as error:
        LOG.info("Instance %s has volume %s no more: %s", instance.uuid, bdm.volume_id, error)


def with_encryption(host: ComputeHost, context: Any, disk: DiskSpec) -> DiskSpec:
    """The volume as a driver needs it, with how it is encrypted when its connection says that it is."""
    data = (disk.connection_info or {}).get("data") or {}
    if not data.get("encrypted"):
        return disk
    return replace(disk, encryption=host.volumes.encryption(context, str(disk.volume_id)))


def destroy(host: ComputeHost, bdm: Any) -> None:
    """Remove a mapping from the records, once, however often the answer is lost."""
    patiently(
        f"Forgetting the volume {bdm.volume_id} of instance {bdm.instance_uuid}",
        lambda is_repeated: bdm.destroy(),
        stopping=host.stopping,
    )


def _forget_device(host: ComputeHost, instance: Any, bdm: Any) -> None:
    """A tagged volume also stands in the instance's device metadata, by its id as serial."""
    metadata = instance.device_metadata
    known = [] if metadata is None else list(metadata.devices)
    left = [device for device in known if not _is_of(device, bdm.volume_id)]
    if len(left) == len(known):
        return
    instance.device_metadata = objects.InstanceDeviceMetadata(devices=left)
    save(host, instance)


def _is_of(device: Any, volume_id: str) -> bool:
    is_disk = isinstance(device, objects.DiskMetadata)
    return is_disk and device.obj_attr_is_set("serial") and device.serial == volume_id


def give_up(host: ComputeHost, context: Any, instance: Any, bdms: Any) -> None:
    """A build has failed for good: its volumes go back; those that go with the server go, mapping and all."""
    volume_release.release(host, context, instance, bdms)
    for bdm in volumes.volume_bdms(bdms):
        if bdm.volume_id is not None and bdm.delete_on_termination:
            try:
                # Not patiently: the build may have failed because there is no conductor.
                bdm.destroy()
            except errors.NovaException as error:
                LOG.info("The mapping of volume %s stays: %s", bdm.volume_id, error)
