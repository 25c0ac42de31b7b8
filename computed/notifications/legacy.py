"""The unversioned payloads, as dictionaries whose keys and spellings consumers have known for ten years.

Keys: contract transcripts and notifications read back from stock nova-compute 34.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from oslo_utils import strutils

from computed import errors
from computed.notifications.base import known

Json = dict[str, Any]

_AS_RECORDED = (
    *("access_ip_v4", "access_ip_v6", "architecture", "availability_zone", "display_name", "host"),
    *("hostname", "instance_type_id", "kernel_id", "node", "os_type", "ramdisk_id", "reservation_id"),
    "user_id",
)
_SECRETS = ("pass", "token", "secret", "injected_files", "user_data", "connection_info", "key_data")


def of_instance(instance: Any, image_url: str | None, network_info: Iterable[Any] | None) -> Json:
    """The usage payload of an instance; `fixed_ips` only when `network_info` is given."""
    flavor = known(instance, "flavor")
    usage: Json = {name: known(instance, name) for name in _AS_RECORDED}
    usage.update(_of_flavor(flavor) if flavor is not None else {})
    usage.update(
        tenant_id=instance.project_id,
        instance_id=instance.uuid,
        cell_name=known(instance, "cell_name") or "",
        created_at=str(known(instance, "created_at")),
        deleted_at=_time(known(instance, "deleted_at")),
        launched_at=_time(known(instance, "launched_at")),
        terminated_at=_time(known(instance, "terminated_at")),
        image_ref_url=image_url,
        image_meta=image_meta(known(instance, "system_metadata") or {}),
        metadata=dict(known(instance, "metadata") or {}),
        state=instance.vm_state,
        state_description=instance.task_state or "",
        progress=known(instance, "progress") or "",
    )
    if network_info is not None:
        usage["fixed_ips"] = [
            {**ip, "label": vif["network"]["label"], "vif_mac": vif["address"]}
            for vif in network_info
            for ip in vif.fixed_ips()
        ]
    return usage


def _of_flavor(flavor: Any) -> Json:
    return {
        "instance_type": flavor.name,
        "instance_flavor_id": flavor.flavorid,
        "memory_mb": flavor.memory_mb,
        "vcpus": flavor.vcpus,
        "root_gb": flavor.root_gb,
        "ephemeral_gb": flavor.ephemeral_gb,
        "disk_gb": flavor.root_gb + flavor.ephemeral_gb,
    }


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%f")


def image_meta(system_metadata: Mapping[str, Any]) -> Json:
    """What the instance's system metadata remembers of its image."""
    return {k.removeprefix("image_"): v for k, v in system_metadata.items() if k.startswith("image_")}


def of_error(error: BaseException) -> Json:
    """What is added to the payload of an event that went wrong."""
    return {
        "exception": described(error),
        "message": strutils.mask_password(errors.fault_message(error)),
        "code": errors.fault_code(error),
    }


def described(error: BaseException) -> str:
    """An error in the one line that stock's payloads have for it, without what looks like a password."""
    if not isinstance(error, errors.NovaException):
        return str(strutils.mask_password(repr(error)))
    message = strutils.mask_password(error.format_message())
    return str({"kwargs": without_secrets(error.kwargs), "message": message, "class": type(error).__name__})


def without_secrets(value: Any, depth: int = 6) -> Any:
    """`value` as plain data: objects as dictionaries of what they know, and nothing that may be secret."""
    if isinstance(value, str | int | float | bool | None):
        return value
    if depth == 0:
        return str(type(value).__name__)
    if hasattr(value, "obj_attr_is_set"):
        value = {name: getattr(value, name) for name in value.fields if value.obj_attr_is_set(name)}
    if isinstance(value, Mapping):
        return {
            str(key): without_secrets(item, depth - 1)
            for key, item in value.items()
            if not any(word in str(key).lower() for word in _SECRETS)
        }
    if isinstance(value, Iterable):
        return [without_secrets(item, depth - 1) for item in value]
    if isinstance(value, datetime):
        return _time(value)
    return str(value)


def of_volume_usage(usage: Any) -> Json:
    """The legacy payload of volume.usage."""
    counters = ("reads", "read_bytes", "writes", "write_bytes")
    return {
        "volume_id": usage.volume_id,
        "instance_id": usage.instance_uuid,
        "tenant_id": usage.project_id,
        "user_id": usage.user_id,
        "availability_zone": usage.availability_zone,
        "last_refreshed": str(usage.last_refreshed or ""),
        **{name: getattr(usage, name) for name in counters},
    }
