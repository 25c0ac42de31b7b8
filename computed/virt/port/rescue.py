"""What a driver does to boot a guest from a rescue image and to put it back."""

from __future__ import annotations

from typing import Any

from computed.virt.specs import RescueSpec


class RescuePort:
    """Rescuing guests; a driver that cannot raises NotImplementedError.

    InstanceNotFound, HypervisorUnavailable as in LifecyclePort. Doing what has been done already is no
    error: a message may come twice.
    """

    @property
    def rescue_image_id(self) -> str | None:
        """The image to rescue with when the user names none; None: the one that the guest was made of."""
        return None

    def rescue(self, context: Any, spec: RescueSpec) -> None:
        """Start a stopped guest from the rescue image. It stays rescued through reboots, until `unrescue`.

        Raises UnsupportedRescueDevice, UnsupportedRescueBus.
        """
        raise NotImplementedError

    def is_rescued(self, instance: Any) -> bool:
        """Whether the guest is, since a `rescue`, one that boots from the rescue image."""
        raise NotImplementedError

    def unrescue(self, context: Any, instance: Any) -> None:
        """Remove what `rescue` added and start the guest from its own disks."""
        raise NotImplementedError
