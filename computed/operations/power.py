"""Stopping and starting a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from computed.steps import power

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost


def stop_instance(
    host: ComputeHost, context: RequestContext, *, instance: Any, clean_shutdown: bool = True
) -> None:
    """Power a server off; with `clean_shutdown` its guest is asked first."""
    power.stop(host, context, instance, clean_shutdown=clean_shutdown)


def start_instance(host: ComputeHost, context: RequestContext, *, instance: Any) -> None:
    """Power a stopped server on."""
    power.start(host, context, instance)
