"""Rebuilding a server: making its guest anew, on its own host or, evacuated, on another one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from computed.operations.rebuild.attempt import Attempt
from computed.operations.rebuild.evacuation import Evacuation
from computed.operations.rebuild.here import RebuildHere
from computed.operations.rebuild.order import RebuildOrder

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def rebuild_instance(  # noqa: PLR0913 (the arguments of the RPC)
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    orig_image_ref: str | None,
    image_ref: str | None,
    injected_files: Sequence[Sequence[str]] | None,
    new_pass: str | None,
    orig_sys_metadata: Mapping[str, str] | None,
    bdms: Any,
    recreate: bool,
    on_shared_storage: bool | None,
    preserve_ephemeral: bool,
    migration: Any,
    scheduled_node: str | None,
    limits: Any,
    request_spec: Any,
    accel_uuids: Sequence[str] | None,
    reimage_boot_volume: bool | None = None,
    target_state: str | None = None,
) -> None:
    """Make the guest of a server anew; with `recreate` it is evacuated to here; see compute_rpc.json.

    One that fails ends in ERROR with a fault, except where nothing had been done yet; what was deleted
    meanwhile ends in silence. Raises BuildAbortException, PreserveEphemeralNotSupported, and whatever made
    it fail.
    """
    order = RebuildOrder(
        instance=instance,
        orig_image_ref=orig_image_ref,
        image_ref=image_ref,
        injected_files=injected_files or (),
        admin_password=new_pass,
        orig_system_metadata=orig_sys_metadata or {},
        bdms=bdms,
        is_on_shared_storage=on_shared_storage,
        preserves_ephemeral=bool(preserve_ephemeral),
        migration=migration,
        nodename=scheduled_node,
        limits=limits,
        request_spec=request_spec,
        accel_uuids=accel_uuids or (),
        reimages_boot_volume=bool(reimage_boot_volume),
        target_state=target_state,
    )
    kind: type[Attempt] = Evacuation if recreate else RebuildHere
    with host.locks.hold(instance.uuid):
        kind(host, context.elevated(), order).run()
