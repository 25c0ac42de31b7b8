"""Version 5.13 of the compute API: the arguments of older callers, turned into those of version 6."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from computed import objects
from computed.rpc.call import Argument, bind, parse_arguments
from computed.rpc.endpoints import LEGACY_TARGET, Endpoint, Method


@dataclass(frozen=True, slots=True)
class Signature:
    """How one method looked in version 5 and what becomes of its arguments."""

    arguments: tuple[Argument, ...]
    drops: tuple[str, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)
    adds: Mapping[str, Any] = field(default_factory=dict)
    adapt: Callable[[Any, dict[str, Any]], None] | None = None

    def to_version_6(self, name: str, context: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of version 6; raises TypeError for names that version 5 did not know."""
        bound = bind(name, self.arguments, given)
        if self.adapt:
            self.adapt(context, bound)
        kept = {self.renames.get(k, k): v for k, v in bound.items() if k not in self.drops}
        return {**kept, **self.adds}


def _signature(
    arguments: str,
    drops: str = "",
    renames: Mapping[str, str] | None = None,
    adds: Mapping[str, Any] | None = None,
    adapt: Callable[[Any, dict[str, Any]], None] | None = None,
) -> Signature:
    return Signature(parse_arguments(arguments), tuple(drops.split()), renames or {}, adds or {}, adapt)


def _request_spec_from_dict(context: Any, arguments: dict[str, Any]) -> None:
    """Before 5.1 the request spec was a dictionary."""
    if isinstance(arguments["request_spec"], dict):
        arguments["request_spec"] = objects.RequestSpec.from_primitives(
            context, arguments["request_spec"], arguments["filter_properties"]
        )


def _no_accelerators(context: Any, arguments: dict[str, Any]) -> None:
    arguments["accel_uuids"] = arguments["accel_uuids"] or []


_FLAVOR: Final = {"instance_type": "flavor"}
_BUILD_ARGUMENTS: Final = (
    "instance image request_spec filter_properties admin_password=None injected_files=None "
    "requested_networks=None security_groups=None block_device_mapping=None node=None limits=None "
    "host_list=None accel_uuids=None"
)
_PREP_RESIZE_ARGUMENTS: Final = (
    "image instance instance_type request_spec filter_properties node clean_shutdown migration host_list"
)
_REBUILD_ARGUMENTS: Final = (
    "instance orig_image_ref image_ref injected_files new_pass orig_sys_metadata bdms recreate "
    "on_shared_storage preserve_ephemeral migration scheduled_node limits request_spec accel_uuids=None"
)

# Contract: compute_rpc.json, v5_proxy. Methods that are not here had the arguments they have now.
SIGNATURES: Final[Mapping[str, Signature]] = {
    "build_and_run_instance": _signature(_BUILD_ARGUMENTS),
    "check_can_live_migrate_destination": _signature(
        "instance block_migration disk_over_commit migration=None limits=None"
    ),
    "check_instance_shared_storage": _signature("instance data", drops="instance"),
    "finish_resize": _signature("disk_info image instance migration request_spec=None"),
    "finish_revert_resize": _signature("instance migration request_spec=None"),
    "finish_snapshot_based_resize_at_dest": _signature(
        "instance migration snapshot_id request_spec", drops="request_spec"
    ),
    "pre_live_migration": _signature("instance block_migration disk migrate_data", drops="block_migration"),
    "prep_resize": _signature(_PREP_RESIZE_ARGUMENTS, renames=_FLAVOR, adapt=_request_spec_from_dict),
    "prep_snapshot_based_resize_at_dest": _signature(
        "instance flavor nodename migration limits request_spec", drops="request_spec"
    ),
    "rebuild_instance": _signature(
        _REBUILD_ARGUMENTS, adds={"reimage_boot_volume": False, "target_state": None}
    ),
    "resize_instance": _signature(
        "instance image migration instance_type clean_shutdown request_spec=None", renames=_FLAVOR
    ),
    "revert_resize": _signature("instance migration request_spec=None"),
    "shelve_instance": _signature("instance image_id clean_shutdown accel_uuids=None"),
    "shelve_offload_instance": _signature("instance clean_shutdown accel_uuids=None"),
    "unshelve_instance": _signature(
        "instance image filter_properties node request_spec=None accel_uuids=None", adapt=_no_accelerators
    ),
}


class LegacyEndpoint(Endpoint):
    """Version 5.13 in front of the endpoint of version 6."""

    target = LEGACY_TARGET

    def __init__(self, current: Endpoint) -> None:
        self._current = current

    def method(self, name: str) -> Method | None:
        current = self._current.method(name)
        if current is None or name not in SIGNATURES:
            return current
        return _LegacyMethod(name, SIGNATURES[name], current)


@dataclass(frozen=True, slots=True)
class _LegacyMethod:
    name: str
    signature: Signature
    current: Method

    @property
    def expected_errors(self) -> tuple[type[Exception], ...]:
        return self.current.expected_errors

    def prepare(self, context: Any, arguments: Mapping[str, Any]) -> Callable[[], Any]:
        return self.current.prepare(context, self.signature.to_version_6(self.name, context, arguments))
