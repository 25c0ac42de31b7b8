"""Rebooting a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from computed.steps import reboot

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost


def reboot_instance(
    host: ComputeHost, context: RequestContext, *, instance: Any, block_device_info: Any, reboot_type: str
) -> None:
    """Reboot a server; `reboot_type` is SOFT or HARD. `block_device_info` is always None on the wire."""
    reboot.reboot(host, context, instance, hard=reboot_type != "SOFT")
