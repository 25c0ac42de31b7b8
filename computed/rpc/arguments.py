"""Refuses arguments that no operation could work with, before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from computed import errors
from computed.lib.uuids import is_uuid
from computed.rpc.call import Arguments, Call

# Which argument carries which object (contract: compute_rpc.json, methods, args, type).
_OBJECTS: Final[Mapping[str, str]] = {
    "bdm": "BlockDeviceMapping",
    "bdms": "BlockDeviceMappingList",
    "block_device_mapping": "BlockDeviceMappingList",
    "flavor": "Flavor",
    "instance": "Instance",
    "migration": "Migration",
    "request_spec": "RequestSpec",
    "requested_networks": "NetworkRequestList",
    "share_mapping": "ShareMapping",
}
_NEVER_NONE: Final = frozenset({"bdm", "flavor", "instance", "share_mapping"})
_LISTS: Final[Mapping[str, str]] = {"instances": "Instance", "events": "InstanceExternalEvent"}


def check_arguments(call: Call, arguments: Arguments, host_name: str) -> None:
    """Raise TypeError for an argument that is not what its name says, ValueError for an instance without a
    uuid, InstanceNotFound for one that is not here (only of calls that want their own)."""
    for name, value in arguments.items():
        if name in _OBJECTS and (value is not None or name in _NEVER_NONE):
            _check_object(call.name, name, value, _OBJECTS[name])
        elif name in _LISTS:
            _check_list(call.name, name, value, _LISTS[name])
    # One that is rebuilt to be evacuated ("recreate") lives elsewhere as yet.
    if call.own_instance and not arguments.get("recreate"):
        _check_own(arguments["instance"], host_name)


def _check_object(method: str, name: str, value: Any, wanted: str) -> None:
    if _object_name(value) != wanted:
        raise TypeError(f"{method}: {name} must be of type {wanted}, not {_described(value)}")
    # Locks, directories and files are named after it.
    if wanted == "Instance" and not (value.obj_attr_is_set("uuid") and is_uuid(value.uuid)):
        raise ValueError(f"{method}: the instance has no uuid")


def _check_list(method: str, name: str, value: Any, wanted: str) -> None:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{method}: {name} must be a list, not {_described(value)}")
    for element in value:
        _check_object(method, f"an element of {name}", element, wanted)


def _check_own(instance: Any, host_name: str) -> None:
    """A verb for a guest that lives elsewhere or no longer at all must not be tried on this host."""
    is_elsewhere = instance.obj_attr_is_set("host") and instance.host != host_name
    is_gone = instance.obj_attr_is_set("deleted") and instance.deleted
    if is_elsewhere or is_gone:
        raise errors.InstanceNotFound(instance_id=instance.uuid)


def _object_name(value: Any) -> str | None:
    name = getattr(value, "obj_name", None)
    return str(name()) if callable(name) else None


def _described(value: Any) -> str:
    return _object_name(value) or type(value).__name__
