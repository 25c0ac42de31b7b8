"""What is to become of an instance whose build failed: decided by where it failed and with what."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from computed import errors


class Stage(Enum):
    """How far a build had come."""

    BEGIN = auto()
    CLAIM = auto()
    DISKS = auto()
    NETWORK = auto()
    SPAWN = auto()
    FINISH = auto()


class Verdict(Enum):
    """What is done about a failed build."""

    GONE = auto()
    """The instance is deleted or being deleted: clean up and say nothing."""
    STALE = auto()
    """The request is not, or no longer, for this state of the instance: change nothing."""
    ABORT = auto()
    """No other host would do better: ERROR, with a fault."""
    RESCHEDULE = auto()
    """Another host may do better."""
    RESCHEDULE_BY_POLICY = auto()
    """Another host, and this one is not to blame."""


_HOPELESS: Final = (
    errors.BuildAbortException,
    # networks
    errors.NoMoreFixedIps,
    errors.ExternalNetworkAttachForbidden,
    errors.VirtualInterfaceCreateException,
    errors.VirtualInterfaceMacAddressException,
    errors.FixedIpInvalidOnHost,
    errors.UnableToAutoAllocateNetwork,
    errors.NetworksWithQoSPolicyNotSupported,
    # images, flavors and what they ask for
    errors.FlavorDiskTooSmall,
    errors.FlavorMemoryTooSmall,
    errors.ImageNotActive,
    errors.ImageUnacceptable,
    errors.InvalidDiskInfo,
    errors.InvalidDiskFormat,
    errors.CertificateValidationFailed,
    errors.VolumeEncryptionNotSupported,
    errors.InvalidInput,
    errors.RequestedVRamTooHigh,
    errors.VTPMSecretForbidden,
    # the control plane itself is out of reach: there is nobody to hand the build to
    errors.ConductorUnavailable,
)

_RESCHEDULABLE_STAGES: Final = frozenset({Stage.CLAIM, Stage.NETWORK, Stage.SPAWN})


def judge(error: Exception, stage: Stage) -> Verdict:
    """The verdict on a build that failed with `error` at `stage`, as stock's manager would find it."""
    if isinstance(error, (errors.InstanceNotFound, errors.UnexpectedDeletingTaskStateError)):
        return Verdict.GONE
    if isinstance(error, errors.InstanceUpdateConflict):
        return Verdict.STALE if stage is Stage.BEGIN else Verdict.ABORT
    if isinstance(error, errors.GroupAffinityViolation):
        return Verdict.RESCHEDULE_BY_POLICY
    if isinstance(error, (errors.ComputeResourcesUnavailable, errors.ShuttingDown)):
        return Verdict.RESCHEDULE
    if isinstance(error, _HOPELESS) or stage not in _RESCHEDULABLE_STAGES:
        return Verdict.ABORT
    return Verdict.RESCHEDULE
