"""What a driver does to halt guests and let them go on."""

from __future__ import annotations

from typing import Any

from computed.virt.specs import GuestSpec


class PausePort:
    """Pausing and suspending guests; a driver that cannot raises NotImplementedError.

    Doing what has been done already is no error: a message may come twice. InstanceNotFound,
    HypervisorUnavailable as in LifecyclePort. InstanceFaultRollback around another failure says that
    nothing has happened to the guest.
    """

    def pause(self, instance: Any) -> None:
        """Halt a running guest and keep it in memory."""
        raise NotImplementedError

    def unpause(self, instance: Any) -> None:
        """Let a paused guest go on."""
        raise NotImplementedError

    def suspend(self, context: Any, instance: Any) -> None:
        """Put the memory of a running guest away and free what it used."""
        raise NotImplementedError

    def is_suspended(self, instance: Any) -> bool:
        """Whether the guest's memory is put away and whole, so that `resume` goes on from there; not while it
        is still being put away. One that is not there is not suspended."""
        raise NotImplementedError

    def resume(self, context: Any, spec: GuestSpec) -> None:
        """Bring a suspended guest back as it was; one whose memory is lost is started anew."""
        raise NotImplementedError
