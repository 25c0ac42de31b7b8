"""What a driver does with file shares of guests."""

from __future__ import annotations

from typing import Any


class SharePort:
    """Shares mounted on the host, so that guests may be given them at their next start (GuestSpec.shares).

    `share` is an objects.ShareMapping that says who this host is to the share (access_type, access_to,
    access_key). A driver that cannot raises NotImplementedError.
    """

    def mount_share(self, context: Any, instance: Any, share: Any) -> None:
        """Mount a share for an instance; one that is mounted already is no error. Raises ShareMountError."""
        raise NotImplementedError

    def umount_share(self, context: Any, instance: Any, share: Any) -> bool:
        """The instance does not need the share any more; True when it stays mounted for another one.
        Raises ShareUmountError."""
        raise NotImplementedError

    def is_share_mounted(self, share: Any) -> bool:
        """Whether the share is mounted on this host, for whomever."""
        raise NotImplementedError
