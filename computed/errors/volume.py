"""Volumes, snapshots and block device mappings."""

from computed.errors.base import Invalid, NotFound, NotSupported, NovaException
from computed.errors.flavor import FlavorDiskTooSmall


class VolumeNotFound(NotFound):
    msg_fmt = "No volume %(volume_id)s."


class VolumeTypeNotFound(NotFound):
    msg_fmt = "No volume type %(id_or_name)s."


class SnapshotNotFound(NotFound):
    msg_fmt = "No volume snapshot %(snapshot_id)s."


class InvalidVolume(Invalid):
    msg_fmt = "Volume refused: %(reason)s"


class InvalidVolumeAccessMode(Invalid):
    msg_fmt = "A volume cannot be accessed in mode %(access_mode)s."


class StaleVolumeMount(InvalidVolume):
    msg_fmt = "The volume mount at %(mount_path)s is stale."


class VolumeAttachmentNotFound(NotFound):
    msg_fmt = "No volume attachment %(attachment_id)s."


class VolumeBDMNotFound(NotFound):
    msg_fmt = "No block device mapping for volume %(volume_id)s."


class VolumeBDMPathNotFound(VolumeBDMNotFound):
    msg_fmt = "No block device mapping for path %(path)s."


class VolumeBDMIsMultiAttach(Invalid):
    msg_fmt = "Volume %(volume_id)s is attached more than once."


class VolumeAttachFailed(Invalid):
    msg_fmt = "Volume %(volume_id)s was not attached: %(reason)s"


class VolumeDetachFailed(Invalid):
    msg_fmt = "Volume %(volume_id)s was not detached: %(reason)s"


class VolumeExtendFailed(Invalid):
    msg_fmt = "Volume %(volume_id)s was not extended: %(reason)s"


class VolumeNotCreated(NovaException):
    msg_fmt = "Volume %(volume_id)s is %(volume_status)s after %(attempts)s looks in %(seconds)s s."


class VolumeRebaseFailed(NovaException):
    msg_fmt = "The volume was not rebased: %(reason)s"


class VolumesNotRemoved(Invalid):
    msg_fmt = "Some logical volumes are still there: %(reason)s"


class VolumeEncryptionNotSupported(Invalid):
    msg_fmt = "Encrypted volume %(volume_id)s of type %(volume_type)s cannot be used here."


class VolumeTaggedAttachNotSupported(Invalid):
    msg_fmt = "The driver cannot attach volumes with a tag."


class VolumeSmallerThanMinDisk(FlavorDiskTooSmall):
    msg_fmt = "The volume holds %(volume_size)s bytes and the image asks for %(image_min_disk)s."


class VolumeDriverNotFound(NotFound):
    msg_fmt = "No volume driver %(driver_type)s."


class VolumeDriverNotSupported(VolumeDriverNotFound):
    msg_fmt = "Volume driver %(volume_driver)s cannot be used on this host."


class ExtendVolumeNotSupported(Invalid):
    msg_fmt = "The driver cannot extend an attached volume."


class MultiattachNotSupportedByVirtDriver(NotSupported):
    msg_fmt = "Volume %(volume_id)s allows several attachments, the driver does not."


class MultiattachNotSupportedOldMicroversion(Invalid):
    msg_fmt = "Volumes with several attachments need a newer API version."


class MultiattachSwapVolumeNotSupported(Invalid):
    msg_fmt = "A volume with several attachments cannot be swapped."


class MultiattachToShelvedNotSupported(Invalid):
    msg_fmt = "A volume with several attachments cannot go to a shelved instance."


class MismatchVolumeAZException(Invalid):
    code = 409
    msg_fmt = "Instance and volume are in different availability zones: %(reason)s"


class CinderConnectionFailed(NovaException):
    msg_fmt = "Cinder cannot be reached: %(reason)s"


class CinderAPIVersionNotAvailable(NovaException):
    msg_fmt = "Cinder does not serve API version %(version)s."


class UnsupportedCinderAPIVersion(NovaException):
    msg_fmt = "Cinder API version %(version)s is not supported."


class InvalidConnectionInfo(Invalid):
    msg_fmt = "The volume's connection info cannot be used."


class BDMNotFound(NotFound):
    msg_fmt = "No block device mapping %(id)s."


class InvalidBDM(Invalid):
    msg_fmt = "The block device mapping is not valid."


class InvalidBDMSnapshot(InvalidBDM):
    msg_fmt = "Volume snapshot %(id)s of the block device mapping cannot be used."


class InvalidBDMVolume(InvalidBDM):
    msg_fmt = "Volume %(id)s of the block device mapping cannot be used."


class InvalidBDMVolumeNotBootable(InvalidBDM):
    msg_fmt = "Volume %(id)s of the block device mapping is not bootable."


class InvalidBDMImage(InvalidBDM):
    msg_fmt = "Image %(id)s of the block device mapping cannot be used."


class InvalidBDMBootSequence(InvalidBDM):
    msg_fmt = "The boot order of the block device mappings has gaps or repeats."


class InvalidBDMLocalsLimit(InvalidBDM):
    msg_fmt = "More local disks are mapped than allowed."


class InvalidBDMEphemeralSize(InvalidBDM):
    msg_fmt = "The ephemeral disks are larger than the flavor allows."


class InvalidBDMSwapSize(InvalidBDM):
    msg_fmt = "The swap disk is larger than the flavor allows."


class InvalidBDMFormat(InvalidBDM):
    msg_fmt = "A block device mapping cannot be read: %(details)s"


class InvalidBDMDiskBus(InvalidBDM):
    msg_fmt = "The disk bus of a block device mapping is not known."


class TooManyDiskDevices(InvalidBDM):
    code = 403
    msg_fmt = "At most %(maximum)s disks can be attached to one instance."


class UndefinedRootBDM(NovaException):
    msg_fmt = "No block device mapping is the root disk."


class InvalidDevicePath(Invalid):
    msg_fmt = "%(path)s is no device name."


class DevicePathInUse(Invalid):
    code = 409
    msg_fmt = "Device name %(path)s is in use."


class DeviceDetachFailed(NovaException):
    msg_fmt = "Device %(device)s was not detached: %(reason)s"


class DeviceNotFound(NotFound):
    msg_fmt = "There is no device %(device)s."
