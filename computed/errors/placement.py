"""Resource providers, inventories, traits and allocations."""

from computed.errors.base import Invalid, NotFound, NovaException, ServiceUnavailable


class AllocationCreateFailed(NovaException):
    msg_fmt = "No allocation was made for instance %(instance)s on provider %(provider)s."


class AllocationUpdateFailed(NovaException):
    msg_fmt = "The allocation of %(consumer_uuid)s was not updated: %(error)s"


class AllocationDeleteFailed(NovaException):
    msg_fmt = "The allocation of %(consumer_uuid)s was not deleted: %(error)s"


class AllocationMoveFailed(NovaException):
    msg_fmt = "The allocation was not moved from %(source_consumer)s to %(target_consumer)s: %(error)s"


class ConsumerAllocationRetrievalFailed(NovaException):
    msg_fmt = "The allocation of %(consumer_uuid)s was not read: %(error)s"


class ResourceProviderAllocationRetrievalFailed(NovaException):
    msg_fmt = "The allocations of provider %(rp_uuid)s were not read: %(error)s"


class ResourceProviderNotFound(NotFound):
    msg_fmt = "No resource provider %(name_or_uuid)s."


class ResourceProviderInUse(NovaException):
    msg_fmt = "The resource provider has allocations."


class ResourceProviderCreationFailed(NovaException):
    msg_fmt = "Resource provider %(name)s was not created."


class ResourceProviderRetrievalFailed(NovaException):
    msg_fmt = "Resource provider %(uuid)s was not read."


class ResourceProviderAggregateRetrievalFailed(NovaException):
    msg_fmt = "The aggregates of provider %(uuid)s were not read."


class ResourceProviderTraitRetrievalFailed(NovaException):
    msg_fmt = "The traits of provider %(uuid)s were not read."


class ResourceProviderUpdateFailed(NovaException):
    msg_fmt = "Placement refused the update of %(url)s: %(error)s"


class ResourceProviderDeletionFailed(NovaException):
    msg_fmt = "Resource provider %(uuid)s was not deleted."


class ResourceProviderSyncFailed(NovaException):
    msg_fmt = "The resource provider tree could not be brought in line with placement."


class PlacementAPIConflict(NovaException):
    msg_fmt = "Placement answers that something changed meanwhile, at %(url)s: %(error)s"


class ResourceProviderUpdateConflict(PlacementAPIConflict):
    msg_fmt = "Provider %(uuid)s has moved on from generation %(generation)s: %(error)s"


class PlacementAPIConnectFailure(NovaException):
    msg_fmt = "Placement cannot be reached."


class PlacementReshapeConflict(PlacementAPIConflict):
    msg_fmt = "Providers or allocations changed during a reshape: %(error)s"


class ReshapeFailed(NovaException):
    msg_fmt = "The provider tree was not reshaped: %(error)s"


class ReshapeNeeded(NovaException):
    msg_fmt = "The provider tree must be reshaped first."


class TraitRetrievalFailed(NovaException):
    msg_fmt = "The traits were not read: %(error)s"


class TraitCreationFailed(NovaException):
    msg_fmt = "Trait %(name)s was not created: %(error)s"


class UsagesRetrievalFailed(NovaException):
    msg_fmt = "The usage of project %(project_id)s, user %(user_id)s was not read."


class InvalidInventory(Invalid):
    msg_fmt = "Inventory of %(resource_class)s on provider %(resource_provider)s is not acceptable."


class InventoryInUse(InvalidInventory):
    msg_fmt = "Inventory of %(resource_class)s on provider %(resource_provider)s is in use."


class InvalidResourceClass(Invalid):
    msg_fmt = "Resource class %(resource_class)s is not acceptable."


class ComputeResourcesUnavailable(ServiceUnavailable):
    msg_fmt = "This host has not enough left: %(reason)s"


class AssignedResourceNotFound(NovaException):
    msg_fmt = "A device given to an instance is gone: %(reason)s"


class ProviderConfigException(NovaException):
    msg_fmt = "A provider configuration file is not acceptable: %(error)s"
