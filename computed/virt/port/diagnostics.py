"""What a driver measures of a guest."""

from __future__ import annotations

from typing import Any


class DiagnosticsPort:
    """Figures of a running guest; a driver that measures nothing raises NotImplementedError."""

    def diagnostics(self, instance: Any) -> dict[str, Any]:
        """Figures under names of the driver's own, such as `cpu0_time` or `vda_read`."""
        raise NotImplementedError

    def instance_diagnostics(self, instance: Any) -> Any:
        """Figures as an objects.Diagnostics, the same for all drivers."""
        raise NotImplementedError
