"""What a driver does with guests: make, end, power, look."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from computed.virt.specs import GuestSpec, GuestState


class LifecyclePort(ABC):
    """Birth, death and power of guests.

    `instance` is an `objects.Instance`. Methods return when the thing is done; a guest that is not there
    raises `errors.InstanceNotFound`, a hypervisor that cannot be asked `errors.HypervisorUnavailable`.
    """

    @abstractmethod
    def spawn(self, context: Any, spec: GuestSpec) -> None:
        """Make and (unless `power_on` is false) start a guest. On failure nothing of it is left."""

    @abstractmethod
    def destroy(self, context: Any, spec: GuestSpec, *, destroy_disks: bool = True) -> None:
        """Stop and remove a guest and what `spawn` made for it; a guest that is gone already is no error."""

    @abstractmethod
    def power_on(self, context: Any, spec: GuestSpec) -> None:
        """Start a stopped guest."""

    @abstractmethod
    def power_off(self, instance: Any, *, timeout_seconds: int = 0, retry_seconds: int = 0) -> None:
        """Stop a guest; with a timeout ask it first and wait that long."""

    @abstractmethod
    def reboot(self, context: Any, spec: GuestSpec, *, hard: bool) -> None:
        """Restart a guest, softly (the guest agrees) or hard."""

    @abstractmethod
    def delete_instance_files(self, instance: Any) -> bool:
        """Remove what is left of an instance on the host's disks; True when nothing is left. Files of a
        guest that still exists stay."""


class StatePort(ABC):
    """Reading guests; all in one bulk call where a host has many."""

    @abstractmethod
    def states(self) -> dict[str, GuestState]:
        """Every guest of the host by instance uuid, in one call; complete, or HypervisorUnavailable."""

    @abstractmethod
    def state(self, instance: Any) -> GuestState:
        """One guest; raises InstanceNotFound when the hypervisor says that it has none such."""

    @abstractmethod
    def console_output(self, context: Any, instance: Any) -> bytes:
        """The console log as far as it is kept; raises NotImplementedError or ConsoleNotAvailable."""

    @abstractmethod
    def has_disks_of(self, instance: Any) -> bool:
        """Whether anything of the instance lies on this host's disks."""
