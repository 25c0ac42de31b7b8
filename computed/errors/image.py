"""Images and the image service."""

from computed.errors.base import Invalid, NotFound, NovaException


class ImageNotFound(NotFound):
    msg_fmt = "No image %(image_id)s."


class ImageNotActive(NovaException):
    msg_fmt = "Image %(image_id)s is not active."


class ImageNotAuthorized(NovaException):
    msg_fmt = "The caller may not use image %(image_id)s."


class ImageUnacceptable(Invalid):
    msg_fmt = "Image %(image_id)s is refused: %(reason)s"


class ImageBadRequest(Invalid):
    msg_fmt = "Glance refused the request for image %(image_id)s: %(response)s"


class ImageDeleteConflict(NovaException):
    msg_fmt = "The image is in use and was not deleted: %(reason)s"


class ImageImportImpossible(Invalid):
    msg_fmt = "Image %(image_id)s cannot be imported: %(reason)s"


class ImageQuotaExceeded(NovaException):
    msg_fmt = "Image %(image_id)s exceeds the owner's quota."


class CouldNotFetchImage(NovaException):
    msg_fmt = "Image %(image_id)s was not fetched."


class CouldNotUploadImage(NovaException):
    msg_fmt = "Image %(image_id)s was not uploaded."


class GlanceConnectionFailed(NovaException):
    msg_fmt = "Glance at %(server)s cannot be reached: %(reason)s"


class InvalidImageRef(Invalid):
    msg_fmt = "%(image_href)s does not name an image."


class InvalidImageFormat(Invalid):
    msg_fmt = "Image format %(format)s is not accepted."


class InvalidDiskFormat(Invalid):
    msg_fmt = "Disk format %(disk_format)s is not accepted."


class InvalidDiskInfo(Invalid):
    msg_fmt = "The disk's description is not acceptable: %(reason)s"


class DiskInfoReadWriteFail(Invalid):
    msg_fmt = "The record of disk formats cannot be read or written: %(reason)s"


class DiskNotFound(NotFound):
    msg_fmt = "There is no disk at %(location)s."


class CertificateValidationFailed(NovaException):
    msg_fmt = "Certificate %(cert_uuid)s of the image's signature is not trusted: %(reason)s"


class UnsupportedImageModel(Invalid):
    msg_fmt = "Image of kind %(image)s cannot be opened."


class UnsupportedRescueImage(Invalid):
    msg_fmt = "Image %(image)s cannot be used to rescue."


class UnsupportedRescueBus(Invalid):
    msg_fmt = "Rescue bus %(bus)s does not exist for %(virt)s."


class UnsupportedRescueDevice(Invalid):
    msg_fmt = "Rescue device %(device)s does not exist."


class ConfigDriveInvalidValue(Invalid):
    msg_fmt = "Option %(option)s of the config drive has a wrong value."


class ConfigDriveMountFailed(NovaException):
    msg_fmt = "The config drive was not made, %(operation)s failed: %(error)s"


class ConfigDriveUnknownFormat(NovaException):
    msg_fmt = "No config drive format %(format)s."


class LibguestfsCannotReadKernel(Invalid):
    msg_fmt = "libguestfs cannot read this host's kernel."


class EphemeralEncryptionSecretNotFound(Invalid):
    msg_fmt = "There is no encryption secret %(secret_uuid)s."


class EphemeralEncryptionCleanupFailed(NovaException):
    msg_fmt = "The encryption secrets were not removed: %(error)s"
