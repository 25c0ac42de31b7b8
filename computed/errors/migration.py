"""Moves between hosts and between resources of one host."""

from computed.errors.base import Invalid, NotFound, NovaException


class MigrationError(NovaException):
    msg_fmt = "Migration failed: %(reason)s"


class MigrationPreCheckError(MigrationError):
    msg_fmt = "A check before the migration refused it: %(reason)s"


class MigrationSchedulerRPCError(MigrationError):
    msg_fmt = "The scheduler did not choose a host for the migration: %(reason)s"


class MigrationNotFound(NotFound):
    msg_fmt = "No migration %(migration_id)s."


class MigrationNotFoundByStatus(MigrationNotFound):
    msg_fmt = "Instance %(instance_id)s has no migration with status %(status)s."


class MigrationNotFoundForInstance(MigrationNotFound):
    msg_fmt = "Instance %(instance_id)s has no migration %(migration_id)s."


class NoActiveMigrationForInstance(NotFound):
    msg_fmt = "No migration of instance %(instance_id)s is under way."


class InvalidMigrationState(Invalid):
    msg_fmt = (
        "Migration %(migration_id)s of instance %(instance_uuid)s has status %(state)s, which does not "
        "allow %(method)s."
    )


class LiveMigrationNotSubmitted(NovaException):
    msg_fmt = (
        "Live migration %(migration_uuid)s of instance %(instance_uuid)s never reached the head of the queue."
    )


class LiveMigrationURINotAvailable(NovaException):
    msg_fmt = "No live migration address is known for virtualization type %(virt_type)s."


class CannotMigrateToSameHost(NovaException):
    msg_fmt = "Source and destination are the same host."


class UnableToMigrateToSelf(Invalid):
    msg_fmt = "Instance %(instance_id)s is on host %(host)s already."


class DestinationHypervisorTooOld(Invalid):
    msg_fmt = "The destination's hypervisor is older than the source's."


class DestinationDiskExists(Invalid):
    msg_fmt = "The destination has a disk at %(path)s already."


class InvalidLocalStorage(NovaException):
    msg_fmt = "%(path)s does not lie on local storage: %(reason)s"


class InvalidSharedStorage(NovaException):
    msg_fmt = "%(path)s does not lie on shared storage: %(reason)s"


class InvalidCPUInfo(Invalid):
    msg_fmt = "CPUs of source and destination do not fit: %(reason)s"
