"""Services, hosts, cells and aggregates: who is registered, who is too old, who is in use."""

from computed.errors.base import Invalid, NotFound, NovaException, ServiceUnavailable


class HostNotFound(NotFound):
    msg_fmt = "No host %(host)s."


class ComputeHostNotFound(HostNotFound):
    msg_fmt = "No compute host %(host)s."


class HostBinaryNotFound(NotFound):
    msg_fmt = "Host %(host)s runs no %(binary)s."


class HostMappingNotFound(Invalid):
    msg_fmt = "Host %(name)s is mapped to no cell."


class HostMappingExists(Invalid):
    msg_fmt = "Host %(name)s is mapped to a cell already."


class CellMappingNotFound(NotFound):
    msg_fmt = "No cell %(uuid)s."


class CellTimeout(NotFound):
    msg_fmt = "A cell did not answer in time."


class TooManyComputesForHost(NovaException):
    msg_fmt = "Host %(host)s has %(num_computes)s compute nodes where one is expected."


class ComputeServiceInUse(NovaException):
    msg_fmt = "Host %(host)s still has instances."


class ComputeServiceUnavailable(ServiceUnavailable):
    msg_fmt = "The compute service on host %(host)s cannot be used now."


class ComputeHostMetricNotFound(NotFound):
    msg_fmt = "Node %(node)s of host %(host)s reports no metric %(name)s."


class ServiceNotFound(NotFound):
    msg_fmt = "No service %(service_id)s."


class ServiceNotUnique(Invalid):
    msg_fmt = "More than one service fits."


class ServiceBinaryExists(NovaException):
    msg_fmt = "Host %(host)s has a service record for %(binary)s already."


class ServiceTopicExists(NovaException):
    msg_fmt = "Host %(host)s has a service record for topic %(topic)s already."


class ServiceTooOld(Invalid):
    msg_fmt = "This service has version %(thisver)s; at least %(minver)s is required in this deployment."


class TooOldComputeService(Invalid):
    msg_fmt = (
        "In %(scope)s a compute of version %(oldest_supported_version)s or newer (level "
        "%(min_service_level)s) is required; the oldest one has level %(oldest_supported_service)s."
    )


class AggregateNotFound(NotFound):
    msg_fmt = "No aggregate %(aggregate_id)s."


class AggregateNameExists(NovaException):
    msg_fmt = "There is an aggregate %(aggregate_name)s already."


class AggregateHostExists(NovaException):
    msg_fmt = "Aggregate %(aggregate_id)s contains host %(host)s already."


class AggregateHostNotFound(NotFound):
    msg_fmt = "Aggregate %(aggregate_id)s does not contain host %(host)s."


class AggregateMetadataNotFound(NotFound):
    msg_fmt = "Aggregate %(aggregate_id)s has no metadata %(metadata_key)s."


class AggregateMetadataKeyExists(NovaException):
    code = 400
    msg_fmt = "Aggregate %(aggregate_id)s has metadata %(key)s already."


class InvalidAggregateAction(Invalid):
    msg_fmt = "The aggregate cannot be changed like this."


class NoValidHost(NovaException):
    msg_fmt = "No host can take the instance: %(reason)s"


class MaxRetriesExceeded(NoValidHost):
    msg_fmt = "Gave up, all attempts were used: %(reason)s"


class RequestFilterFailed(NovaException):
    msg_fmt = "A filter applied before scheduling refused: %(reason)s"


class GroupAffinityViolation(NovaException):
    msg_fmt = "Server group policy %(policy)s would be violated."


class ResourceMonitorError(NovaException):
    msg_fmt = "Resource monitor %(monitor)s failed."
