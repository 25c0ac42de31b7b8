"""Errors of our own that stay inside this process; what leaves it is one of the wire classes."""


class ComputedError(Exception):
    """The root of the errors that no other service knows."""


class ConfigError(ComputedError):
    """A configuration file or option cannot be used; the text names option, value and file."""


class StartRefused(ComputedError):
    """The agent must not start here: going on could harm instances or records."""


class ConductorUnavailable(ComputedError):
    """No answer from the conductor: the broker is lost or nobody listens."""


class ConductorTimeout(ConductorUnavailable):
    """The conductor was asked and did not answer in time; whether it acted is not known."""


class ComputeUnavailable(ComputedError):
    """A message for another compute could not be delivered: the broker is lost."""


class ComputeTimeout(ComputeUnavailable):
    """Another compute was asked and did not answer in time; whether it acted is not known."""


class ReadIncomplete(ComputedError):
    """The host was read only in part: what is missing from the answer is unknown, not gone."""


class ShuttingDown(ComputedError):
    """The agent drains and takes no new work."""


class NetworkServiceUnavailable(ComputedError):
    """Neutron gave no usable answer; whether it acted is not known, and what it has is not gone."""


class NetworkRequestRefused(ComputedError):
    """Neutron refused a request for a reason that has no class on the wire; `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class LiveMigrationAborted(ComputedError):
    """A live migration ended because somebody wanted it to; the guest is where it was."""


class Interrupted(ComputedError):
    """What was being done to an instance ended with the process that did it."""


class ImageToolFailed(ComputedError):
    """A program that works on disk images failed; the text names its command line and what it said."""


class LibvirtFailed(ComputedError):
    """libvirt refused or failed to do something; `code` is its number of the failure (virt/libvirt/codes.py),
    `domain` the part of libvirt that failed, the text what libvirt says."""

    def __init__(self, message: str, code: int = 1, domain: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.domain = domain


class RemoteFilesFailed(ComputedError):
    """A program that reaches files of another host failed; the text names its command and what it said."""
