"""Booting a server from a rescue image, with its own disks beside it, and putting it back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from oslo_utils import timeutils

from computed import errors, objects
from computed.lib.passwords import new_password
from computed.states import TaskState, VmState
from computed.steps import network, shares
from computed.steps.announce import announce, announce_exists
from computed.steps.erring import erring
from computed.steps.guest import PARTS, image_meta_of, known_guest
from computed.steps.power import power_off, power_state
from computed.steps.records import advance, require, set_error
from computed.virt.specs import RescueSpec

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def rescue_instance(
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    rescue_password: str | None,
    rescue_image_ref: str | None,
    clean_shutdown: bool,
) -> None:
    """Boot the server from `rescue_image_ref`, or else from the host's own, or from what it was made of.

    Without `rescue_password` the driver gets a random one. An image that cannot be read, or a server that
    this host cannot rescue, changes nothing; from the power-off on a failure leaves the server in ERROR.
    Raises InstanceNotRescuable and the errors of the image service.
    """
    require(instance, (TaskState.RESCUING,))
    instance.load(*PARTS)
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    image_meta = _rescue_image(host, context.elevated(), instance, rescue_image_ref)
    password = rescue_password or new_password(host.conf.password_length)
    guest = known_guest(instance, bdms, shares.settled(host, context, instance))
    spec = _rescue_spec(guest, image_meta, password)
    _refuse_volumes(host, instance, bdms, spec)
    told: dict[str, Any] = {
        "network_info": network.cached(instance),
        "extra": {"rescue_image_name": image_meta.name if image_meta.obj_attr_is_set("name") else ""},
        "payload": {"rescue_image_ref": rescue_image_ref},
    }
    announce(host, context, instance, "rescue", "start", **told)
    _rescue(host, context, spec, clean_shutdown)
    announce_exists(host, context, instance)
    advance(
        host,
        instance,
        "rescue",
        power_state=power_state(host, instance),
        launched_at=timeutils.utcnow(with_timezone=True),
    )
    announce(host, context, instance, "rescue", "end", **told)


def unrescue_instance(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Boot a rescued server from its own disks again; a driver that fails leaves it in ERROR."""
    require(instance, (TaskState.UNRESCUING,))
    instance.load(*PARTS)
    told: dict[str, Any] = {"network_info": network.cached(instance)}
    announce(host, context, instance, "unrescue", "start", **told)
    with erring(host, instance, back_to=VmState.ACTIVE):
        host.driver.unrescue(context, instance)
    advance(host, instance, "unrescue", power_state=power_state(host, instance))
    announce(host, context, instance, "unrescue", "end", **told)


def _rescue_image(host: ComputeHost, context: Any, instance: Any, image_ref: str | None) -> Any:
    # Of the second the stock agent speaks in the help of its option, but never comes to ask for it.
    ref = (
        image_ref
        or host.driver.rescue_image_id
        or instance.system_metadata.get("image_base_image_ref")
        or instance.image_ref
    )
    if not ref:
        raise errors.InstanceNotRescuable(
            instance_id=instance.uuid, reason="it was made of no image and none was named"
        )
    return image_meta_of(host.images.show(context, ref))


def _rescue_spec(guest: Any, image_meta: Any, password: str) -> RescueSpec:
    properties = image_meta.properties
    device, bus = properties.get("hw_rescue_device"), properties.get("hw_rescue_bus")
    return RescueSpec(
        guest=guest,
        image_meta=image_meta,
        admin_password=password,
        device_type=device or "disk",
        disk_bus=bus,
        is_stable=device is not None or bus is not None,
    )


def _refuse_volumes(host: ComputeHost, instance: Any, bdms: Any, spec: RescueSpec) -> None:
    """Raise InstanceNotRescuable for a server on a volume, unless driver and image know how."""
    if not any(bdm.is_root and bdm.is_volume for bdm in bdms):
        return
    if not host.driver.capabilities.get("supports_bfv_rescue", False):
        reason = f"it boots from a volume, which the driver of {host.name} cannot rescue"
    elif not spec.is_stable:
        reason = "it boots from a volume, and the image has no hw_rescue_device or hw_rescue_bus"
    else:
        return
    raise errors.InstanceNotRescuable(instance_id=instance.uuid, reason=reason)


def _rescue(host: ComputeHost, context: Any, spec: RescueSpec, clean_shutdown: bool) -> None:
    instance = spec.guest.instance
    try:
        power_off(host, instance, clean_shutdown=clean_shutdown)
        shares.mount(host, context, instance, spec.guest.shares)
        host.driver.rescue(context.elevated(), spec)
    except Exception as error:
        LOG.exception("Instance %s was not rescued by the driver; reboot it hard or unrescue", instance.uuid)
        set_error(host, instance)
        raise errors.InstanceNotRescuable(
            instance_id=instance.uuid, reason=f"the driver failed: {errors.fault_message(error)}"
        ) from error
