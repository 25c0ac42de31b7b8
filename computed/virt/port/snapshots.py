"""What a driver does to make an image of a guest's root disk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol


class SnapshotTarget(Protocol):
    """Where a snapshot goes, and who is told how far it has come."""

    image_id: str

    def extracting(self) -> None:
        """The disk is about to be copied out of the guest's storage: the instance's record says so.

        Also for a second try by another way, after `upload` could not be carried through.
        Raises UnexpectedTaskStateError and its kinds when another verb, a deletion for example, has the
        instance: then give up.
        """

    def upload(self, disk_format: str, data: Iterable[bytes]) -> None:
        """Fill the image; `disk_format` in glance's words (raw, qcow2, ...). `data` is read once.

        Raises what `extracting` raises, and the image service's errors.
        """


class SnapshotPort:
    """Images of guests, and holding a guest's file systems still for one.

    Not every hypervisor can: what it cannot raises NotImplementedError.
    """

    snapshots_upload_at_once = False
    """Whether `snapshot` has nothing to extract and begins with the upload."""

    def snapshot(self, context: Any, instance: Any, target: SnapshotTarget) -> None:
        """Copy the guest's root disk to `target`, whether the guest runs or not; it is afterwards as before.

        Returns when the image has all its bytes. Raises InstanceNotRunning, InstanceNotFound when there is
        no such guest.
        """
        raise NotImplementedError

    def quiesce(self, context: Any, instance: Any, image_meta: Any) -> None:
        """Make the guest write everything and hold its file systems still.

        Raises InstanceQuiesceNotSupported, QemuGuestAgentNotEnabled.
        """
        raise NotImplementedError

    def unquiesce(self, context: Any, instance: Any, image_meta: Any) -> None:
        """Let the guest write again; raises what `quiesce` raises."""
        raise NotImplementedError
