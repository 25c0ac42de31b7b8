"""What a driver does with single interfaces of guests."""

from __future__ import annotations

from typing import Any


class InterfacePort:
    """Plugging and unplugging; a driver that cannot raises NotImplementedError.

    `vif` is a network_model.VIF. InstanceNotFound, HypervisorUnavailable as in LifecyclePort.
    """

    def attach_interface(self, context: Any, instance: Any, image_meta: Any, vif: Any) -> None:
        """Give a guest, running or not, one more interface. On failure it is as before."""
        raise NotImplementedError

    def detach_interface(self, context: Any, instance: Any, vif: Any) -> None:
        """Take an interface out of a guest; one that the guest does not have is no error. Raises
        InterfaceDetachFailed when the guest keeps it."""
        raise NotImplementedError

    def inject_network_info(self, instance: Any, network_info: Any) -> None:
        """Tell a guest of its addresses; most drivers have no way to do so, and need none."""
