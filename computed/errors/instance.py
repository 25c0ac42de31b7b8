"""One instance: its existence, its state, and the verbs that fail on it."""

from computed.errors.base import Invalid, NotFound, NovaException


class InstanceNotFound(NotFound):
    msg_fmt = "No instance %(instance_id)s."


class InstanceExists(NovaException):
    msg_fmt = "There is an instance %(name)s already."


class InstanceNotRunning(Invalid):
    msg_fmt = "Instance %(instance_id)s does not run."


class InstanceNotReady(Invalid):
    msg_fmt = "Instance %(instance_id)s is not ready for this yet."


class InstanceInvalidState(Invalid):
    msg_fmt = "Instance %(instance_uuid)s has %(attr)s %(state)s, which does not allow %(method)s."


class InstanceIsLocked(InstanceInvalidState):
    msg_fmt = "Instance %(instance_uuid)s is locked."


class InstanceUnacceptable(Invalid):
    msg_fmt = "Instance %(instance_id)s is refused: %(reason)s"


class InstanceFaultRollback(NovaException):
    msg_fmt = "The instance is back in its former state after a failure."

    def __init__(self, inner_exception: BaseException | None = None) -> None:
        """Carry ``inner_exception``, the failure after which the instance was put back."""
        self.inner_exception = inner_exception
        text = self.msg_fmt if inner_exception is None else f"{self.msg_fmt} {inner_exception}"
        super().__init__(text)


class InstanceDeployFailure(Invalid):
    msg_fmt = "The instance could not be put on this host: %(reason)s"


class InstancePowerOffFailure(Invalid):
    msg_fmt = "The instance could not be powered off: %(reason)s"


class InstancePowerOnFailure(Invalid):
    msg_fmt = "The instance could not be powered on: %(reason)s"


class InstanceRebootFailure(Invalid):
    msg_fmt = "The instance could not be rebooted: %(reason)s"


class InstanceSuspendFailure(Invalid):
    msg_fmt = "The instance could not be suspended: %(reason)s"


class InstanceResumeFailure(Invalid):
    msg_fmt = "The instance could not be resumed: %(reason)s"


class InstanceRescueFailure(NovaException):
    msg_fmt = "The instance could not be rescued: %(reason)s"


class InstanceUnRescueFailure(NovaException):
    msg_fmt = "The instance could not leave rescue mode: %(reason)s"


class InstanceTerminationFailure(Invalid):
    msg_fmt = "The instance could not be terminated: %(reason)s"


class InstanceNotRescuable(Invalid):
    msg_fmt = "Instance %(instance_id)s cannot be rescued: %(reason)s"


class InstanceNotInRescueMode(Invalid):
    msg_fmt = "Instance %(instance_id)s is not being rescued."


class InstancePasswordSetFailed(NovaException):
    msg_fmt = "The admin password of instance %(instance)s was not set: %(reason)s"


class SetAdminPasswdNotSupported(Invalid):
    msg_fmt = "The driver cannot set an admin password."


class InstanceAgentNotEnabled(Invalid):
    msg_fmt = "No guest agent is enabled for this instance."


class QemuGuestAgentNotEnabled(InstanceAgentNotEnabled):
    msg_fmt = "No QEMU guest agent is enabled for this instance."


class InstanceQuiesceNotSupported(Invalid):
    msg_fmt = "Instance %(instance_id)s cannot be quiesced."


class InstanceQuiesceFailed(Invalid):
    code = 409
    msg_fmt = "The instance was not quiesced: %(reason)s"


class InstanceEvacuateNotSupported(Invalid):
    msg_fmt = "The driver cannot evacuate instances."


class InstanceEvacuateNotSupportedTargetState(Invalid):
    msg_fmt = "An evacuated instance cannot be left in state %(target_state)s."


class TriggerCrashDumpNotSupported(Invalid):
    msg_fmt = "The driver cannot make a guest dump its memory."


class PreserveEphemeralNotSupported(Invalid):
    msg_fmt = "The driver cannot keep ephemeral disks across a rebuild."


class BuildAbortException(NovaException):
    msg_fmt = "The build of instance %(instance_uuid)s ends here: %(reason)s"


class RescheduledException(NovaException):
    msg_fmt = "The build of instance %(instance_uuid)s goes to another host: %(reason)s"


class RescheduledByPolicyException(RescheduledException):
    msg_fmt = (
        "The build of instance %(instance_uuid)s goes to another host, its server group demands it: "
        "%(reason)s"
    )


class ReimageException(NovaException):
    msg_fmt = "The root volume was not reimaged."


class UnshelveException(NovaException):
    msg_fmt = "Instance %(instance_id)s was not unshelved: %(reason)s"


class UnshelveInstanceInvalidState(InstanceInvalidState):
    code = 409
    msg_fmt = "Instance %(instance_uuid)s in state %(state)s cannot be unshelved."


class UnshelveHostNotInAZ(Invalid):
    code = 409
    msg_fmt = "Host %(host)s is not in availability zone %(availability_zone)s."


class AmbiguousHostnameForMultipleInstances(Invalid):
    msg_fmt = "One host name cannot be given to several instances."


class InstanceEventTimeout(Exception):
    """An external event that an operation waited for did not come in time."""
