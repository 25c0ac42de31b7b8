"""What an operation may ask of an accelerator service, whichever it is (cyborg, or a test's own)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

AcceleratorRequest = dict[str, Any]
"""An accelerator request as cyborg tells it: `uuid`, `state` (Bound, BindFailed, ...), `device_profile_name`,
`attach_handle_type` and `attach_handle_info` (of a PCI device: domain, bus, device, function)."""


class AcceleratorService(Protocol):
    """The accelerator requests of instances.

    Requests are asked for with the context of the user. Errors: AcceleratorRequestOpFailed, also when the
    service did not answer.
    """

    def requests_of(self, context: Any, instance_uuid: str) -> list[AcceleratorRequest]:
        """Every accelerator request of an instance, in whatever state; empty when there is none."""

    def delete_of(self, context: Any, instance_uuid: str) -> None:
        """Unbind and delete the accelerator requests of an instance; it need not have any."""

    def delete(self, context: Any, request_uuids: Sequence[str]) -> None:
        """Delete accelerator requests, bound or not; those that are gone are no error."""
