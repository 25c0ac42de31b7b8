"""Interfaces of a server that exists: attached, detached, given and deprived of addresses."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from oslo_utils import timeutils

from computed import errors, objects
from computed.lib.undo import UndoStack, undo_on_error
from computed.steps import interfaces, network
from computed.steps.announce import announce
from computed.steps.guest import PARTS
from computed.steps.records import save

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def attach_interface(  # noqa: PLR0913 (the arguments of the RPC)
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    network_id: str | None,
    port_id: str | None,
    requested_ip: str | None,
    tag: str | None,
) -> dict[str, Any]:
    """Give a server one more interface, on a network or with a port of the user's; returns the VIF as JSON.

    Raises AttachInterfaceNotSupported, NetworkInterfaceTaggedAttachNotSupported, InterfaceAttachFailed
    (the driver cannot), and what steps.interfaces.attach raises; nothing is left of it then.
    """
    can = host.driver.capabilities
    if not can["supports_attach_interface"]:
        raise errors.AttachInterfaceNotSupported(instance_uuid=instance.uuid)
    if tag and not can["supports_tagged_attach_interface"]:
        raise errors.NetworkInterfaceTaggedAttachNotSupported()
    instance.load(*PARTS)
    announce(host, context, instance, "interface_attach", "start")
    request = objects.NetworkRequest(network_id=network_id, port_id=port_id, address=requested_ip, tag=tag)
    with undo_on_error() as undo:
        vif = interfaces.attach(host, context, instance, request, undo)
        _plug(host, context, instance, vif, undo)
    _save_if_changed(host, instance)
    announce(host, context, instance, "interface_attach", "end")
    plain: dict[str, Any] = vif.plain()
    return plain


def _plug(host: ComputeHost, context: Any, instance: Any, vif: Any, undo: UndoStack) -> None:
    try:
        host.driver.attach_interface(context, instance, instance.image_meta, vif)
    except Exception as error:
        LOG.warning("The driver cannot attach port %s to instance %s: %s", vif["id"], instance.uuid, error)
        # Whoever hears of the error finds the port given back.
        undo.rollback()
        announce(host, context, instance, "interface_attach", "error", exception=error)
        raise errors.InterfaceAttachFailed(instance_uuid=instance.uuid) from error


def detach_interface(
    host: ComputeHost, context: RequestContext, *, instance: Any, port_id: str | None
) -> None:
    """Take an interface out of a server and give its port back: a user's own is unbound, others deleted.

    Raises PortNotFound when it is not attached, InterfaceDetachFailed when the guest keeps it, and what
    the network service raises. After the latter it may be tried again.
    """
    vif = network.fresh(instance).vif(str(port_id))
    if vif is None:
        raise errors.PortNotFound(f"Port {port_id} is not attached.")
    announce(host, context, instance, "interface_detach", "start")
    try:
        host.driver.detach_interface(context, instance, vif)
    except errors.NovaException as error:
        is_gone = isinstance(error, errors.InstanceNotFound)
        level = logging.DEBUG if is_gone else logging.WARNING
        LOG.log(level, "Port %s stays attached to instance %s: %s", port_id, instance.uuid, error)
        raise errors.InterfaceDetachFailed(instance_uuid=instance.uuid) from error
    interfaces.release(host, context, instance, vif["id"])
    _forget_device(instance, vif)
    _save_if_changed(host, instance)
    announce(host, context, instance, "interface_detach", "end")


def _forget_device(instance: Any, vif: Any) -> None:
    """Take the interface out of what the guest is told of its tagged devices."""
    told = instance.device_metadata if instance.obj_attr_is_set("device_metadata") else None
    if told is None:
        return
    left = [device for device in told.devices if getattr(device, "mac", None) != vif["address"]]
    if len(left) != len(told.devices):
        told.devices = left


def _save_if_changed(host: ComputeHost, instance: Any) -> None:
    if instance.obj_what_changed():
        save(host, instance)


def add_fixed_ip_to_instance(
    host: ComputeHost, context: RequestContext, *, network_id: str, instance: Any
) -> None:
    """Give a server one more address on a network that it is on; raises NetworkNotFoundForInstance."""
    announce(host, context, instance, "create_ip", "start")
    with network.cache_lock(host, instance):
        network.fresh(instance)
        network_info = host.network.add_fixed_ip(context, instance, network_id)
        _tell_addresses(host, instance, network_info)
    announce(host, context, instance, "create_ip", "end", network_info=network_info)


def remove_fixed_ip_from_instance(
    host: ComputeHost, context: RequestContext, *, address: str, instance: Any
) -> None:
    """Take an address from a server; raises FixedIpNotFoundForInstance."""
    announce(host, context, instance, "delete_ip", "start")
    with network.cache_lock(host, instance):
        network.fresh(instance)
        network_info = host.network.remove_fixed_ip(context, instance, address)
        _tell_addresses(host, instance, network_info)
    announce(host, context, instance, "delete_ip", "end", network_info=network_info)


def _tell_addresses(host: ComputeHost, instance: Any, network_info: Any) -> None:
    """Tell the guest, if it can be told, and the record: the server has been updated now."""
    network.remember(instance, network_info)
    instance.updated_at = timeutils.utcnow(with_timezone=True)
    save(host, instance)
    host.driver.inject_network_info(instance, network_info)


def inject_network_info(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Tell the guest of its addresses as the network service has them."""
    network.refresh(host, context, instance)
    host.driver.inject_network_info(instance, network.cached(instance))
