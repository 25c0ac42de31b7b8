"""Flavors, and what an instance's flavor does not allow."""

from computed.errors.base import Forbidden, Invalid, NotFound, NovaException


class FlavorNotFound(NotFound):
    msg_fmt = "No flavor %(flavor_id)s."


class FlavorNotFoundByName(FlavorNotFound):
    msg_fmt = "No flavor is called %(flavor_name)s."


class FlavorExists(NovaException):
    msg_fmt = "There is a flavor %(name)s already."


class FlavorIdExists(NovaException):
    msg_fmt = "There is a flavor with id %(flavor_id)s already."


class FlavorAccessExists(NovaException):
    msg_fmt = "Project %(project_id)s may use flavor %(flavor_id)s already."


class FlavorAccessNotFound(NotFound):
    msg_fmt = "Project %(project_id)s has no access to flavor %(flavor_id)s."


class FlavorExtraSpecsNotFound(NotFound):
    msg_fmt = "Flavor %(flavor_id)s has no extra spec %(extra_specs_key)s."


class FlavorExtraSpecUpdateCreateFailed(NovaException):
    msg_fmt = "The extra specs of flavor %(id)s were not saved in %(retries)s attempts."


class FlavorMemoryTooSmall(NovaException):
    msg_fmt = "The flavor has less memory than the image asks for."


class FlavorDiskTooSmall(NovaException):
    msg_fmt = "The flavor's disk is too small for the image."


class FlavorDiskSmallerThanImage(FlavorDiskTooSmall):
    msg_fmt = "The image needs %(image_size)s bytes and the flavor's disk holds %(flavor_size)s."


class FlavorDiskSmallerThanMinDisk(FlavorDiskTooSmall):
    msg_fmt = "The image asks for a disk of %(image_min_disk)s bytes and the flavor's holds %(flavor_size)s."


class FlavorImageConflict(NovaException):
    msg_fmt = "Flavor and image contradict each other on %(setting)s: %(flavor_val)s against %(image_val)s."


class FlavorImageLockedMemoryConflict(FlavorImageConflict):
    msg_fmt = "Flavor and image contradict each other on locked memory: %(flavor)s against %(image)s."


class CannotResizeDisk(NovaException):
    msg_fmt = "The disk does not fit a resize: %(reason)s"


class CannotResizeToSameFlavor(NovaException):
    msg_fmt = "The instance has that flavor already."


class ResizeError(NovaException):
    msg_fmt = "Resize failed: %(reason)s"


class BootFromVolumeRequiredForZeroDiskFlavor(Forbidden):
    msg_fmt = "A flavor with no root disk needs a root volume."


class AutoDiskConfigDisabledByImage(Invalid):
    msg_fmt = "Image %(image)s rules out automatic disk configuration."
