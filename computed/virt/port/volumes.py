"""What a driver does with the volumes of guests that exist already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from computed.virt.specs import DiskSpec


@dataclass(frozen=True, slots=True)
class VolumeStats:
    """How much a guest has read from and written to a volume since it was attached."""

    reads: int = 0
    read_bytes: int = 0
    writes: int = 0
    write_bytes: int = 0


class VolumePort:
    """Volumes into and out of guests, running or stopped.

    `disk` is a DiskSpec of source volume with its connection_info. A guest that is not there raises
    InstanceNotFound, a hypervisor that cannot be asked HypervisorUnavailable. Methods that a driver does
    not have raise NotImplementedError.
    """

    def attach_volume(self, context: Any, instance: Any, disk: DiskSpec) -> Mapping[str, Any]:
        """Connect the volume to this host and give it to the guest; on failure neither is left.

        Returns the connection info to be remembered: the given one, with what connecting has found out.
        Raises VolumeAttachFailed and errors of the connection.
        """
        raise NotImplementedError

    def detach_volume(self, context: Any, instance: Any, disk: DiskSpec) -> None:
        """Take the volume out of the guest, if it has it, and disconnect it from this host.

        Raises DeviceDetachFailed when the guest does not let go of it; DiskNotFound or InstanceNotFound
        when there is nothing to take it out of, after it has been disconnected all the same.
        """
        raise NotImplementedError

    def swap_volume(
        self, context: Any, instance: Any, old: DiskSpec, new: DiskSpec, *, new_size_gib: int | None
    ) -> Mapping[str, Any]:
        """Copy `old` to `new` under the running guest, put `new` in its place and disconnect `old`.

        `new_size_gib` when the guest's disk is to grow. Returns the connection info of `new` to be
        remembered; on failure the guest still has `old` and `new` is not connected.
        """
        raise NotImplementedError

    def extend_volume(self, context: Any, instance: Any, disk: DiskSpec, *, size_bytes: int) -> None:
        """Let host and guest see that a volume has grown to `size_bytes`."""
        raise NotImplementedError

    def create_volume_snapshot(
        self, context: Any, instance: Any, volume_id: str, create_info: Mapping[str, Any]
    ) -> None:
        """Snapshot a volume that the guest uses; `create_info` comes from the volume's driver in cinder
        (snapshot_id, type, new_file). Raises InstanceNotRunning."""
        raise NotImplementedError

    def delete_volume_snapshot(
        self, context: Any, instance: Any, volume_id: str, snapshot_id: str, delete_info: Mapping[str, Any]
    ) -> None:
        """Merge a snapshot of a volume that the guest uses. Raises InstanceNotRunning."""
        raise NotImplementedError

    def volume_stats(self, disks: Mapping[str, Sequence[DiskSpec]]) -> Mapping[tuple[str, str], VolumeStats]:
        """Counters by (instance uuid, volume id) for the volumes asked for, by instance uuid; those that
        cannot be had are left out."""
        raise NotImplementedError

    def volume_device_name(self, instance: Any, bdms: Sequence[Any], bdm: Any) -> str | None:
        """The name of a device that is to be attached, where the hypervisor decides; None: it does not."""
        return None
