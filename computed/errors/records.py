"""Records in the database as the conductor reports them: missing, doubled, changed under us."""

from computed.errors.base import NotFound, NovaException


class DBNotAllowed(NovaException):
    msg_fmt = "%(binary)s may not open a database connection."


class DuplicateRecord(NovaException):
    msg_fmt = "A record %(target)s exists already."


class ObjectActionError(NovaException):
    msg_fmt = "Action %(action)s on the object failed: %(reason)s"


class OrphanedObjectError(NovaException):
    msg_fmt = "%(objtype)s is bound to no context, so %(method)s cannot be called."


class BuildRequestNotFound(NotFound):
    msg_fmt = "No build request for instance %(uuid)s."


class RequestSpecNotFound(NotFound):
    msg_fmt = "No request spec for instance %(instance_uuid)s."


class MigrationContextNotFound(NotFound):
    msg_fmt = "Instance %(instance_uuid)s has no migration context."


class NumaTopologyNotFound(NotFound):
    msg_fmt = "Instance %(instance_uuid)s has no NUMA topology."


class InstanceActionNotFound(NovaException):
    msg_fmt = "Instance %(instance_uuid)s has no action for request %(request_id)s."


class InstanceActionEventNotFound(NovaException):
    msg_fmt = "Action %(action_id)s has no event %(event)s."


class InstanceInfoCacheNotFound(NotFound):
    msg_fmt = "Instance %(instance_uuid)s has no network info cache."


class InstanceMappingNotFound(NotFound):
    msg_fmt = "No cell mapping for instance %(uuid)s."


class InstanceTagNotFound(NotFound):
    msg_fmt = "Instance %(instance_id)s does not bear the tag %(tag)s."


class InstanceUpdateConflict(NovaException):
    msg_fmt = "Instance %(instance_uuid)s was changed meanwhile: expected %(expected)s, found %(actual)s."


class UnknownInstanceUpdateConflict(InstanceUpdateConflict):
    msg_fmt = "Instance %(instance_uuid)s was changed meanwhile, it cannot be told how."


class UnexpectedTaskStateError(InstanceUpdateConflict):
    msg_fmt = "Instance %(instance_uuid)s is in another task state: expected %(expected)s, found %(actual)s."


class UnexpectedDeletingTaskStateError(UnexpectedTaskStateError):
    msg_fmt = "Instance %(instance_uuid)s is being deleted: expected %(expected)s, found %(actual)s."


class InstanceGroupNotFound(NotFound):
    msg_fmt = "No server group %(group_uuid)s."


class InstanceGroupIdExists(NovaException):
    msg_fmt = "There is a server group %(group_uuid)s already."


class InstanceGroupSaveException(NovaException):
    msg_fmt = "Field %(field)s of a server group cannot be saved."


class TaskAlreadyRunning(NovaException):
    msg_fmt = "Task %(task_name)s is under way on host %(host)s already."


class TaskNotRunning(NovaException):
    msg_fmt = "Task %(task_name)s is not under way on host %(host)s."
