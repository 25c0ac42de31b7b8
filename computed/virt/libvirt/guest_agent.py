"""What the agent inside a guest is asked for."""

from __future__ import annotations

from computed.virt.libvirt.guest_handle import GuestHandle


class GuestAgent(GuestHandle):
    """Every method raises LibvirtFailed (AGENT_UNRESPONSIVE, ARGUMENT_UNSUPPORTED...) when the guest has no
    agent or it does not answer."""

    def set_password(self, user: str, password: str) -> None:
        """Set the password of a user inside the guest."""
        self.call("setUserPassword", user, password, 0)

    def freeze(self) -> None:
        """Write out and hold all file systems of the guest."""
        self.call("fsFreeze")

    def thaw(self) -> None:
        """Let the file systems go on."""
        self.call("fsThaw")

    def set_time(self, seconds: int, nanoseconds: int = 0) -> None:
        """Set the guest's clock, in time since the epoch."""
        self.call("setTime", {"seconds": seconds, "nseconds": nanoseconds}, 0)
