"""Shared file systems of an instance."""

from computed.errors.base import NotFound, NotSupported, NovaException


class ShareNotFound(NotFound):
    msg_fmt = "No share %(share_id)s."


class ShareStatusIncorect(NotFound):
    msg_fmt = "Share %(share_id)s has status %(status)s, which does not allow this."


class ShareMappingAlreadyExists(NotFound):
    msg_fmt = "Share %(share_id)s is attached already, under tag %(tag)s."


class ShareProtocolNotSupported(NotFound):
    msg_fmt = "Share protocol %(share_proto)s is not supported."


class ShareMissingExportLocation(NotFound):
    msg_fmt = "Share %(share_id)s is exported nowhere."


class ShareAccessNotFound(NotFound):
    msg_fmt = "Share %(share_id)s grants no access to this host."


class ShareError(NovaException):
    msg_fmt = "Share %(share_id)s of instance %(instance_uuid)s failed."


class ShareErrorUnexpectedStatus(NovaException):
    msg_fmt = "Share %(share_id)s of instance %(instance_uuid)s has an unexpected status."


class ShareLockError(NovaException):
    msg_fmt = "Share %(share_id)s was not locked: %(reason)s"


class ShareUnlockError(NovaException):
    msg_fmt = "Share %(share_id)s was not unlocked: %(reason)s"


class ShareLockNotFound(NovaException):
    msg_fmt = "Share %(share_id)s is not locked."


class ShareLockAlreadyExists(NovaException):
    msg_fmt = "Share %(share_id)s is locked already."


class ShareAccessGrantError(NovaException):
    msg_fmt = "Access to share %(share_id)s was not granted: %(reason)s"


class ShareAccessRemovalError(NovaException):
    msg_fmt = "Access to share %(share_id)s was not withdrawn: %(reason)s"


class ShareMountError(NovaException):
    msg_fmt = "Share %(share_id)s of instance %(server_id)s was not mounted: %(reason)s"


class ShareUmountError(NovaException):
    msg_fmt = "Share %(share_id)s of instance %(server_id)s was not unmounted: %(reason)s"


class ManilaConnectionFailed(NovaException):
    msg_fmt = "Manila cannot be reached: %(reason)s"


class ForbiddenSharesNotSupported(NotSupported):
    msg_fmt = "This host cannot attach shares."


class ForbiddenSharesNotConfiguredCorrectly(NotSupported):
    msg_fmt = "This host is not set up for shares."


class ForbiddenWithShare(NotSupported):
    msg_fmt = "An instance with a share does not allow this."
