"""What a driver does to its host as a whole."""

from __future__ import annotations


class HostOrdersPort:
    """Orders to the host; most drivers have none of them and raise NotImplementedError."""

    def power_action(self, action: str) -> str:
        """Do `action` ("startup", "shutdown", "reboot") to the host; returns what the API shows of it."""
        raise NotImplementedError

    def maintenance_mode(self, host: str, *, is_on: bool) -> str:
        """Begin or end a maintenance window of `host`; returns "on_maintenance" or "off_maintenance"."""
        raise NotImplementedError
