"""PCI devices, their pools, aliases and specifications."""

from computed.errors.base import Invalid, NotFound, NovaException


class PciDeviceNotFound(NotFound):
    msg_fmt = "Node %(node_id)s has no PCI device %(address)s."


class PciDeviceNotFoundById(NotFound):
    msg_fmt = "No PCI device %(id)s."


class PciDeviceInvalidStatus(Invalid):
    msg_fmt = "PCI device %(address)s of node %(compute_node_id)s is %(status)s, not %(hopestatus)s."


class PciDevicePFInvalidStatus(Invalid):
    msg_fmt = (
        "Physical function %(address)s of node %(compute_node_id)s cannot be taken: its virtual function "
        "%(vf_address)s is %(status)s, not %(hopestatus)s."
    )


class PciDeviceVFInvalidStatus(Invalid):
    msg_fmt = (
        "Virtual function %(address)s of node %(compute_node_id)s cannot be taken: its physical function "
        "is in use."
    )


class PciDeviceInvalidOwner(Invalid):
    msg_fmt = "PCI device %(address)s of node %(compute_node_id)s belongs to %(owner)s, not %(hopeowner)s."


class PciDeviceRequestFailed(NovaException):
    msg_fmt = "PCI devices cannot be given: %(requests)s"


class PciDevicePoolEmpty(NovaException):
    msg_fmt = "The pool of PCI device %(address)s of node %(compute_node_id)s is empty."


class PciDeviceDetachFailed(NovaException):
    msg_fmt = "PCI device %(dev)s was not detached: %(reason)s"


class PciDeviceUnsupportedHypervisor(NovaException):
    msg_fmt = "PCI devices cannot be attached under %(type)s."


class PciDeviceWrongAddressFormat(NovaException):
    msg_fmt = "%(address)s is no PCI address."


class PciDeviceInvalidDeviceName(NovaException):
    msg_fmt = "A device name and an address cannot be given together."


class PciDeviceInvalidPFRemoteManaged(NovaException):
    msg_fmt = "Physical function %(address)s cannot be remote-managed."


class PciDeviceRemoteManagedNotPresent(NovaException):
    msg_fmt = "A remote-managed device lacks its serial number."


class PciConfigInvalidSpec(Invalid):
    msg_fmt = "PCI device specification refused: %(reason)s"


class PciInvalidAlias(Invalid):
    msg_fmt = "PCI alias refused: %(reason)s"


class PciRequestAliasNotDefined(NovaException):
    msg_fmt = "There is no PCI alias %(alias)s."


class PciRequestFromVIFNotFound(NotFound):
    msg_fmt = "No PCI request for slot %(pci_slot)s on node %(node_id)s."


class PlacementPciException(NovaException):
    msg_fmt = "PCI devices cannot be shown to placement: %(error)s"


class PlacementPciDependentDeviceException(PlacementPciException):
    msg_fmt = "Devices %(children_devs)s and their parent %(parent_dev)s cannot both be offered."


class PlacementPciMixedResourceClassException(PlacementPciException):
    msg_fmt = (
        "Device %(new_dev)s with resource class %(new_rc)s cannot share a provider with %(current_devs)s "
        "of %(current_rc)s."
    )


class PlacementPciMixedTraitsException(PlacementPciException):
    msg_fmt = (
        "Device %(new_dev)s with traits %(new_traits)s cannot share a provider with %(current_devs)s "
        "with %(current_traits)s."
    )


class AmbiguousResourceProviderForPCIRequest(NovaException):
    msg_fmt = "Request %(requester)s is served by several providers: %(providers)s."


class UnexpectedResourceProviderNameForPCIRequest(NovaException):
    msg_fmt = (
        "Provider %(provider)s of request %(requester)s bears the name %(provider_name)s, from which no "
        "device follows."
    )
