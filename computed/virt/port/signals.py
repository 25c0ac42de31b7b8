"""What a driver can tell a guest that goes on running."""

from __future__ import annotations

from typing import Any


class SignalPort:
    """Orders to a running guest; a driver that has no way to give one raises NotImplementedError."""

    def trigger_crash_dump(self, instance: Any) -> None:
        """Make the guest's kernel dump its memory, by an interrupt that cannot be masked.

        Raises TriggerCrashDumpNotSupported, InstanceNotRunning.
        """
        raise NotImplementedError

    def set_admin_password(self, instance: Any, password: str) -> None:
        """Set the administrator's password inside the guest.

        Raises SetAdminPasswdNotSupported, InstanceAgentNotEnabled. What else is raised may not reach a user:
        its text could hold the password.
        """
        raise NotImplementedError

    def power_update_event(self, instance: Any, target_power_state: str) -> None:
        """Take note that somebody else has switched the guest: "POWER_ON" or "POWER_OFF"."""
        raise NotImplementedError
